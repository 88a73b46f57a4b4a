// A whole file in memory. Read rather than mapped: a file that shrinks under a mapping would kill the process.

import Foundation

/// The bytes of one file.
final class FileBytes {
  let path: String
  private let base: UnsafeMutableRawPointer
  let count: Int

  /// Reads the file at `path`, which must be a regular file of at most `limit` bytes.
  init(path: String, limit: Int) throws(MediaError) {
    self.path = path
    let size = try fileSize(path)
    guard size <= limit else {
      throw MediaError(.tooLarge, path: path, "\(size) bytes is more than the limit of \(limit) for an image file")
    }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw unreadable(path) }
    defer { close(descriptor) }
    base = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
    var filled = 0
    while filled < size {
      let n = read(descriptor, base + filled, size - filled)
      if n < 0 && errno == EINTR { continue }
      if n <= 0 { break }
      filled += n
    }
    count = filled
    if filled < size { throw MediaError(.unreadable, path: path, "only \(filled) of \(size) bytes could be read") }
  }

  deinit { base.deallocate() }

  func withBytes<R, E: Error>(_ body: (UnsafeRawBufferPointer) throws(E) -> R) throws(E) -> R {
    try body(UnsafeRawBufferPointer(start: base, count: count))
  }
}

private func unreadable(_ path: String) -> MediaError {
  MediaError(.unreadable, path: path, "cannot be opened: \(String(cString: strerror(errno)))")
}

/// Size of a regular, non-empty file.
func fileSize(_ path: String) throws(MediaError) -> Int {
  var status = stat()
  guard stat(path, &status) == 0 else { throw unreadable(path) }
  guard status.st_mode & S_IFMT == S_IFREG else { throw MediaError(.unreadable, path: path, "is not a regular file") }
  guard status.st_size > 0 else { throw MediaError(.damaged, path: path, "is empty") }
  return Int(status.st_size)
}

/// The first bytes of a file, for telling formats apart by content.
func fileHead(_ path: String, count: Int = 64) throws(MediaError) -> [UInt8] {
  _ = try fileSize(path)
  let descriptor = open(path, O_RDONLY | O_CLOEXEC)
  guard descriptor >= 0 else { throw unreadable(path) }
  defer { close(descriptor) }
  var head = [UInt8](repeating: 0, count: count)
  let n = read(descriptor, &head, count)
  guard n > 0 else { throw unreadable(path) }
  return Array(head.prefix(n))
}

/// Reading integers from untrusted bytes: every access is bounds-checked and gives nil outside.
struct ByteReader {
  let bytes: UnsafeRawBufferPointer

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  func slice(_ offset: Int, _ count: Int) -> UnsafeRawBufferPointer? {
    guard offset >= 0, count >= 0, offset <= bytes.count, count <= bytes.count - offset else { return nil }
    return UnsafeRawBufferPointer(rebasing: bytes[offset..<(offset + count)])
  }

  func integer(_ offset: Int, bytes count: Int, bigEndian: Bool) -> Int? {
    guard let part = slice(offset, count) else { return nil }
    return bigEndian ? part.reduce(0) { $0 << 8 | Int($1) } : part.reversed().reduce(0) { $0 << 8 | Int($1) }
  }

  func ascii(_ offset: Int, _ text: StaticString) -> Bool {
    guard let part = slice(offset, text.utf8CodeUnitCount) else { return false }
    return memcmp(part.baseAddress!, text.utf8Start, part.count) == 0
  }
}
