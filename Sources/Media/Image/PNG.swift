// PNG with libdeflate: all of the compressed data at once, then the row filters, then conversion to RGB bytes. Every
// colour type, depth and interlacing of the specification; alpha is dropped or laid on white, 16 bits keep their high byte, as Pillow does.

import CDeflate
import CMedia
import Foundation

/// What a PNG's first chunk says.
struct PNGHeader {
  let width, height, depth, colour: Int
  let isInterlaced: Bool

  var channels: Int { [0: 1, 2: 3, 3: 1, 4: 2, 6: 4][colour]! }
  var bitsPerPixel: Int { channels * depth }
  func rowBytes(_ width: Int) -> Int { (width * bitsPerPixel + 7) / 8 }

  /// Origin, steps and size of the passes that the picture is stored in.
  var passes: [(x: Int, y: Int, dx: Int, dy: Int, width: Int, height: Int)] {
    let all: [(Int, Int, Int, Int)] =
      isInterlaced
      ? [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
      : [(0, 0, 1, 1)]
    return all.map { x, y, dx, dy in
      (x, y, dx, dy, max(0, (width - x + dx - 1) / dx), max(0, (height - y + dy - 1) / dy))
    }.filter { $0.width > 0 && $0.height > 0 }
  }
}

/// A PNG's chunks: header, palette, where its picture data lies, orientation.
struct PNGFile {
  private(set) var header: PNGHeader
  private(set) var palette: [UInt8] = []
  private(set) var transparency: [UInt8] = []
  /// The grey, or the three colours, that stand for nothing.
  private(set) var transparentColour: [Int] = []
  private(set) var parts: [Range<Int>] = []
  private(set) var orientation = 1

  /// Reads the chunks; the checksum of the picture data only when `verified`.
  init(_ bytes: UnsafeRawBufferPointer, path: String, verified: Bool) throws(MediaError) {
    func damaged(_ reason: String) -> MediaError { MediaError(.damaged, path: path, "PNG: \(reason)") }
    let reader = ByteReader(bytes)
    var at = 8
    var found: PNGHeader?
    while let length = reader.integer(at, bytes: 4, bigEndian: true) {
      guard let data = reader.slice(at + 8, length),
        let sum = reader.integer(at + 8 + length, bytes: 4, bigEndian: true)
      else {
        if !parts.isEmpty, !reader.ascii(at + 4, "IDAT") { break }  // only what follows the picture is missing
        throw damaged("it breaks off after \(bytes.count) bytes")
      }
      let type = reader.integer(at + 4, bytes: 4, bigEndian: true)!
      let isChecked = type & 0x2000_0000 == 0 && (verified || !reader.ascii(at + 4, "IDAT"))
      if isChecked, libdeflate_crc32(0, bytes.baseAddress! + at + 4, length + 4) != UInt32(sum) {
        throw damaged("the checksum of the chunk at byte \(at) is wrong")
      }
      if found == nil {
        guard reader.ascii(at + 4, "IHDR"), length == 13 else { throw damaged("it does not begin with its header") }
        found = try PNGFile.header(ByteReader(data), damaged)
      } else if reader.ascii(at + 4, "PLTE") {
        guard length % 3 == 0 && length <= 768 else { throw damaged("its palette has \(length) bytes") }
        palette = Array(data)
      } else if reader.ascii(at + 4, "tRNS"), found?.colour == 3 {
        guard length <= 256 else { throw damaged("its palette's transparency has \(length) bytes") }
        transparency = Array(data)
      } else if reader.ascii(at + 4, "tRNS"), let count = [0: 1, 2: 3][found!.colour], length >= 2 * count {
        transparentColour = (0..<count).map {
          Int(data[data.startIndex + 2 * $0]) << 8 | Int(data[data.startIndex + 2 * $0 + 1])
        }
      } else if reader.ascii(at + 4, "IDAT") {
        parts.append((at + 8)..<(at + 8 + length))
      } else if reader.ascii(at + 4, "eXIf") {
        orientation = exifOrientation(data)
      } else if reader.ascii(at + 4, "IEND") {
        break
      }
      at += 12 + length
    }
    guard let found else { throw damaged("it breaks off after \(bytes.count) bytes") }
    header = found
    if found.colour == 3 && palette.isEmpty { throw damaged("its palette is missing") }
  }

  private static func header(
    _ reader: ByteReader, _ damaged: (String) -> MediaError
  ) throws(MediaError) -> PNGHeader {
    func byte(_ i: Int) -> Int { Int(reader.bytes[i]) }
    let width = reader.integer(0, bytes: 4, bigEndian: true)!, height = reader.integer(4, bytes: 4, bigEndian: true)!
    let (depth, colour) = (byte(8), byte(9))
    let depths = [0: [1, 2, 4, 8, 16], 2: [8, 16], 3: [1, 2, 4, 8], 4: [8, 16], 6: [8, 16]]
    guard depths[colour]?.contains(depth) == true else {
      throw damaged("colour type \(colour) with \(depth) bits does not exist")
    }
    guard byte(10) == 0, byte(11) == 0, byte(12) <= 1 else {
      throw damaged("its compression, filter or interlace method does not exist")
    }
    return PNGHeader(width: width, height: height, depth: depth, colour: colour, isInterlaced: byte(12) == 1)
  }
}

/// Decodes a PNG; alpha is dropped, or laid on white.
func decodePNG(
  _ file: FileBytes, _ limits: MediaLimits, onWhite: Bool
) throws(MediaError) -> (ImagePixels, orientation: Int) {
  let path = file.path
  return try file.withBytes { bytes throws(MediaError) in
    let png = try PNGFile(bytes, path: path, verified: true)
    let header = png.header
    try checkPixels(header.width, header.height, limits, path)
    let passes = header.passes
    let expected = passes.reduce(0) { $0 + $1.height * (header.rowBytes($1.width) + 1) }
    // Deflate shrinks at most 1032 times: a small file cannot hold a large picture, so it gets no large buffer.
    let compressed = png.parts.reduce(0) { $0 + $1.count }
    guard expected / 1040 <= compressed else {
      throw MediaError(
        .damaged, path: path,
        "PNG: \(compressed) bytes of data cannot hold \(header.width)x\(header.height) pixels")
    }
    let rows = UnsafeMutablePointer<UInt8>.allocate(capacity: expected)
    defer { rows.deallocate() }
    try inflate(bytes, png.parts, compressed, into: rows, expected, path)

    var at = rows
    let distance = max(1, header.bitsPerPixel / 8)
    for pass in passes {
      let rowBytes = header.rowBytes(pass.width)
      guard dk_png_unfilter(at, rowBytes, pass.height, distance) == 0 else {
        throw MediaError(.damaged, path: path, "PNG: a row has an unknown filter")
      }
      at += pass.height * (rowBytes + 1)
    }
    let image = ImagePixels(width: header.width, height: header.height) { target in
      var at = UnsafePointer(rows)
      let toRGB = PNGRowConverter(png, onWhite: onWhite)
      for pass in passes {
        let rowBytes = header.rowBytes(pass.width)
        for row in 0..<pass.height {
          let start = ((pass.y + row * pass.dy) * header.width + pass.x) * 3
          toRGB.convert(at + 1, pass.width, to: target.baseAddress! + start, step: pass.dx * 3)
          at += rowBytes + 1
        }
      }
    }
    return (image, png.orientation)
  }
}

private func inflate(
  _ bytes: UnsafeRawBufferPointer, _ parts: [Range<Int>], _ compressed: Int,
  into target: UnsafeMutablePointer<UInt8>, _ expected: Int, _ path: String
) throws(MediaError) {
  guard !parts.isEmpty else { throw MediaError(.damaged, path: path, "PNG: it has no picture data") }
  guard let inflater = libdeflate_alloc_decompressor() else {
    throw MediaError(.unsupported, path: path, "out of memory")
  }
  defer { libdeflate_free_decompressor(inflater) }
  var source = bytes.baseAddress! + parts[0].lowerBound
  var joined: UnsafeMutableRawPointer?
  defer { joined?.deallocate() }
  if parts.count > 1 {
    let whole = UnsafeMutableRawPointer.allocate(byteCount: compressed, alignment: 16)
    joined = whole
    var at = whole
    for part in parts {
      at.copyMemory(from: bytes.baseAddress! + part.lowerBound, byteCount: part.count)
      at += part.count
    }
    source = UnsafeRawPointer(whole)
  }
  var result = libdeflate_zlib_decompress(inflater, source, compressed, target, expected, nil)
  if result == LIBDEFLATE_INSUFFICIENT_SPACE {
    // Some writers add a few bytes behind the last row, which other readers ignore.
    let capacity = expected + 65_536
    let larger = UnsafeMutablePointer<UInt8>.allocate(capacity: capacity)
    defer { larger.deallocate() }
    var filled = 0
    result = libdeflate_zlib_decompress(inflater, source, compressed, larger, capacity, &filled)
    target.update(from: larger, count: min(filled, expected))
  }
  switch result {
  case LIBDEFLATE_SUCCESS: return
  case LIBDEFLATE_SHORT_OUTPUT: throw MediaError(.damaged, path: path, "PNG: its picture data ends too early")
  case LIBDEFLATE_INSUFFICIENT_SPACE:
    throw MediaError(.damaged, path: path, "PNG: it has more data than its size says")
  default: throw MediaError(.damaged, path: path, "PNG: its compressed data is damaged or breaks off")
  }
}

/// Turns unfiltered rows of one colour type into RGB bytes.
private struct PNGRowConverter {
  let header: PNGHeader
  private let blends: Bool
  private var table: [UInt8]  // RGB of every value, for palettes and for grey of up to 8 bits
  private var clear: [UInt8]?  // the colour that becomes white

  init(_ png: PNGFile, onWhite: Bool) {
    header = png.header
    blends = onWhite && [4, 6].contains(header.colour)
    // Of 16 bits Pillow compares the high byte that it keeps.
    clear =
      onWhite && header.colour == 2 && png.transparentColour.allSatisfy { $0 < 256 } && !png.transparentColour.isEmpty
      ? png.transparentColour.map { UInt8($0) } : nil
    if header.colour == 3 {
      table = png.palette + [UInt8](repeating: 0, count: 768 - png.palette.count)
      guard onWhite else { return }
      for (index, alpha) in png.transparency.enumerated() {
        for channel in 3 * index..<3 * index + 3 { table[channel] = laidOnWhite(table[channel], alpha: alpha) }
      }
    } else if header.colour == 0 && header.depth <= 8 {
      let top = (1 << header.depth) - 1
      table = (0..<256).flatMap { value in [UInt8](repeating: UInt8(min(value, top) * 255 / top), count: 3) }
      guard onWhite, let grey = png.transparentColour.first else { return }
      // Pillow holds it against what two and four bits become, not against what the file has.
      let shown = header.depth == 1 ? min(grey, 1) * 255 : grey
      table = table.map { Int($0) == shown ? 255 : $0 }
    } else {
      table = []
    }
  }

  func convert(_ row: UnsafePointer<UInt8>, _ width: Int, to target: UnsafeMutablePointer<UInt8>, step: Int) {
    if blends { return blend(row, width, to: target, step: step) }
    copy(row, width, to: target, step: step)
    guard let clear else { return }
    for x in 0..<width {
      let out = target + x * step
      if out[0] == clear[0] && out[1] == clear[1] && out[2] == clear[2] { (out[0], out[1], out[2]) = (255, 255, 255) }
    }
  }

  private func copy(_ row: UnsafePointer<UInt8>, _ width: Int, to target: UnsafeMutablePointer<UInt8>, step: Int) {
    var out = target
    switch (header.colour, header.depth) {
    case (2, 8) where step == 3:
      target.update(from: row, count: width * 3)
    case (2, _), (6, _):
      let bytes = header.depth / 8
      let pixel = header.channels * bytes
      var p = row
      for _ in 0..<width {
        out[0] = p[0]
        out[1] = p[bytes]
        out[2] = p[2 * bytes]
        out += step
        p += pixel
      }
    case (4, _), (0, 16):
      let pixel = header.bitsPerPixel / 8
      var p = row
      for _ in 0..<width {
        out[0] = p[0]
        out[1] = p[0]
        out[2] = p[0]
        out += step
        p += pixel
      }
    default:
      let mask = (1 << header.depth) - 1
      let perByte = 8 / header.depth
      table.withUnsafeBufferPointer { table in
        for x in 0..<width {
          let shift = 8 - header.depth * (x % perByte + 1)
          let value = (Int(row[x / perByte]) >> shift & mask) * 3
          out[0] = table[value]
          out[1] = table[value + 1]
          out[2] = table[value + 2]
          out += step
        }
      }
    }
  }

  /// Colour types with an alpha channel, the last of a pixel.
  private func blend(_ row: UnsafePointer<UInt8>, _ width: Int, to target: UnsafeMutablePointer<UInt8>, step: Int) {
    let bytes = header.depth / 8
    let (pixel, next) = (header.channels * bytes, header.colour == 6 ? bytes : 0)
    var (p, out) = (row, target)
    for _ in 0..<width {
      let alpha = p[pixel - bytes]
      for channel in 0..<3 { out[channel] = laidOnWhite(p[channel * next], alpha: alpha) }
      out += step
      p += pixel
    }
  }
}
