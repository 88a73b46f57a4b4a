// What a media file is, without decoding it.

/// Whether a file is one picture, a sound, or moving pictures with or without sound.
public enum MediaKind: String, Sendable, Codable, CaseIterable {
  case image, sound, video
}

/// What the headers of a media file say. Sizes are upright: as the picture is to be seen.
public struct MediaFacts: Sendable, Equatable, Codable {
  public var kind: MediaKind
  /// Whether there are moving pictures; cover art of a sound file is none.
  public var hasVideo: Bool
  public var hasAudio: Bool
  /// Name of the container or image format, as libav or this module calls it.
  public var format: String
  /// Seconds, as the header says; nil for a picture, or where the header does not say.
  public var duration: Double?
  public var frameRate: Double?
  public var width: Int?
  public var height: Int?
  public var videoCodec: String?
  public var audioCodec: String?
  public var sampleRate: Int?
  public var channels: Int?
  /// Size of the file.
  public var bytes: Int

  init(kind: MediaKind, format: String, bytes: Int) {
    self.kind = kind
    self.format = format
    self.bytes = bytes
    hasVideo = kind == .video
    hasAudio = kind == .sound
  }
}
