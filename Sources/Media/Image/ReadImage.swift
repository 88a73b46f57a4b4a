// Any picture file: the decoder that its first bytes ask for.

import CLibAV
import Foundation

/// Reads a picture of any known format.
func readImage(
  path: String, upright: Bool, onWhite: Bool = false, limits: MediaLimits
) throws(MediaError) -> ImagePixels {
  if let file = try PictureFile(path: path, head: fileHead(path), limits: limits) {
    return try file.decode(upright: upright, onWhite: onWhite)
  }
  return try decodeAnyImage(path: path, limits: limits)
}

/// A picture in a format that has a decoder of its own here, in memory.
struct PictureFile {
  private let file: FileBytes
  private let format: ImageFormat
  private let limits: MediaLimits

  /// Reads a JPEG, PNG or WebP into memory; nil for everything else.
  init?(path: String, head: [UInt8], limits: MediaLimits) throws(MediaError) {
    guard let format = head.withUnsafeBytes({ ImageFormat($0) }), format != .bmp else { return nil }
    self.format = format
    self.limits = limits
    file = try FileBytes(path: path, limit: limits.imageBytes)
  }

  func decode(upright: Bool, onWhite: Bool = false) throws(MediaError) -> ImagePixels {
    let decoded: (image: ImagePixels, orientation: Int) =
      switch format {
      case .jpeg: try decodeJPEG(file, limits)
      case .webp: try decodeWebP(file, limits, onWhite: onWhite)
      case .png, .bmp: try decodePNG(file, limits, onWhite: onWhite)
      }
    return upright ? decoded.image.oriented(decoded.orientation) : decoded.image
  }

  func facts() throws(MediaError) -> MediaFacts {
    let size: (width: Int, height: Int, orientation: Int)
    switch format {
    case .jpeg: size = try jpegHeader(file)
    case .webp: size = try webpHeader(file)
    case .png, .bmp:
      size = try file.withBytes { bytes throws(MediaError) in
        let png = try PNGFile(bytes, path: file.path, verified: false)
        return (png.header.width, png.header.height, png.orientation)
      }
    }
    try checkPixels(size.width, size.height, limits, file.path)
    var facts = MediaFacts(kind: .image, format: format.rawValue, bytes: file.count)
    (facts.width, facts.height) = size.orientation >= 5 ? (size.height, size.width) : (size.width, size.height)
    return facts
  }
}

/// One channel's value under an alpha value, laid on white, rounded as Pillow's `alpha_composite` does.
func laidOnWhite(_ value: UInt8, alpha: UInt8) -> UInt8 {
  let sum = (Int(value) * Int(alpha) + 255 * (255 - Int(alpha)) + 128) * 128
  return UInt8(((sum >> 8) + sum) >> 15)
}

/// The one picture of a container of libav: BMP, GIF, TIFF and whatever else it knows.
private func decodeAnyImage(path: String, limits: MediaLimits) throws(MediaError) -> ImagePixels {
  let head = try fileHead(path)
  if head.withUnsafeBytes({ ImageFormat($0) }) == .bmp { try checkBMP(path, head) }
  let container = try Container(path: path, limits: limits)
  guard let index = container.video else {
    throw MediaError(.absent, path: path, "it is no picture")
  }
  guard container.isStillImage else {
    throw MediaError(.absent, path: path, "it is a \(container.formatName) video, not a picture")
  }
  try container.rewind(to: index)
  let decoder = try Decoder(container.stream(index), limits: limits, path: path)
  let converter = FrameConverter(path: path, limits: limits)
  while true {
    let packet = try container.next(index)
    guard try decoder.send(packet) else {
      throw MediaError(.damaged, path: path, "its picture cannot be decoded: \(avReason(unmask_averror_invaliddata()))")
    }
    if try decoder.receive() {
      let frame = decoder.frame
      if frame.pointee.flags & AV_FRAME_FLAG_CORRUPT != 0 || frame.pointee.decode_error_flags != 0 {
        throw MediaError(.damaged, path: path, "its picture is damaged")
      }
      let image = try converter.convert(frame)
      if packet != nil, try container.next(index) != nil {
        throw MediaError(.unsupported, path: path, "it is an animation; export its frames as single pictures")
      }
      return image
    }
    if packet == nil { throw MediaError(.damaged, path: path, "it holds no picture that can be decoded") }
  }
}

/// libav fills up a BMP that breaks off; here that is an error.
private func checkBMP(_ path: String, _ head: [UInt8]) throws(MediaError) {
  let size = try fileSize(path)
  let needed = head.withUnsafeBytes { bytes -> Int? in
    let reader = ByteReader(bytes)
    func field(_ at: Int, _ count: Int) -> Int? { reader.integer(at, bytes: count, bigEndian: false) }
    // Only uncompressed pixels have a length that follows from the header; the header of 1985 has no such field.
    guard let pixels = field(10, 4), let header = field(14, 4), header >= 40, let width = field(18, 4),
      let height = field(22, 4), let bits = field(28, 2), let compression = field(30, 4), [0, 3].contains(compression)
    else { return nil }
    let rows = Int(Int32(truncatingIfNeeded: height).magnitude)
    let (total, overflow) = ((width * bits + 31) / 32 * 4).multipliedReportingOverflow(by: rows)
    return overflow ? .max : pixels + total
  }
  if let needed, needed > size {
    throw MediaError(.damaged, path: path, "BMP: it breaks off: \(size) of \(needed) bytes are there")
  }
}
