import Foundation
import Synchronization

/// Signals as flags that a loop can look at.
enum Signals {
  /// Set once one of the signals has arrived.
  final class Flag: Sendable {
    private let raised = Atomic(false)
    var isSet: Bool { raised.load(ordering: .acquiring) }
    fileprivate func raise() { raised.store(true, ordering: .releasing) }
  }

  /// Catches the signals from now on; the flag tells that one came, and `action` runs on a queue of its own.
  static func interrupted(_ signals: [Int32], action: @escaping @Sendable () -> Void = {}) -> Flag {
    let flag = Flag()
    signal(SIGPIPE, SIG_IGN)  // whoever reads the log may go; the work goes on
    for number in signals {
      signal(number, SIG_IGN)
      let source = DispatchSource.makeSignalSource(signal: number, queue: .global())
      source.setEventHandler { @Sendable in
        flag.raise()
        action()
      }
      source.activate()
      kept.withLock { $0.append(Kept(source: source)) }
    }
    return flag
  }

  /// Keeps sources alive for the rest of the process. A dispatch source may be used from any thread.
  private struct Kept: @unchecked Sendable { let source: any DispatchSourceSignal }
  private static let kept = Mutex<[Kept]>([])
}
