/// One sample's score by one model.
public struct SampleScore: Sendable, Equatable {
  /// P(fake).
  public let probability: Double
  /// Its logit.
  public let logit: Double
  /// P(fake) of each frame, window or clip, in order of time.
  public let parts: [Double]
}

/// A score, or why there is none.
public enum ScoreResult: Sendable, Equatable {
  /// The score.
  case scored(SampleScore)
  /// The reason, for the score file's `reason` column.
  case failed(String)

  /// The score, if there is one.
  public var score: SampleScore? {
    if case .scored(let score) = self { score } else { nil }
  }

  /// The reason, if there is no score.
  public var reason: String? {
    if case .failed(let reason) = self { reason } else { nil }
  }
}
