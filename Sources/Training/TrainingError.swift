/// What stops a training or scoring job.
public struct TrainingError: Error, CustomStringConvertible, Equatable {
  /// One sentence: what, where, and what to do.
  public let description: String

  /// Makes an error from its sentence.
  public init(_ description: String) { self.description = description }
}
