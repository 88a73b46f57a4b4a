import Foundation
import Glibc

/// A lock between threads and processes. It goes with its process, however that ends.
final class FileLock: Sendable {
  private let handle: Int32

  /// Opens the lock's file, which stays.
  init(_ url: URL) throws {
    let path = url.path
    handle = try call("opening", path) { open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o666) }
  }

  deinit { close(handle) }

  /// Waits for the lock so long at most; whether it was had.
  ///
  /// - Throws: what `isWanted` throws.
  func take(seconds: Int, _ isWanted: () throws -> Void) throws -> Bool {
    var pause: UInt32 = 1_000
    var waited = 0
    while flock(handle, LOCK_EX | LOCK_NB) != 0 {
      guard waited < seconds * 1_000_000 else { return false }
      try isWanted()
      usleep(pause)
      waited += Int(pause)
      pause = min(50_000, pause * 2)
    }
    return true
  }

  func take(seconds: Int) -> Bool { (try? take(seconds: seconds, {})) ?? false }

  func release() { flock(handle, LOCK_UN) }
}
