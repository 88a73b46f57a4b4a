/// A data set that cannot be used as it is. The description is one sentence that says what is wrong, where, and what to
/// do about it.
public struct DatasetError: Error, CustomStringConvertible, Equatable {
  /// The file, with a line number where there is one, or the data set.
  public let subject: String
  /// What is wrong and what to do.
  public let detail: String

  /// Makes an error from its parts; `detail` has no final full stop.
  public init(_ subject: String, _ detail: String) {
    self.subject = subject
    self.detail = detail
  }

  /// The whole sentence.
  public var description: String { "\(subject): \(detail)" }
}
