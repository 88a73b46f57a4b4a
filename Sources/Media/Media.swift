// The front door: images, sound and video from files to plain values.

public import Foundation

/// Reading of media files. Formats are recognised by content; a file's name and extension play no part.
///
/// Every call opens its file, decodes on the calling thread with one decoder thread, and keeps nothing: calls may run
/// side by side. For several readings of one file use `MediaReader`.
public enum Media {
  /// What a file's headers say.
  ///
  /// - Throws: `MediaError` when the file cannot be opened or is no known image, sound or video.
  /// - Cost: opens the file and reads its headers.
  public static func facts(of url: URL, limits: MediaLimits = MediaLimits()) throws -> MediaFacts {
    try MediaReader(url, limits: limits).facts
  }

  /// A picture as RGB, upright: turned as its EXIF orientation says, unless `upright` is false.
  ///
  /// Grey and palettes become RGB, 16 bits keep their high byte, CMYK is converted without colour profiles, and alpha is
  /// dropped without blending: as Pillow's `convert("RGB")`. With `onWhite` a PNG's or WebP's transparency is laid on white
  /// instead, as published models' image processors do it.
  public static func image(
    at url: URL, upright: Bool = true, onWhite: Bool = false, limits: MediaLimits = MediaLimits()
  ) throws -> ImagePixels {
    try readImage(path: url.path(percentEncoded: false), upright: upright, onWhite: onWhite, limits: limits)
  }

  /// The sound of a sound or video file, at its own rate.
  public static func sound(at url: URL, limits: MediaLimits = MediaLimits()) throws -> Sound {
    try MediaReader(url, limits: limits).sound()
  }

  /// `count` frames spread evenly over a video, by presentation time: those shown in the middle of `count` equal parts.
  /// A video with fewer frames gives some of them more than once.
  public static func frames(
    of url: URL, count: Int, fit: Fit = .original, limits: MediaLimits = MediaLimits()
  ) throws -> [VideoFrame] {
    try MediaReader(url, limits: limits).frames(count: count, fit: fit)
  }

  /// The frames shown at given times, in seconds from the first frame, in the order asked for.
  public static func frames(
    of url: URL, times: [Double], fit: Fit = .original, limits: MediaLimits = MediaLimits()
  ) throws -> [VideoFrame] {
    try MediaReader(url, limits: limits).frames(times: times, fit: fit)
  }

  /// Up to `count` consecutive frames from the one shown at `start` seconds; fewer where the video ends.
  public static func clip(
    of url: URL, from start: Double, count: Int, fit: Fit = .original, limits: MediaLimits = MediaLimits()
  ) throws -> [VideoFrame] {
    try MediaReader(url, limits: limits).clip(from: start, count: count, fit: fit)
  }
}
