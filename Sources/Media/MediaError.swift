// Errors of the outside world: a file that is missing, damaged, not what it says, or beyond the limits.

import CLibAV
import CMedia
public import Foundation

/// Why a media file could not be read: the file and one reason.
public struct MediaError: Error, Sendable, Equatable, CustomStringConvertible {
  /// What kind of failure it was; more codes may come.
  public enum Code: String, Sendable {
    /// The file is missing, a directory, or may not be read.
    case unreadable
    /// The content is no known image, sound or video.
    case unknownFormat
    /// The content breaks off or contradicts itself.
    case damaged
    /// The content is sound, but of a kind that is not supported.
    case unsupported
    /// More pixels, samples or bytes than the limits allow.
    case tooLarge
    /// What was asked for (a picture, a sound track, a frame at that time) is not in the file.
    case absent
  }

  /// What kind of failure it was.
  public let code: Code
  /// Path of the file.
  public let path: String
  /// The reason, without the path.
  public let reason: String

  /// An error about one file.
  public init(_ code: Code, _ url: URL, _ reason: String) {
    self.init(code, path: url.path(percentEncoded: false), reason)
  }

  init(_ code: Code, path: String, _ reason: String) {
    self.code = code
    self.path = path
    self.reason = reason
  }

  /// The file and the reason.
  public var description: String { "\(path): \(reason)" }
}

/// Bounds that no media file may exceed; they keep a hostile header from allocating the machine's memory.
public struct MediaLimits: Sendable, Equatable {
  /// Largest picture, in pixels.
  public var pixels = 1 << 27
  /// Largest single video frame, in pixels.
  public var framePixels = 1 << 26
  /// Longest sound, in values (frames times channels): 2^28 floats are 1 GiB, 46 minutes of stereo at 48 kHz.
  public var soundValues = 1 << 28
  /// Largest image file, in bytes.
  public var imageBytes = 1 << 29
  /// Most packets that one pass over a container reads: three days of frames and sound.
  public var packets = 1 << 24

  /// The usual bounds.
  public init() {}
}

/// Throws a `MediaError` that carries libav's own message when a libav status is negative.
@discardableResult
func av(_ status: Int32, _ path: String, _ doing: String) throws(MediaError) -> Int32 {
  if status >= 0 { return status }
  throw MediaError(.damaged, path: path, "\(doing): \(avReason(status))")
}

/// libav's last message on this thread, or the name of a status.
func avReason(_ status: Int32) -> String {
  let logged = String(cString: dk_last_av_log())
  var buffer = [CChar](repeating: 0, count: 128)
  av_strerror(status, &buffer, buffer.count)
  let named = String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
  let printable = logged.unicodeScalars.allSatisfy { $0.value >= 32 && $0.value < 127 }
  return logged.isEmpty || !printable ? named : "\(named) (\(logged))"
}
