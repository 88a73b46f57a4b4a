/// What went wrong with a file or a folder: what, where, and what to do.
public struct FileProblem: Error, CustomStringConvertible, Equatable {
  /// The path as the user gave it.
  public let path: String
  /// The reason in plain words, without a final full stop.
  public let reason: String
  /// What to do about it, if there is something to do.
  public let advice: String?

  /// Makes a problem from its parts.
  public init(path: String, reason: String, advice: String? = nil) {
    self.path = path
    self.reason = reason
    self.advice = advice
  }

  /// One sentence: where, what, and what to do.
  public var description: String {
    "\(path): \(reason)" + (advice.map { "; \($0)" } ?? "")
  }
}
