// One frame of a video.

/// A frame and when it is shown.
public struct VideoFrame: Sendable, Equatable {
  /// Its picture, upright.
  public let image: ImagePixels
  /// Presentation time in seconds from the video's first frame.
  public let time: Double

  /// A frame shown at a time.
  public init(image: ImagePixels, time: Double) {
    self.image = image
    self.time = time
  }
}
