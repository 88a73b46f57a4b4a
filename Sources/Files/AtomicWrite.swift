public import Foundation

/// Writes a whole file so that its name only ever stands for complete content: the bytes go to a temporary file beside
/// it, are flushed to the disk, and take the name by rename. The folder is made if it is missing.
///
/// - Throws: `FileProblem` (a full disk among them); the temporary file is removed and an older file of that name stays.
/// - Cost: two flushes of the disk cache.
public func writeAtomically(_ bytes: some Sequence<UInt8>, to url: URL) throws {
  var writer = try AtomicFile(url)
  try writer.write(bytes)
  try writer.commit()
}

/// Writes text as UTF-8; see `writeAtomically(_:to:)`.
public func writeAtomically(_ text: String, to url: URL) throws {
  try writeAtomically(text.utf8, to: url)
}

/// A file that is being written piece by piece and appears under its name only when `commit` returns.
///
///     var file = try AtomicFile(url)
///     try file.write(chunk)
///     try file.commit()
public struct AtomicFile: ~Copyable {
  private let path: String
  private let temporary: String
  private let descriptor: Int32
  private var finished = false

  /// Opens a temporary file beside `url`, making the folder if it is missing.
  ///
  /// - Throws: `FileProblem`.
  public init(_ url: URL) throws {
    let final = url.path
    try makeFolder(url.deletingLastPathComponent())
    let name = "\(final).tmp-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
    let opened = try call("creating a file", final) { open(name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644) }
    (path, temporary, descriptor) = (final, name, opened)
  }

  deinit {
    guard !finished else { return }
    close(descriptor)
    unlink(temporary)
  }

  /// Appends bytes.
  ///
  /// - Throws: `FileProblem`.
  public mutating func write(_ bytes: some Sequence<UInt8>) throws {
    let done: Void? = try bytes.withContiguousStorageIfAvailable { try write(UnsafeRawBufferPointer($0)) }
    if done == nil { try Array(bytes).withUnsafeBytes { try write($0) } }
  }

  /// Appends raw memory.
  ///
  /// - Throws: `FileProblem`.
  public mutating func write(_ buffer: UnsafeRawBufferPointer) throws {
    var rest = buffer
    while !rest.isEmpty {
      let count = try call("writing", path) { Glibc.write(descriptor, rest.baseAddress, rest.count) }
      rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(count))
    }
  }

  /// Flushes the content, gives it its name, and flushes the folder.
  ///
  /// - Throws: `FileProblem`.
  public consuming func commit() throws {
    _ = try call("flushing", path) { fsync(descriptor) }
    _ = try call("naming", path) { rename(temporary, path) }
    finished = true
    close(descriptor)
    let folder = (path as NSString).deletingLastPathComponent
    let handle = try call("opening the folder", folder) { open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC) }
    defer { close(handle) }
    _ = try call("flushing the folder", folder) { fsync(handle) }
  }
}

/// Makes a folder and those above it; one that is there already is fine.
///
/// - Throws: `FileProblem`.
public func makeFolder(_ url: URL) throws {
  do {
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  } catch {
    let code = ((error as NSError).userInfo[NSUnderlyingErrorKey] as? NSError)?.code ?? 0
    let reason = code == 0 ? "a file of that name is in the way" : String(cString: strerror(Int32(code)))
    throw FileProblem(path: url.path, reason: "the folder cannot be made: \(reason)", advice: "choose another folder")
  }
}

/// The content of a whole file.
///
/// - Throws: `FileProblem`, also when the file is larger than `limit` bytes.
public func readFile(_ url: URL, limit: Int = 1 << 31) throws -> [UInt8] {
  let path = url.path
  let handle = try call("opening", path) { open(path, O_RDONLY | O_CLOEXEC) }
  defer { close(handle) }
  var facts = stat()
  _ = try call("reading", path) { fstat(handle, &facts) }
  guard facts.st_mode & S_IFMT == S_IFREG else { throw FileProblem(path: path, reason: "not a regular file") }
  guard facts.st_size <= limit else {
    throw FileProblem(path: path, reason: "\(facts.st_size) bytes are more than the limit of \(limit)")
  }
  var failure: (any Error)?
  let bytes = [UInt8](unsafeUninitializedCapacity: Int(facts.st_size)) { buffer, count in
    do {
      while count < buffer.count {
        let (start, room) = (buffer.baseAddress! + count, buffer.count - count)
        let got = try call("reading", path) { read(handle, start, room) }
        if got == 0 { break }  // the file became shorter meanwhile
        count += got
      }
    } catch { failure = error }
  }
  if let failure { throw failure }
  return bytes
}
