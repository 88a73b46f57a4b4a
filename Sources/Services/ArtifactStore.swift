import Files
import Foundation
import Glibc
import Wire

/// The files of a run on the coordinator: uploads in progress, outputs that wait for their job to be done, checkpoints,
/// and what has its final name. A file only ever stands under a final name when it is complete and checked.
///
///     Models/… Results/…         final names, given when a job is done
///     .state/staged/TOKEN/SHA    outputs of attempts that are not over
///     .state/checkpoints/…       the latest checkpoint of each job
///
/// - Thread: used by the coordinator's service thread alone, but for `stage`.
final class ArtifactStore {
  let directory: URL
  private let limit: Int
  private var uploads: [UploadKey: Upload] = [:]
  /// Where the content is of every file of the run that may be asked for.
  private var known: [String: URL] = [:]
  /// The files outside the run directory that may be asked for too.
  let offered: OfferedFiles

  struct UploadKey: Hashable {
    let worker: UInt64
    let transfer: UInt64
  }

  /// A file that is arriving.
  final class Upload {
    let begin: UploadBegin
    let destination: URL
    var received = 0
    private var file: AtomicFile?
    private var hash: SHA256?

    init(_ begin: UploadBegin, to destination: URL) throws {
      (self.begin, self.destination) = (begin, destination)
      file = try AtomicFile(destination)
      hash = SHA256()
    }

    func append(_ bytes: [UInt8]) throws {
      try bytes.withUnsafeBytes { buffer in
        try file!.write(buffer)
        hash!.update(buffer)
      }
      received += bytes.count
    }

    /// Gives the file its place, unless its content is not what was announced.
    func finish() throws -> Bool {
      guard let hash = hash.take(), let file = file.take() else { return false }
      guard hash.digest() == begin.artifact.sha256 else { return false }
      try file.commit()
      return true
    }
  }

  init(directory: URL, limit: Int, offered: OfferedFiles = OfferedFiles()) throws {
    (self.directory, self.limit, self.offered) = (directory, limit, offered)
    try makeFolder(state.appendingPathComponent("staged"))
    try makeFolder(state.appendingPathComponent("checkpoints"))
  }

  private var state: URL { directory.appendingPathComponent(".state") }

  func stagedFile(_ artifact: ArtifactReference, token: UInt64) -> URL {
    state.appendingPathComponent("staged/\(token)/\(artifact.sha256)")
  }

  /// The path of a job's checkpoint in the run directory; another one for each content, so that a new one never
  /// damages the last.
  func checkpointName(job: String, token: UInt64, sha256 content: String) -> String {
    ".state/checkpoints/\(sha256(job).prefix(16))-\(token)-\(content.prefix(16))"
  }

  // MARK: - Files that are there

  /// Says where the content of a file is, so that it may be downloaded.
  func register(_ artifact: ArtifactReference, at url: URL? = nil) {
    known[artifact.sha256] = url ?? directory.appendingPathComponent(artifact.name)
  }

  /// Whether a file is there with the content that the ledger says.
  func isIntact(_ artifact: ArtifactReference, at url: URL? = nil) -> Bool {
    let url = url ?? directory.appendingPathComponent(artifact.name)
    var facts = stat()
    guard stat(url.path, &facts) == 0, facts.st_size == artifact.size else { return false }
    return (try? sha256(of: url)) == artifact.sha256
  }

  /// The bytes of a file that a worker wants, or why it cannot have them. Only the content counts: no name that a worker
  /// says becomes a path.
  func read(_ want: DownloadWant) -> Result<[UInt8], ServiceError> {
    let content = want.artifact.sha256
    guard let path = known[content]?.path ?? offered.path(of: content) else {
      return .failure(ServiceError("this run has no \(want.artifact.name) with the content that was asked for"))
    }
    let handle = open(path, O_RDONLY | O_CLOEXEC)
    guard handle >= 0 else { return .failure(ServiceError("\(path) cannot be read by the coordinator")) }
    defer { close(handle) }
    guard known[content] != nil || offered.isIntact(handle, content) else {
      return .failure(ServiceError("\(path) has changed since the coordinator started; restore it"))
    }
    var result = -1
    let bytes = [UInt8](unsafeUninitializedCapacity: want.count) { buffer, count in
      repeat { result = pread(handle, buffer.baseAddress, want.count, want.offset) } while result < 0 && errno == EINTR
      count = max(0, result)
    }
    guard bytes.count == want.count else {
      return .failure(ServiceError("\(path) is shorter than it was; restore it, or run the same command again"))
    }
    return .success(bytes)
  }

  /// Where a file of known content is.
  func location(of artifact: ArtifactReference) -> URL? { known[artifact.sha256] }

  // MARK: - Uploads

  enum UploadStep {
    case credit(received: Int, limit: Int)
    case complete(UploadBegin, at: URL)
    case refused(String)
    case ignored
  }

  /// A worker wants to send a file.
  func begin(_ begin: UploadBegin, from worker: UInt64, allowed: Set<String>) throws -> UploadStep {
    let artifact = begin.artifact
    guard artifact.size <= limit else {
      return .refused("\(artifact.name) has \(artifact.size) bytes, more than the limit of \(limit)")
    }
    guard ArtifactReference.isContent(artifact.sha256) else {
      return .refused("\(artifact.name) is announced without a SHA-256")
    }
    let destination: URL
    switch begin.kind {
    case .output:
      guard allowed.contains(artifact.name) else {
        return .refused("\(artifact.name) is not among the outputs of job \(begin.job)")
      }
      destination = stagedFile(artifact, token: begin.token)
    case .checkpoint:
      destination = directory.appendingPathComponent(
        checkpointName(job: begin.job, token: begin.token, sha256: artifact.sha256))
    }
    let key = UploadKey(worker: worker, transfer: begin.transfer)
    uploads[key] = nil
    if isIntact(artifact, at: destination) { return .complete(begin, at: destination) }
    let upload = try Upload(begin, to: destination)
    if artifact.size == 0 {
      return try upload.finish() ? .complete(begin, at: destination) : .refused("it is not empty")
    }
    uploads[key] = upload
    return .credit(received: 0, limit: Self.window)
  }

  /// How many bytes may be under way for one upload.
  static let window = 4 * Packet.frameLimit

  /// A piece of a file has arrived.
  func append(_ chunk: UploadChunk, _ bytes: [UInt8], from worker: UInt64) throws -> UploadStep {
    let key = UploadKey(worker: worker, transfer: chunk.transfer)
    guard let upload = uploads[key] else { return .ignored }
    let size = upload.begin.artifact.size
    guard chunk.offset == upload.received, !bytes.isEmpty, bytes.count <= size - upload.received else {
      return .ignored
    }
    guard crc32c(bytes) == chunk.crc else {
      uploads[key] = nil
      return .refused("a piece of \(upload.begin.artifact.name) was damaged on its way")
    }
    try upload.append(bytes)
    if upload.received < size { return .credit(received: upload.received, limit: upload.received + Self.window) }
    uploads[key] = nil
    guard try upload.finish() else {
      return .refused("\(upload.begin.artifact.name) arrived with another content than was announced")
    }
    return .complete(upload.begin, at: upload.destination)
  }

  /// Drops what an attempt that has ended was uploading or had uploaded.
  func discard(token: UInt64) {
    uploads = uploads.filter { $0.value.begin.token != token }
    try? FileManager.default.removeItem(at: state.appendingPathComponent("staged/\(token)"))
  }

  /// Puts a local file beside the uploads of an attempt.
  ///
  /// - Thread: any; it touches only files that carry the token.
  static func stage(_ file: URL, as name: String, in directory: URL, token: UInt64) throws -> ArtifactReference {
    let artifact = try reference(to: file, as: name)
    try copy(file, to: directory.appendingPathComponent(".state/staged/\(token)/\(artifact.sha256)"))
    return artifact
  }

  // MARK: - Final names

  /// Gives an attempt's outputs their final names. Doing it again is harmless, so that a coordinator that is killed
  /// between this and the ledger's entry does it again.
  func finalize(_ outputs: [ArtifactReference], token: UInt64) throws {
    for artifact in outputs {
      let staged = stagedFile(artifact, token: token)
      let final = directory.appendingPathComponent(artifact.name)
      try makeFolder(final.deletingLastPathComponent())
      // A second name for the same file, then a rename: complete at any moment, and the staged one stays until the
      // ledger knows. Where the file system has no second names, a copy does.
      let temporary = final.path + ".tmp-\(token)"
      unlink(temporary)
      // rename does nothing, and calls it a success, when both names are the same file already: after a restart that came
      // between the rename and the ledger's entry. The second name must go then too.
      defer { unlink(temporary) }
      if link(staged.path, temporary) == 0 && rename(temporary, final.path) == 0 {
        syncFolder(final.deletingLastPathComponent())
      } else {
        try copy(staged, to: final)
      }
      register(artifact)
    }
  }

  /// Removes the file of a checkpoint that is not the latest any more.
  func removeCheckpoint(_ artifact: ArtifactReference) {
    guard artifact.name.hasPrefix(".state/checkpoints/") else { return }
    let file = directory.appendingPathComponent(artifact.name)
    // A later checkpoint may have the same content.
    if known[artifact.sha256] == file { known[artifact.sha256] = nil }
    unlink(file.path)
  }

  /// Removes leftovers of earlier starts: everything in `.state` that the ledger does not name.
  func clean(checkpoints: Set<String>, tokens: Set<UInt64>) {
    let manager = FileManager.default
    for name in (try? manager.contentsOfDirectory(atPath: state.appendingPathComponent("checkpoints").path)) ?? []
    where !checkpoints.contains(".state/checkpoints/\(name)") {
      try? manager.removeItem(at: state.appendingPathComponent("checkpoints/\(name)"))
    }
    for name in (try? manager.contentsOfDirectory(atPath: state.appendingPathComponent("staged").path)) ?? []
    where UInt64(name).map({ !tokens.contains($0) }) ?? true {
      try? manager.removeItem(at: state.appendingPathComponent("staged/\(name)"))
    }
  }

  private func syncFolder(_ folder: URL) {
    let handle = open(folder.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
    guard handle >= 0 else { return }
    fsync(handle)
    close(handle)
  }
}

/// A file's name, content and size.
func reference(to file: URL, as name: String) throws -> ArtifactReference {
  let digest = try sha256(of: file)
  var facts = stat()
  guard stat(file.path, &facts) == 0 else { throw ServiceError("\(file.path) cannot be read") }
  return ArtifactReference(name: name, sha256: digest, size: Int(facts.st_size))
}

/// Copies a file so that it appears complete.
func copy(_ source: URL, to destination: URL) throws {
  let handle = open(source.path, O_RDONLY | O_CLOEXEC)
  guard handle >= 0 else { throw ServiceError("\(source.path) cannot be read: \(String(cString: strerror(errno)))") }
  defer { close(handle) }
  var file = try AtomicFile(destination)
  let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 18, alignment: 64)
  defer { buffer.deallocate() }
  while true {
    let count = read(handle, buffer.baseAddress, buffer.count)
    if count < 0 && errno == EINTR { continue }
    guard count >= 0 else { throw ServiceError("\(source.path) cannot be read: \(String(cString: strerror(errno)))") }
    if count == 0 { break }
    try file.write(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
  }
  try file.commit()
}
