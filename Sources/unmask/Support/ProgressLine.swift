import Foundation
import Synchronization

/// One line on standard error that is written over again and again while something long goes on; nothing when standard
/// error is not a terminal.
final class ProgressLine: Sendable {
  private let name: String
  private let isShown: Bool
  private let last = Mutex<ContinuousClock.Instant?>(nil)

  /// A line that starts with `name`.
  init(_ name: String) {
    self.name = name
    isShown = isatty(STDERR_FILENO) == 1
  }

  /// Shows how far it is, ten times a second at most; any thread may call.
  @Sendable func update(_ done: Int, _ all: Int) {
    guard isShown else { return }
    let now = ContinuousClock.now
    let isDue = last.withLock { last in
      if done < all, let last, last.duration(to: now) < .milliseconds(100) { return false }
      last = now
      return true
    }
    guard isDue else { return }
    let line = "\r\(name): \(done) of \(all)" + (done >= all ? "\n" : "")
    FileHandle.standardError.write(Data(line.utf8))
  }
}
