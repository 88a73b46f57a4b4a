/// A weight file that can't be read.
public struct SafeTensorsError: Error, CustomStringConvertible, Equatable {
  /// Which file.
  public let path: String
  /// What is wrong with it.
  public let reason: String

  init(_ path: String, _ reason: String) {
    self.path = path
    self.reason = reason
  }

  /// One sentence.
  public var description: String { "\(path) is not a usable safetensors file: \(reason)." }
}
