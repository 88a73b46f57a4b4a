// Whether a container is all there: its outermost boxes say how long they are. libav plays what it finds of a file that
// breaks off, and a missing sound track or half a video would pass for the whole.

import Foundation

/// What is missing at the end of a container, if its outermost structure says so; nil for formats that cannot tell.
func missingEnd(of path: String, format: String) throws(MediaError) -> String? {
  let size = try fileSize(path)
  guard let file = fopen(path, "rb") else { return nil }
  defer { fclose(file) }
  func bytes(at offset: Int, _ count: Int) -> [UInt8]? {
    var bytes = [UInt8](repeating: 0, count: count)
    guard fseek(file, offset, SEEK_SET) == 0, fread(&bytes, 1, count, file) == count else { return nil }
    return bytes
  }
  func bigEndian(_ bytes: some Sequence<UInt8>) -> Int { bytes.reduce(0) { $0 << 8 | Int($1) } }
  func missing(_ end: Int) -> String? { end > size ? "\(size) of \(end) bytes are there" : nil }

  if format.hasPrefix("mov,") {
    var at = 0
    while let head = bytes(at: at, 16) ?? bytes(at: at, 8).map({ $0 + [UInt8](repeating: 0, count: 8) }) {
      var length = bigEndian(head[0..<4])
      if length == 1, head[8] < 0x40 { length = bigEndian(head[8..<16]) }
      if length < 8 { return nil }  // 0: to the end of the file
      if let reason = missing(at + length) { return reason }
      at += length
    }
    return at == size ? nil : "its last box is cut off"
  }
  if format == "avi", let head = bytes(at: 0, 8) {
    return missing(8 + bigEndian(head[4..<8].reversed()))
  }
  if format.hasPrefix("matroska,"), let head = bytes(at: 0, min(size, 128)) {
    // Two elements, header and segment, each an identifier of four bytes and a length of one to eight.
    var at = 0
    for _ in 0..<2 {
      guard at + 5 <= head.count else { return nil }
      let width = head[at + 4].leadingZeroBitCount + 1
      guard width <= 8, at + 4 + width <= head.count else { return nil }
      let length = bigEndian(head[(at + 4)..<(at + 4 + width)]) & (1 << (7 * width) - 1)
      if length == 1 << (7 * width) - 1 { return nil }  // a stream, written without knowing its length
      at += 4 + width + length
    }
    return missing(at)
  }
  return nil
}
