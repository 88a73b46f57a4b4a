public import Foundation

/// Gives the files of samples, wherever they come from, and watches over the room for what is kept of them. Training
/// neither knows nor cares whether a file was on this machine from the beginning.
///
/// - Thread: any; loaders and compute threads call it side by side.
public protocol SampleFiles: Sendable {
  /// Calls `body` with a sample's file on this machine, which stays there meanwhile.
  ///
  /// - Throws: when the file cannot be had; what `body` throws.
  func with<Result>(_ item: ModelSample, _ body: (URL) throws -> Result) throws -> Result
  /// Takes room for so many bytes that are about to be kept; false when there is none.
  ///
  /// - Throws: when the place cannot be used at all.
  func mayKeep(_ bytes: Int) throws -> Bool
  /// Notes that something kept was used.
  func used(_ kept: URL)
}

/// The files where the samples say they are, and as much room as the disk has.
public struct LocalFiles: SampleFiles {
  /// Makes it.
  public init() {}

  /// Calls `body` with the sample's own path.
  public func with<Result>(_ item: ModelSample, _ body: (URL) throws -> Result) throws -> Result { try body(item.file) }

  /// Always.
  public func mayKeep(_ bytes: Int) -> Bool { true }

  /// Nothing.
  public func used(_ kept: URL) {}
}
