import ArgumentParser
import Coordination
import Foundation

/// How many workers one coordinator sustains.
struct BenchmarkCoordinator: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "coordinator",
    abstract: "Measure the coordinator's decisions with many simulated workers.",
    discussion: """
      Workers join, send a heartbeat every two seconds, and do short jobs until all are done. Prints one JSON line:
      decision_ms is one event in the state machine alone; turn_ms is what a worker waits for, from a message's bytes
      until all that follows is decided, in the ledger on the disk, and in bytes again.

      By default under a simulated clock, with messages as bytes and a real ledger in a temporary folder. With --sockets
      the real coordinator and a connection a worker, all in this process, in real time.

      EXAMPLE
        unmask benchmark coordinator --workers 1000 --jobs 10000
        unmask benchmark coordinator --workers 1000 --jobs 10000 --sockets
      """)

  @Option(help: ArgumentHelp("Simulated workers.", valueName: "n"))
  var workers = 1_000

  @Option(help: ArgumentHelp("Jobs, each of 5 to 25 simulated seconds, or of 0.5 to 2.5 real ones.", valueName: "n"))
  var jobs = 10_000

  @Flag(help: "Over real sockets, in real time.")
  var sockets = false

  func validate() throws {
    for (name, value, limit) in [("--workers", workers, 100_000), ("--jobs", jobs, 10_000)]
    where !(1...limit).contains(value) {
      throw ValidationError("\(name) must be between 1 and \(limit).")
    }
  }

  func run() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "unmask-benchmark-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    var object: [String: Any] = ["benchmark": "coordinator", "workers": workers, "jobs": jobs, "sockets": sockets]
    if sockets {
      let run = try SocketRun(workers: workers, jobs: jobs, folder: folder)
      try run.toEnd()
      describe("turn", run.turns, in: &object)
      object["events"] = run.turns.count
      object["events_per_s"] = Double(run.turns.count) / run.seconds
      object["run_s"] = run.seconds
    } else {
      var run = try SimulatedRun(workers: workers, jobs: jobs, folder: folder)
      try run.toEnd()
      describe("decision", run.decisions, in: &object)
      describe("turn", run.turns, in: &object)
      let busy = Double(run.busy) / 1e9
      object["events"] = run.decisions.count
      object["events_per_s"] = Double(run.decisions.count) / busy
      object["busy_s"] = busy
      object["simulated_s"] = Double(run.now) / 1e3
      object["processor_share"] = busy / (Double(run.now) / 1e3)
    }
    let data = try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys])
    print(String(decoding: data, as: UTF8.self))
  }

  private func describe(_ name: String, _ nanoseconds: [Int], in object: inout [String: Any]) {
    let times = nanoseconds.sorted()
    guard !times.isEmpty else { return }
    for (label, share) in [("p50", 0.5), ("p99", 0.99), ("max", 1.0)] {
      object["\(name)_ms_\(label)"] = Double(times[Int(Double(times.count - 1) * share)]) / 1e6
    }
  }
}
