// Writing of small pictures for reports: RGB, 8 bits, compressed by libdeflate. The same picture gives the same bytes.

import CDeflate

extension ImagePixels {
  /// The picture as a PNG file.
  public func png() -> [UInt8] {
    var rows: [UInt8] = []
    rows.reserveCapacity(height * (1 + 3 * width))
    for y in 0..<height {
      rows.append(1)  // each byte less the one of the pixel before it
      let row = pixels[y * 3 * width..<(y + 1) * 3 * width]
      for x in row.indices { rows.append(row[x] &- (x - row.startIndex < 3 ? 0 : row[x - 3])) }
    }
    var file: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]
    Self.append("IHDR", Self.bytes(width) + Self.bytes(height) + [8, 2, 0, 0, 0], to: &file)
    Self.append("IDAT", Self.compressed(rows), to: &file)
    Self.append("IEND", [], to: &file)
    return file
  }

  private static func bytes(_ value: Int) -> [UInt8] {
    (0..<4).map { UInt8(truncatingIfNeeded: value >> (24 - 8 * $0)) }
  }

  private static func append(_ kind: String, _ content: [UInt8], to file: inout [UInt8]) {
    let checked = Array(kind.utf8) + content
    file += bytes(content.count) + checked + bytes(Int(libdeflate_crc32(0, checked, checked.count)))
  }

  private static func compressed(_ bytes: [UInt8]) -> [UInt8] {
    guard let compressor = libdeflate_alloc_compressor(6) else {
      preconditionFailure("ImagePixels: no memory to compress \(bytes.count) bytes")
    }
    defer { libdeflate_free_compressor(compressor) }
    let room = libdeflate_zlib_compress_bound(compressor, bytes.count)
    return [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
      count = libdeflate_zlib_compress(compressor, bytes, bytes.count, buffer.baseAddress, room)
      precondition(count > 0, "ImagePixels: \(bytes.count) bytes do not fit their own bound")
    }
  }
}
