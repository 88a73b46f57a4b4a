import Coordination
import Foundation
import Ledger
import Wire

/// A coordinator's machine and ledger, and workers that do what they are told, under a simulated clock.
struct SimulatedRun {
  private struct Worker {
    var sequence: UInt64 = 0
    var held: [UInt64: (job: String, until: Int)] = [:]
  }

  private(set) var now = 0
  /// Nanoseconds of each event in the machine.
  private(set) var decisions: [Int] = []
  /// Nanoseconds that each event took until its turn was over: all messages of one moment, and one transaction.
  private(set) var turns: [Int] = []
  /// Nanoseconds of all turns.
  private(set) var busy = 0
  private var machine: CoordinatorMachine
  private let ledger: Ledger
  private var workers: [Worker]
  private let incarnation: UInt64 = 1 << 40
  private var arriving: [(worker: Int, bytes: [[UInt8]])] = []
  private var leaving: [(Peer, [[UInt8]])] = []

  init(workers: Int, jobs: Int, folder: URL) throws {
    let specs = (0..<jobs).map {
      JobSpec(id: "train/m/\($0)", kind: "train", dependencies: [], outputs: ["Out/\($0)"], groupSize: 1)
    }
    self.workers = Array(repeating: Worker(), count: workers)
    ledger = try Ledger(directory: folder, run: "r", experiment: "e", version: "1")
    machine = CoordinatorMachine(
      CoordinatorConfiguration(run: "r", experiment: "e", version: "1", incarnation: incarnation), jobs: specs,
      restored: RestoredRun(), now: 0)
  }

  private func peer(_ index: Int) -> Peer { Peer(withUnsafeBytes(of: UInt64(index)) { [UInt8]($0) }) }

  private static func clock() -> Int { Int(DispatchTime.now().uptimeNanoseconds) }

  // MARK: - The coordinator

  /// Takes everything that has arrived; then what was decided is on the disk, and in bytes.
  private mutating func turn(tick: Bool) throws {
    let start = Self.clock()
    let count = arriving.count + (tick ? 1 : 0)
    guard count > 0 else { return }
    for (index, bytes) in arriving {
      let packet = try Packet.decoded(bytes)
      try decide(.received(peer(index), packet.header, packet.message))
    }
    if tick { try decide(.tick) }
    if ledger.isUrgent || now % 1_000 == 0 { try ledger.commit() }
    let time = Self.clock() - start
    busy += time
    turns += Array(repeating: time, count: count)
    arriving = []
    let sent = leaving
    leaving = []
    for (peer, bytes) in sent { try toWorker(peer, Packet.decoded(bytes).message) }
  }

  private mutating func decide(_ event: CoordinatorEvent) throws {
    let start = Self.clock()
    let decided = machine.handle(event, now: now)
    decisions.append(Self.clock() - start)
    for decision in decided {
      if !decision.reason.isEmpty { ledger.note(decision.reason) }
      switch decision.action {
      case .send(let peer, let message):
        let packet = Packet(message, sender: incarnation, session: machine.incarnation(of: peer), sequence: 1)
        leaving.append((peer, packet.encoded()))
      case .beginAttempt(let job, let token, let members):
        ledger.beginAttempt(job: job, token: token, members: members, names: members.map { "w\($0 - 1)" })
      case .endAttempt(let token, let reason): ledger.endAttempt(token: token, reason: reason)
      case .commit(let job, let token, let outputs):
        ledger.finish(job: job, token: token, outputs: outputs)
        try decide(.committed(token: token))
      default: break
      }
    }
  }

  // MARK: - The workers

  private mutating func toWorker(_ peer: Peer, _ message: Message) {
    guard case .assign(let assign) = message else { return }
    let index = Int(peer.id.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) })
    // Spread by the token, so that two measurements are of the same run.
    workers[index].held[assign.token] = (assign.job.id, now + 5_000 + Int(assign.token * 7_919 % 20_000))
  }

  private mutating func toCoordinator(_ index: Int, _ message: Message) {
    workers[index].sequence += 1
    let packet = Packet(
      message, sender: UInt64(index + 1), session: incarnation, sequence: workers[index].sequence)
    arriving.append((index, packet.encoded()))
  }

  mutating func toEnd() throws {
    for index in workers.indices {
      let hello = Hello(
        name: "w\(index)", version: "1", fingerprint: "", host: "h", process: index, slots: 1, held: [])
      toCoordinator(index, .hello(hello))
      if index % 20 == 19 { try turn(tick: false) }
    }
    while machine.ended == nil {
      now += 10
      for index in workers.indices where (now / 10 + index) % 200 == 0 || isDone(index) {
        for (token, lease) in workers[index].held.sorted(by: { $0.key < $1.key }) where lease.until <= now {
          workers[index].held[token] = nil
          let output = ArtifactReference(
            name: "Out/" + lease.job.dropFirst("train/m/".count), sha256: String(repeating: "0", count: 64), size: 1)
          toCoordinator(index, .jobFinished(JobFinished(job: lease.job, token: token, outputs: [output])))
        }
        let held = workers[index].held.map {
          HeldLease(job: $1.job, token: $0, progress: JobProgress(phase: "train", step: now))
        }
        if (now / 10 + index) % 200 == 0 { toCoordinator(index, .heartbeat(Heartbeat(held: held, draining: false))) }
      }
      try turn(tick: now % 100 == 0)
    }
  }

  private func isDone(_ index: Int) -> Bool { workers[index].held.values.contains { $0.until <= now } }
}
