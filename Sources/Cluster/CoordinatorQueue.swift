public import Foundation
import Logging
import Synchronization
public import Transport
import Wire

/// Several runs at one address, each with a folder and a ledger of its own: the next begins when one is over, and the
/// workers stay. Given the same folders again, those that are complete end at once, and the rest goes on.
public final class CoordinatorQueue: Sendable {
  /// One run.
  public struct Entry: Sendable {
    /// What is run.
    public let experiment: Experiment
    /// Where.
    public let directory: URL

    /// An experiment and the folder of its run.
    public init(experiment: Experiment, directory: URL) {
      (self.experiment, self.directory) = (experiment, directory)
    }
  }

  private let entries: [Entry]
  private let listen: String
  private let security: SocketOptions.Security
  private let state = Mutex(State())

  private struct State: Sendable {
    var current: CoordinatorProcess?
    var isStopped = false
  }

  /// For runs in the order in which they are done.
  ///
  /// - Traps: if there are none.
  public init(_ entries: [Entry], listen: String, security: SocketOptions.Security = .none) {
    precondition(!entries.isEmpty, "CoordinatorQueue: no run")
    (self.entries, self.listen, self.security) = (entries, listen, security)
  }

  /// Does all runs; `done` gets each one's comparison table.
  ///
  /// - Returns: whether all were done; if not, somebody stopped them, or took one out.
  /// - Throws: what was wrong with the only run, or with the last one that went wrong or was cancelled; the others were done
  ///   all the same.
  public func run(done: (_ table: String, Entry) -> Void) throws -> Bool {
    let logger = Logger(label: "coordinator", factory: LineLog.init(label:))
    var waiting = entries
    var address = listen
    var isWhole = true
    var problem: (any Error)?
    while !waiting.isEmpty, !state.withLock({ $0.isStopped }) {
      let entry = waiting.removeFirst()
      let process = CoordinatorProcess(
        experiment: entry.experiment, directory: entry.directory, listen: address, security: security,
        queue: waiting.map(\.experiment.name))
      state.withLock { $0.current = process }
      do {
        if let table = try process.run() { done(table, entry) } else { isWhole = false }
      } catch {
        problem = error
        if !waiting.isEmpty { logger.warning("\(error)") }
      }
      // The same port for all of them, whatever was found for the first; and operators may have taken some out.
      if let status = process.lastStatus {
        address = process.address ?? address
        if Set(status.queue) != Set(waiting.map(\.experiment.name)) { isWhole = false }
        waiting.removeAll { !status.queue.contains($0.experiment.name) }
      }
      if let next = waiting.first { logger.info("next: experiment \(next.experiment.name)") }
    }
    if let problem { throw problem }
    return isWhole && waiting.isEmpty
  }

  /// Stops the run and those that follow; the same command goes on later. Safe from any thread.
  public func stop() {
    state.withLock { state in
      state.isStopped = true
      state.current?.stop()
    }
  }
}
