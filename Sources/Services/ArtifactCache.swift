import Files
import Foundation
import Glibc
import Synchronization
import Wire

/// The files that a worker has fetched, by content. A file is trusted once this process has checked its SHA-256.
final class ArtifactCache: Sendable {
  private let directory: URL
  private let checked = Mutex<Set<String>>([])

  init(directory: URL) throws {
    self.directory = directory
    try makeFolder(directory)
  }

  private func place(_ artifact: ArtifactReference) -> URL { directory.appendingPathComponent(artifact.sha256) }

  /// A local file with the content, fetched by `fetch` into a temporary place if it is not here yet.
  func file(_ artifact: ArtifactReference, fetch: (URL) throws -> Void) throws -> URL {
    let place = place(artifact)
    if checked.withLock({ $0.contains(artifact.sha256) }), isThere(artifact) { return place }
    if isThere(artifact), try sha256(of: place) == artifact.sha256 {
      checked.withLock { _ = $0.insert(artifact.sha256) }
      return place
    }
    let temporary = directory.appendingPathComponent("\(artifact.sha256).tmp-\(UInt64.random(in: 0...UInt64.max))")
    defer { unlink(temporary.path) }
    for _ in 0..<3 {
      try fetch(temporary)
      if try sha256(of: temporary) == artifact.sha256 {
        guard rename(temporary.path, place.path) == 0 else {
          throw ServiceError("\(place.path) cannot be written: \(String(cString: strerror(errno)))")
        }
        checked.withLock { _ = $0.insert(artifact.sha256) }
        return place
      }
    }
    throw ServiceError("\(artifact.name) arrived three times with another content than the coordinator announced")
  }

  private func isThere(_ artifact: ArtifactReference) -> Bool {
    var facts = stat()
    return stat(place(artifact).path, &facts) == 0 && facts.st_size == artifact.size
  }
}

/// Gives a file a second name; where the file system has none, a copy.
func linkOrCopy(_ source: URL, to destination: URL) throws {
  try makeFolder(destination.deletingLastPathComponent())
  unlink(destination.path)
  if link(source.path, destination.path) != 0 { try copy(source, to: destination) }
}
