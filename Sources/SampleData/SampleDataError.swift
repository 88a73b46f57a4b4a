// What can go wrong outside: arguments, the disk, and libav without its encoders.

/// One sentence that says what could not be written, where, and what to do about it.
public struct SampleDataError: Error, CustomStringConvertible {
  /// The sentence.
  public let description: String

  init(_ description: String) { self.description = description }
}
