import Files
import Foundation
import Glibc
import Synchronization
import Wire

/// The contents that this worker has and gives to others, each with the file where it was seen. Only a SHA-256 finds one:
/// no name that anybody says becomes a path.
final class ContentShelf: Sendable {
  /// The most contents that are remembered; what comes later is not given to others.
  static let limit = 1 << 16

  private struct Place: Sendable {
    let path: String
    let identity: FileIdentity
    let isCached: Bool
  }

  private let places = Mutex<[String: Place]>([:])

  /// Remembers a content in a file whose bytes were checked.
  ///
  /// - Parameter isCached: whether it lies in a cache, which may touch it and remove it.
  /// - Returns: whether others may be told of it: it was not known before.
  func put(_ content: String, at file: URL, isCached: Bool) -> Bool {
    guard ArtifactReference.isContent(content), let identity = FileIdentity(path: file.path) else { return false }
    let place = Place(path: file.path, identity: identity, isCached: isCached)
    return places.withLock { places in
      guard places.count < Self.limit || places[content] != nil else { return false }
      return places.updateValue(place, forKey: content) == nil
    }
  }

  /// All that is known.
  var contents: [String] { places.withLock { $0.keys.sorted() } }

  /// The bytes that somebody wants, or why he cannot have them. A file that is gone or is another one is forgotten.
  func read(_ want: DownloadWant) -> Result<[UInt8], ServiceError> {
    let content = want.artifact.sha256
    guard let place = places.withLock({ $0[content] }) else {
      return .failure(ServiceError("this worker does not have it"))
    }
    let handle = open(place.path, O_RDONLY | O_CLOEXEC)
    defer { if handle >= 0 { close(handle) } }
    if handle >= 0, let now = FileIdentity(handle),
      place.isCached ? now.isSame(as: place.identity) : now == place.identity,
      let bytes = readPiece(handle, want.offset, want.count)
    {
      return .success(bytes)
    }
    // Bytes beyond the end of a file that is as it was are the asker's mistake.
    if handle < 0 || FileIdentity(handle)?.isSame(as: place.identity) != true {
      places.withLock { _ = $0.removeValue(forKey: content) }
    }
    return .failure(ServiceError("this worker does not have it any more"))
  }
}
