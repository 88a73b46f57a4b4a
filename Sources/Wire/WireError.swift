/// A message that is not one of ours, is damaged, or says something out of range; the sentence names the field.
public struct WireError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The sentence.
  public let description: String

  /// Makes the error from its sentence.
  public init(_ sentence: String) { description = sentence }
}
