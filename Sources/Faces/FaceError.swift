/// Why faces cannot be looked for on this machine. A picture without a face is no error of this kind.
public struct FaceError: Error, Sendable, Equatable, CustomStringConvertible {
  /// One sentence: what is wrong, where, and what to do.
  public let description: String

  /// Makes the error.
  public init(_ sentence: String) { description = sentence }
}
