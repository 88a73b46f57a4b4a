/// A mistake in an experiment file: where, what, and the nearest valid spelling.
public struct ExperimentError: Error, CustomStringConvertible, Equatable {
  /// File and line, e.g. `lips.yaml:12`.
  public let place: String
  /// The reason in plain words.
  public let reason: String

  /// Makes an error from its parts.
  public init(place: String, reason: String) {
    self.place = place
    self.reason = reason
  }

  /// One sentence.
  public var description: String { "\(place): \(reason)" }
}
