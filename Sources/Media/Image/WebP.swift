// WebP, lossy or lossless, through libwebp. Animations are refused: which of their pictures would be the sample?

import CWebP

/// Size and orientation of a WebP, without decoding it.
func webpHeader(_ file: FileBytes) throws(MediaError) -> (width: Int, height: Int, orientation: Int) {
  try file.withBytes { bytes throws(MediaError) in
    var features = WebPBitstreamFeatures()
    let data = bytes.assumingMemoryBound(to: UInt8.self).baseAddress
    let status = WebPGetFeatures(data, bytes.count, &features)
    guard status == VP8_STATUS_OK else { throw webpError(status, file.path) }
    if features.has_animation != 0 {
      throw MediaError(.unsupported, path: file.path, "WebP: it is an animation; export its frames as single pictures")
    }
    return (Int(features.width), Int(features.height), webpOrientation(bytes))
  }
}

/// Decodes a WebP; alpha is dropped, or laid on white.
func decodeWebP(
  _ file: FileBytes, _ limits: MediaLimits, onWhite: Bool
) throws(MediaError) -> (ImagePixels, orientation: Int) {
  let (width, height, orientation) = try webpHeader(file)
  try checkPixels(width, height, limits, file.path)
  var status = VP8_STATUS_OK
  if onWhite {
    var pixels = [UInt8](repeating: 0, count: width * height * 4)
    pixels.withUnsafeMutableBufferPointer { pixels in
      file.withBytes { status = decode($0, MODE_RGBA, into: pixels, stride: width * 4) }
    }
    guard status == VP8_STATUS_OK else { throw webpError(status, file.path) }
    let image = ImagePixels(width: width, height: height) { target in
      for index in 0..<width * height {
        for channel in 0..<3 {
          target[3 * index + channel] = laidOnWhite(pixels[4 * index + channel], alpha: pixels[4 * index + 3])
        }
      }
    }
    return (image, orientation)
  }
  let image = ImagePixels(width: width, height: height) { target in
    file.withBytes { status = decode($0, MODE_RGB, into: target, stride: width * 3) }
    if status != VP8_STATUS_OK { target.initialize(repeating: 0) }
  }
  guard status == VP8_STATUS_OK else { throw webpError(status, file.path) }
  return (image, orientation)
}

private func decode(
  _ bytes: UnsafeRawBufferPointer, _ colours: WEBP_CSP_MODE, into target: UnsafeMutableBufferPointer<UInt8>, stride: Int
) -> VP8StatusCode {
  var config = WebPDecoderConfig()
  guard WebPInitDecoderConfig(&config) != 0 else { return VP8_STATUS_INVALID_PARAM }
  config.output.colorspace = colours
  config.output.is_external_memory = 1
  config.output.u.RGBA.rgba = target.baseAddress
  config.output.u.RGBA.stride = Int32(stride)
  config.output.u.RGBA.size = target.count
  return WebPDecode(bytes.assumingMemoryBound(to: UInt8.self).baseAddress, bytes.count, &config)
}

private func webpError(_ status: VP8StatusCode, _ path: String) -> MediaError {
  switch status {
  case VP8_STATUS_NOT_ENOUGH_DATA, VP8_STATUS_SUSPENDED: MediaError(.damaged, path: path, "WebP: it breaks off")
  case VP8_STATUS_UNSUPPORTED_FEATURE:
    MediaError(.unsupported, path: path, "WebP: it uses a feature that libwebp does not know")
  case VP8_STATUS_OUT_OF_MEMORY: MediaError(.tooLarge, path: path, "WebP: not enough memory to decode it")
  default: MediaError(.damaged, path: path, "WebP: its data is damaged")
  }
}

private func webpOrientation(_ bytes: UnsafeRawBufferPointer) -> Int {
  let reader = ByteReader(bytes)
  var at = 12
  while let length = reader.integer(at + 4, bytes: 4, bigEndian: false) {
    if reader.ascii(at, "EXIF"), let data = reader.slice(at + 8, length) {
      let skip = ByteReader(data).ascii(0, "Exif\0\0") ? 6 : 0
      return exifOrientation(UnsafeRawBufferPointer(rebasing: data[skip...]))
    }
    at += 8 + length + length % 2
  }
  return 1
}
