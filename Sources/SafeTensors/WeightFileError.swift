/// A file or folder of weights, of any format, that can't be read.
public struct WeightFileError: Error, CustomStringConvertible, Equatable {
  /// Which file or folder.
  public let path: String
  /// What is wrong with it, and what to do where something can be done.
  public let reason: String

  init(_ path: String, _ reason: String) {
    self.path = path
    self.reason = reason
  }

  /// One sentence.
  public var description: String { "\(path) is not a usable weight file: \(reason)." }
}
