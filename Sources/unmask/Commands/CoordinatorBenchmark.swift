import ArgumentParser
import Coordination
import Foundation
import Wire

/// How many workers one coordinator sustains.
struct BenchmarkCoordinator: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "coordinator",
    abstract: "Measure the coordinator's decisions with many simulated workers.",
    discussion: """
      Workers join, send a heartbeat every two simulated seconds, and do short jobs until all are done; every message
      passes through its bytes. Prints one JSON line: times of one decision, and the share of a processor.

      EXAMPLE
        unmask benchmark coordinator --workers 1000 --jobs 10000
      """)

  @Option(help: ArgumentHelp("Simulated workers.", valueName: "n"))
  var workers = 1_000

  @Option(help: ArgumentHelp("Jobs, each of 5 to 25 simulated seconds.", valueName: "n"))
  var jobs = 10_000

  func validate() throws {
    for (name, value) in [("--workers", workers), ("--jobs", jobs)] where !(1...100_000).contains(value) {
      throw ValidationError("\(name) must be between 1 and 100000.")
    }
  }

  func run() throws {
    var run = SimulatedRun(workers: workers, jobs: jobs)
    try run.toEnd()
    let times = run.decisions.sorted()
    func at(_ share: Double) -> Double { Double(times[Int(Double(times.count - 1) * share)]) / 1e6 }
    let object: [String: Any] = [
      "benchmark": "coordinator", "workers": workers, "jobs": jobs, "decisions": times.count,
      "decision_ms_p50": at(0.5), "decision_ms_p99": at(0.99), "decision_ms_max": at(1),
      "decide_s": Double(times.reduce(0, +)) / 1e9, "bytes_s": Double(run.bytesTime) / 1e9,
      "simulated_s": Double(run.now) / 1e3,
      "processor_share": (Double(times.reduce(0, +)) + Double(run.bytesTime)) / 1e6 / Double(run.now),
    ]
    let data = try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys])
    print(String(decoding: data, as: UTF8.self))
  }
}

/// A coordinator's machine, and workers that do what they are told, under a simulated clock.
private struct SimulatedRun {
  private struct Worker {
    var sequence: UInt64 = 0
    var held: [UInt64: (job: String, until: Int)] = [:]
  }

  private(set) var now = 0
  /// Nanoseconds of each decision.
  private(set) var decisions: [Int] = []
  /// Nanoseconds of encoding and decoding.
  private(set) var bytesTime = 0
  private var machine: CoordinatorMachine
  private var workers: [Worker]
  private let incarnation: UInt64 = 1 << 40

  init(workers: Int, jobs: Int) {
    let specs = (0..<jobs).map {
      JobSpec(id: "train/m/\($0)", kind: "train", dependencies: [], outputs: ["Out/\($0)"], groupSize: 1)
    }
    self.workers = Array(repeating: Worker(), count: workers)
    machine = CoordinatorMachine(
      CoordinatorConfiguration(run: "r", experiment: "e", version: "1", incarnation: incarnation), jobs: specs,
      restored: RestoredRun(), now: 0)
  }

  private func peer(_ index: Int) -> Peer { Peer(withUnsafeBytes(of: UInt64(index)) { [UInt8]($0) }) }

  private mutating func decide(_ event: CoordinatorEvent) throws {
    let start = DispatchTime.now().uptimeNanoseconds
    let decided = machine.handle(event, now: now)
    decisions.append(Int(DispatchTime.now().uptimeNanoseconds - start))
    for decision in decided {
      switch decision.action {
      case .send(let peer, let message): try toWorker(peer, message)
      case .commit(_, let token, _): try decide(.committed(token: token))
      default: break
      }
    }
  }

  private mutating func toWorker(_ peer: Peer, _ message: Message) throws {
    let index = Int(peer.id.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) })
    _ = try passed(message, sender: incarnation, session: UInt64(index + 1), sequence: 1)
    guard case .assign(let assign) = message else { return }
    // Spread by the token, so that two measurements are of the same run.
    workers[index].held[assign.token] = (assign.job.id, now + 5_000 + Int(assign.token * 7_919 % 20_000))
  }

  private mutating func toCoordinator(_ index: Int, _ message: Message) throws {
    workers[index].sequence += 1
    let packet = try passed(
      message, sender: UInt64(index + 1), session: incarnation, sequence: workers[index].sequence)
    try decide(.received(peer(index), packet.header, packet.message))
  }

  private mutating func passed(
    _ message: Message, sender: UInt64, session: UInt64, sequence: UInt64
  ) throws -> Packet {
    let start = DispatchTime.now().uptimeNanoseconds
    let packet = try Packet.decoded(Packet(message, sender: sender, session: session, sequence: sequence).encoded())
    bytesTime += Int(DispatchTime.now().uptimeNanoseconds - start)
    return packet
  }

  mutating func toEnd() throws {
    for index in workers.indices {
      try toCoordinator(
        index,
        .hello(Hello(name: "w\(index)", version: "1", fingerprint: "", host: "h", process: index, slots: 1, held: [])))
    }
    while machine.ended == nil {
      now += 10
      for index in workers.indices where (now / 10 + index) % 200 == 0 || isDone(index) {
        for (token, lease) in workers[index].held.sorted(by: { $0.key < $1.key }) where lease.until <= now {
          workers[index].held[token] = nil
          try toCoordinator(index, .jobFinished(JobFinished(job: lease.job, token: token, outputs: [])))
        }
        let held = workers[index].held.map {
          HeldLease(job: $1.job, token: $0, progress: JobProgress(phase: "train", step: now))
        }
        if (now / 10 + index) % 200 == 0 {
          try toCoordinator(index, .heartbeat(Heartbeat(held: held, draining: false)))
        }
      }
      if now % 100 == 0 { try decide(.tick) }
    }
  }

  private func isDone(_ index: Int) -> Bool { workers[index].held.values.contains { $0.until <= now } }
}
