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
  @Sendable func update(_ done: Int, _ all: Int) { update(done, all, "") }

  /// The same with a text behind the numbers, of 150 characters at most.
  @Sendable func update(_ done: Int, _ all: Int, _ detail: String) {
    guard isShown else { return }
    let now = ContinuousClock.now
    let isDue = last.withLock { last in
      if done < all, let last, last.duration(to: now) < .milliseconds(100) { return false }
      last = now
      return true
    }
    guard isDue else { return }
    // A detail may be shorter than the last one: the rest of the line is wiped.
    let line = "\r\(name): \(done) of \(all)\(detail.prefix(150))\u{1B}[K" + (done >= all ? "\n" : "")
    FileHandle.standardError.write(Data(line.utf8))
  }
}
