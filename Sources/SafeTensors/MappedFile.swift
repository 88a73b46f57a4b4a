import Glibc

/// A file mapped read-only into memory, unmapped when the last tensor on it is gone.
///
/// `@unchecked Sendable`: the bytes are read-only. The file must not be shortened in place while it is mapped; ours are
/// only ever replaced by rename, which leaves the mapping as it was.
final class MappedFile: @unchecked Sendable {
  let bytes: UnsafeRawBufferPointer

  init(_ path: String) throws(SafeTensorsError) {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw SafeTensorsError(path, "it can't be opened (\(reason(errno)))") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw SafeTensorsError(path, "it is not an ordinary file")
    }
    let count = Int(status.st_size)
    guard count >= 10 else { throw SafeTensorsError(path, "it has only \(count) bytes") }
    let address = mmap(nil, count, PROT_READ, MAP_PRIVATE, descriptor, 0)
    guard let address, address != MAP_FAILED else {
      throw SafeTensorsError(path, "it can't be mapped into memory (\(reason(errno)))")
    }
    bytes = UnsafeRawBufferPointer(start: address, count: count)
  }

  deinit { munmap(UnsafeMutableRawPointer(mutating: bytes.baseAddress!), bytes.count) }
}

/// The first bytes of an ordinary file; empty for anything else, so that nothing is waited for.
func fileHead(_ path: String, _ count: Int) -> [UInt8] {
  let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
  guard descriptor >= 0 else { return [] }
  defer { close(descriptor) }
  var status = stat()
  guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return [] }
  return [UInt8](unsafeUninitializedCapacity: count) { buffer, got in
    got = max(0, read(descriptor, buffer.baseAddress!, count))
  }
}

private func reason(_ code: Int32) -> String { String(cString: strerror(code)) }
