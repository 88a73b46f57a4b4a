/// What went wrong with a file or a folder: what, where, and what to do.
public struct FileProblem: Error, CustomStringConvertible, Equatable {
  /// The path as the user gave it.
  public let path: String
  /// The reason in plain words, without a final full stop.
  public let reason: String
  /// What to do about it, if there is something to do.
  public let advice: String?

  /// Whether it is only that there is no room on this machine: another one may do better.
  public let isFull: Bool

  /// Makes a problem from its parts.
  public init(path: String, reason: String, advice: String? = nil, isFull: Bool = false) {
    self.path = path
    self.reason = reason
    self.advice = advice
    self.isFull = isFull
  }

  /// One sentence: where, what, and what to do.
  public var description: String {
    "\(path): \(reason)" + (advice.map { "; \($0)" } ?? "")
  }
}
