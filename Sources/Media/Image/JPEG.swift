// JPEG through libjpeg-turbo: the accurate inverse DCT and smooth chroma, which is what Pillow uses, hence its bytes.

import CTurboJPEG
import Foundation

/// Size and orientation of a JPEG, without decoding it.
func jpegHeader(_ file: FileBytes) throws(MediaError) -> (width: Int, height: Int, orientation: Int) {
  let decoder = try JPEGDecoder(file)
  return (decoder.width, decoder.height, file.withBytes { jpegOrientation($0) })
}

/// Decodes a JPEG of any sampling, grey, RGB or CMYK.
func decodeJPEG(_ file: FileBytes, _ limits: MediaLimits) throws(MediaError) -> (ImagePixels, orientation: Int) {
  let decoder = try JPEGDecoder(file)
  try checkPixels(decoder.width, decoder.height, limits, file.path)
  let image = try decoder.decode(file)
  return (image, file.withBytes { jpegOrientation($0) })
}

/// Throws unless a picture of this size is within the limits.
func checkPixels(_ width: Int, _ height: Int, _ limits: MediaLimits, _ path: String) throws(MediaError) {
  guard width > 0 && height > 0 else { throw MediaError(.damaged, path: path, "its size is \(width)x\(height)") }
  let (pixels, overflow) = width.multipliedReportingOverflow(by: height)
  guard !overflow && pixels <= limits.pixels else {
    throw MediaError(
      .tooLarge, path: path, "\(width)x\(height) pixels is more than the limit of \(limits.pixels) pixels")
  }
}

/// A libjpeg-turbo decompressor that has read one file's header.
private final class JPEGDecoder {
  private let handle: tjhandle
  let width: Int
  let height: Int
  private let isCMYK: Bool

  init(_ file: FileBytes) throws(MediaError) {
    guard let handle = tjInitDecompress() else {
      throw MediaError(.unsupported, path: file.path, "libjpeg-turbo could not be started")
    }
    self.handle = handle
    var (w, h, sampling, space): (Int32, Int32, Int32, Int32) = (0, 0, 0, 0)
    let status = file.withBytes { bytes in
      tjDecompressHeader3(
        handle, bytes.assumingMemoryBound(to: UInt8.self).baseAddress, UInt(bytes.count), &w, &h, &sampling, &space)
    }
    (width, height) = (Int(w), Int(h))
    isCMYK = space == Int32(TJCS_CMYK.rawValue) || space == Int32(TJCS_YCCK.rawValue)
    if status != 0 && (tjGetErrorCode(handle) != Int32(TJERR_WARNING.rawValue) || w <= 0 || h <= 0) {
      throw MediaError(.damaged, path: file.path, "JPEG: \(String(cString: tjGetErrorStr2(handle)))")
    }
  }

  deinit { tjDestroy(handle) }

  func decode(_ file: FileBytes) throws(MediaError) -> ImagePixels {
    let values = isCMYK ? 4 : 3
    let format = isCMYK ? TJPF_CMYK : TJPF_RGB
    var status: Int32 = 0
    let decoded = [UInt8](unsafeUninitializedCapacity: width * height * values) { target, count in
      status = file.withBytes { bytes in
        // 500 scans at most: a progressive file can otherwise ask for hours of work.
        tjDecompress2(
          handle, bytes.assumingMemoryBound(to: UInt8.self).baseAddress, UInt(bytes.count), target.baseAddress,
          Int32(width), 0, Int32(height), Int32(format.rawValue), TJFLAG_ACCURATEDCT | TJFLAG_LIMITSCANS)
      }
      count = width * height * values
      if status != 0 && tjGetErrorCode(handle) != Int32(TJERR_WARNING.rawValue) {
        target.initialize(repeating: 0)  // nothing uninitialised leaves this function, not even beside an error
      }
    }
    if status != 0 {
      let reason = String(cString: tjGetErrorStr2(handle))
      // Bytes between markers are harmless and common; every other warning means that pixels are missing or wrong.
      guard tjGetErrorCode(handle) == Int32(TJERR_WARNING.rawValue), reason.contains("extraneous bytes") else {
        throw MediaError(.damaged, path: file.path, "JPEG: \(reason)")
      }
    }
    return ImagePixels(width: width, height: height, pixels: isCMYK ? rgb(fromInvertedCMYK: decoded) : decoded)
  }
}

/// Adobe stores CMYK inverted, and so does nearly every CMYK JPEG: 255 means no ink.
private func rgb(fromInvertedCMYK cmyk: [UInt8]) -> [UInt8] {
  var rgb = [UInt8](repeating: 0, count: cmyk.count / 4 * 3)
  for i in 0..<(cmyk.count / 4) {
    let light = Int(cmyk[4 * i + 3])
    for c in 0..<3 {
      // 255 - K - C·(255 - K)/255, the product rounded as Pillow does.
      let product = (255 - Int(cmyk[4 * i + c])) * light + 128
      rgb[3 * i + c] = UInt8(max(0, light - ((product >> 8) + product) >> 8))
    }
  }
  return rgb
}

/// The EXIF orientation in a JPEG's APP1 segment, 1 when there is none.
private func jpegOrientation(_ bytes: UnsafeRawBufferPointer) -> Int {
  let reader = ByteReader(bytes)
  var at = 2
  while let marker = reader.integer(at, bytes: 2, bigEndian: true), marker >> 8 == 0xFF {
    if marker == 0xFFFF {
      at += 1  // fill byte
      continue
    }
    if marker == 0xFFDA || marker == 0xFFD9 { break }  // the picture itself
    guard let length = reader.integer(at + 2, bytes: 2, bigEndian: true), length >= 2 else { break }
    if marker == 0xFFE1, reader.ascii(at + 4, "Exif\0\0"), let tiff = reader.slice(at + 10, length - 8) {
      return exifOrientation(tiff)
    }
    at += 2 + length
  }
  return 1
}
