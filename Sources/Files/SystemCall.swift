import Glibc

/// Runs one system call that answers -1 on failure: repeats it when a signal interrupted it, and turns its errno into a
/// `FileProblem` that names the path.
func call<Result: SignedInteger>(
  _ what: String, _ path: String, _ body: () -> Result
) throws -> Result {
  while true {
    let result = body()
    if result != -1 { return result }
    let code = errno
    if code == EINTR { continue }
    let advice: String? =
      switch code {
      case ENOSPC, EDQUOT: "free some space and run the same command again"
      case EACCES, EPERM, EROFS: "check the owner and the permissions"
      case ENOENT: "check the path"
      case EMFILE, ENFILE: "raise the limit of open files (ulimit -n)"
      default: nil
      }
    throw FileProblem(
      path: path, reason: "\(what) failed: \(String(cString: strerror(code)))", advice: advice,
      isFull: code == ENOSPC || code == EDQUOT)
  }
}
