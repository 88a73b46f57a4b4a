/// Faults that real data sets have, planted on request so that anybody can see them found.
public enum SampleFault: String, CaseIterable, Sendable {
  /// Every fake begins with half a second of digital silence, and no real clip does.
  case leadingSilence = "leading-silence"
  /// Clips are parted into train and test (column `split`) one by one, whoever is in them.
  case identityLeak = "identity-leak"

  static let silence = 0.5
}
