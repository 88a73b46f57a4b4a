/// Which stream of a sample a model looks at.
public enum InputModality: String, Codable, Sendable, CaseIterable {
  /// Single pictures, or single frames of a video.
  case image
  /// Sound, or the sound track of a video.
  case audio
  /// Moving pictures.
  case video
}
