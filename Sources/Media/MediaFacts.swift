// What a media file is, without decoding it.

/// Whether a file is one picture, a sound, or moving pictures with or without sound.
public enum MediaKind: String, Sendable, Codable, CaseIterable {
  case image, sound, video
}

/// What the headers of a media file say. Sizes are upright: as the picture is to be seen.
public struct MediaFacts: Sendable, Equatable, Codable {
  /// A picture, a sound, or moving pictures.
  public var kind: MediaKind
  /// Whether there are moving pictures; cover art of a sound file is none.
  public var hasVideo: Bool
  /// Whether there is a sound track.
  public var hasAudio: Bool
  /// Name of the container or image format, as libav or this module calls it.
  public var format: String
  /// Seconds, as the header says; nil for a picture, or where the header does not say.
  public var duration: Double?
  /// Mean frames per second, as the header says.
  public var frameRate: Double?
  /// Pixels of a row, when there are pictures.
  public var width: Int?
  /// Rows, when there are pictures.
  public var height: Int?
  /// How the pictures are coded.
  public var videoCodec: String?
  /// How the sound is coded.
  public var audioCodec: String?
  /// Sound samples per second and channel.
  public var sampleRate: Int?
  /// Channels of the sound.
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
