// Decoded frames of any pixel format to RGB bytes, with the matrix and range that the stream says.

import CLibAV
import CMedia
import Foundation

/// Turns frames of one stream into `ImagePixels`. Keeps scaling contexts and scratch memory between frames.
final class FrameConverter {
  private let path: String
  private let limits: MediaLimits
  private var scaler: OpaquePointer?
  private var scratch: [UInt16] = []

  init(path: String, limits: MediaLimits) {
    self.path = path
    self.limits = limits
  }

  deinit { sws_freeContext(scaler) }

  /// The frame as RGB at its own size.
  func convert(_ frame: UnsafeMutablePointer<AVFrame>) throws(MediaError) -> ImagePixels {
    let (width, height) = (Int(frame.pointee.width), Int(frame.pointee.height))
    guard width > 0, height > 0, width <= limits.framePixels / height else {
      throw MediaError(.tooLarge, path: path, "a frame of \(width)x\(height) pixels is beyond the limit")
    }
    let format = AVPixelFormat(rawValue: frame.pointee.format)
    if let (shiftX, shiftY) = planar8[format.rawValue] {
      return direct(frame, width, height, shiftX, shiftY)
    }
    return try scaled(frame, width, height, format)
  }

  private func direct(
    _ frame: UnsafeMutablePointer<AVFrame>, _ width: Int, _ height: Int, _ shiftX: Int32, _ shiftY: Int32
  ) -> ImagePixels {
    let colour = ColourSpace(frame)
    if scratch.count < 2 * (width + 16) { scratch = [UInt16](repeating: 0, count: 2 * (width + 16)) }
    let (y, cb, cr) = (frame.pointee.data.0!, frame.pointee.data.1!, frame.pointee.data.2!)
    let (yStride, chromaStride) = (Int(frame.pointee.linesize.0), Int(frame.pointee.linesize.1))
    return ImagePixels(width: width, height: height) { target in
      dk_ycbcr_to_rgb(
        y, yStride, cb, cr, chromaStride, width, height, shiftX, shiftY, colour.coefficients, target.baseAddress!,
        &scratch)
    }
  }

  private func scaled(
    _ frame: UnsafeMutablePointer<AVFrame>, _ width: Int, _ height: Int, _ format: AVPixelFormat
  ) throws(MediaError) -> ImagePixels {
    // Bit-exact and accurate rounding: the fast paths of libswscale differ between processors.
    let flags = SWS_BICUBIC | SWS_ACCURATE_RND | SWS_BITEXACT | SWS_FULL_CHR_H_INT | SWS_FULL_CHR_H_INP
    scaler = sws_getCachedContext(
      scaler, Int32(width), Int32(height), format, Int32(width), Int32(height), AV_PIX_FMT_RGB24, flags, nil, nil, nil)
    guard let scaler else {
      let name = av_get_pix_fmt_name(format).map { String(cString: $0) } ?? "number \(format.rawValue)"
      throw MediaError(.unsupported, path: path, "pixel format \(name) cannot be turned into RGB")
    }
    let colour = ColourSpace(frame)
    let source = sws_getCoefficients(colour.swsColourSpace)
    sws_setColorspaceDetails(
      scaler, source, colour.isFullRange ? 1 : 0, sws_getCoefficients(SWS_CS_DEFAULT), 1, 0, 1 << 16, 1 << 16)
    return ImagePixels(width: width, height: height) { target in
      withUnsafePointer(to: frame.pointee.data) { data in
        data.withMemoryRebound(to: UnsafePointer<UInt8>?.self, capacity: 8) { planes in
          withUnsafePointer(to: frame.pointee.linesize) { sizes in
            sizes.withMemoryRebound(to: Int32.self, capacity: 8) { strides in
              var out: UnsafeMutablePointer<UInt8>? = target.baseAddress
              var stride = Int32(width * 3)
              _ = sws_scale(scaler, planes, strides, 0, Int32(height), &out, &stride)
            }
          }
        }
      }
    }
  }
}

/// Planar 8-bit YCbCr formats by how much smaller the chroma planes are, as powers of two.
private let planar8: [Int32: (Int32, Int32)] = [
  AV_PIX_FMT_YUV420P.rawValue: (1, 1), AV_PIX_FMT_YUVJ420P.rawValue: (1, 1), AV_PIX_FMT_YUVA420P.rawValue: (1, 1),
  AV_PIX_FMT_YUV422P.rawValue: (1, 0), AV_PIX_FMT_YUVJ422P.rawValue: (1, 0), AV_PIX_FMT_YUVA422P.rawValue: (1, 0),
  AV_PIX_FMT_YUV444P.rawValue: (0, 0), AV_PIX_FMT_YUVJ444P.rawValue: (0, 0), AV_PIX_FMT_YUVA444P.rawValue: (0, 0),
]

/// The matrix and range of a frame's YCbCr values.
struct ColourSpace {
  let kr: Double, kb: Double
  let isFullRange: Bool
  let swsColourSpace: Int32

  init(_ frame: UnsafeMutablePointer<AVFrame>) {
    let format = frame.pointee.format
    let isJPEG =
      format == AV_PIX_FMT_YUVJ420P.rawValue || format == AV_PIX_FMT_YUVJ422P.rawValue
      || format == AV_PIX_FMT_YUVJ444P.rawValue
    isFullRange = isJPEG || frame.pointee.color_range == AVCOL_RANGE_JPEG
    switch frame.pointee.colorspace {
    case AVCOL_SPC_BT709:
      (kr, kb, swsColourSpace) = (0.2126, 0.0722, SWS_CS_ITU709)
    case AVCOL_SPC_BT470BG, AVCOL_SPC_SMPTE170M:
      (kr, kb, swsColourSpace) = (0.299, 0.114, SWS_CS_ITU601)
    case AVCOL_SPC_FCC:
      (kr, kb, swsColourSpace) = (0.30, 0.11, SWS_CS_FCC)
    case AVCOL_SPC_SMPTE240M:
      (kr, kb, swsColourSpace) = (0.212, 0.087, SWS_CS_SMPTE240M)
    case AVCOL_SPC_BT2020_NCL, AVCOL_SPC_BT2020_CL:
      (kr, kb, swsColourSpace) = (0.2627, 0.0593, SWS_CS_BT2020)
    default:
      // Untagged: players take BT.709 for high definition and BT.601 for what is smaller, and for full range.
      let isHigh = !isFullRange && (frame.pointee.height >= 720 || frame.pointee.width >= 1280)
      (kr, kb, swsColourSpace) = isHigh ? (0.2126, 0.0722, SWS_CS_ITU709) : (0.299, 0.114, SWS_CS_ITU601)
    }
  }

  /// 16.16 fixed point: luma gain, luma offset, red from Cr, green from Cb, green from Cr, blue from Cb.
  var coefficients: [Int32] {
    let kg = 1 - kr - kb
    let (luma, chroma) = isFullRange ? (1.0, 1.0) : (255.0 / 219, 255.0 / 224)
    func fixed(_ x: Double) -> Int32 { Int32((x * 65536).rounded()) }
    return [
      fixed(luma), isFullRange ? 0 : 16, fixed(2 * (1 - kr) * chroma), fixed(-2 * (1 - kb) * kb / kg * chroma),
      fixed(-2 * (1 - kr) * kr / kg * chroma), fixed(2 * (1 - kb) * chroma),
    ]
  }
}
