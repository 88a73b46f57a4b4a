import Coordination
import Foundation
import Logging
import Services
import Synchronization
import Transport
import Wire

/// The real coordinator, and for each worker a connection and a worker's machine that only pretends to compute.
final class SocketRun {
  private struct Worker {
    let endpoint: Endpoint
    var machine: WorkerMachine
    let incarnation: UInt64
    var sequence: UInt64 = 0
    var due: [UInt64: Int] = [:]
    var nextTick: Int
    var isOver = false
  }

  /// A coordinator with nothing to do itself.
  private struct NoJobs: JobRunner {
    func run(_ job: JobSpec, _ context: any JobContext) throws {}
  }

  private final class Turns: Sendable {
    let times = Mutex<[Int]>([])
  }

  private let coordinator: CoordinatorService
  private var workers: [Worker] = []
  private let measured = Turns()
  /// How long the run took, from the first Hello to the end.
  private(set) var seconds = 0.0

  /// Nanoseconds that each message took until its turn was over.
  var turns: [Int] { measured.times.withLock { $0 } }

  init(workers count: Int, jobs: Int, folder: URL) throws {
    // A connection takes about two dozen handles, and both ends are here.
    var limit = rlimit()
    getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    limit.rlim_cur = limit.rlim_max
    setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
    let silence = Logger(label: "benchmark") { _ in SwiftLogNoOpLogHandler() }
    var options = ServiceOptions(version: "benchmark", logger: silence)
    let measured = measured
    options.onTurn = { messages, nanoseconds in
      guard messages > 0 else { return }
      measured.times.withLock { $0 += Array(repeating: nanoseconds, count: messages) }
    }
    let specs = (0..<jobs).map { JobSpec(id: "train/m/\($0)", kind: "train") }
    let address = "ipc://\(folder.path).socket"
    coordinator = try CoordinatorService(
      plan: RunPlan(name: "benchmark", experimentHash: "e", jobs: specs), directory: folder, listen: address,
      runner: NoJobs(), options: options)
    for index in 0..<count {
      let incarnation = UInt64.random(in: 1...UInt64.max)
      let configuration = WorkerConfiguration(
        name: "w\(index)", version: "benchmark", host: "h", process: index, slots: 1, incarnation: incarnation,
        coordinator: address, coordinatorWait: 60_000, drain: 1_000)
      workers.append(
        Worker(
          endpoint: try Endpoint.caller(to: address), machine: WorkerMachine(configuration, now: Self.clock()),
          incarnation: incarnation, nextTick: Self.clock() + index % 250))
    }
  }

  private static func clock() -> Int { Int(DispatchTime.now().uptimeNanoseconds / 1_000_000) }

  func toEnd() throws {
    let coordinator = coordinator
    let outcome = Outcome()
    let start = DispatchTime.now().uptimeNanoseconds
    Thread {
      let result = Result { try coordinator.serve() }
      outcome.result.withLock { $0 = result }
    }.start()
    while outcome.result.withLock({ $0 == nil }) {
      for index in workers.indices where !workers[index].isOver { step(index) }
      usleep(2_000)
    }
    seconds = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
    for worker in workers { worker.endpoint.close(flush: 0) }
    _ = try outcome.result.withLock { try $0!.get() }
  }

  private final class Outcome: Sendable {
    let result = Mutex<Result<RunOutcome, any Error>?>(nil)
  }

  private func step(_ index: Int) {
    let now = Self.clock()
    while let incoming = workers[index].endpoint.inbox.take(timeout: 0) {
      guard case .message(_, let frames, _) = incoming, let packet = try? Packet.decoded(frames) else { continue }
      tell(index, .received(packet.header, packet.message), now)
    }
    for (token, due) in workers[index].due where due <= now {
      workers[index].due[token] = nil
      tell(index, .finished(token: token, outputs: []), now)
    }
    if now >= workers[index].nextTick {
      workers[index].nextTick = now + 250
      for token in workers[index].due.keys {
        tell(index, .progress(token: token, JobProgress(phase: "train", step: now)), now)
      }
      tell(index, .tick, now)
    }
  }

  private func tell(_ index: Int, _ event: WorkerEvent, _ now: Int) {
    for decision in workers[index].machine.handle(event, now: now) {
      switch decision.action {
      case .send(let message):
        workers[index].sequence += 1
        let packet = Packet(
          message, sender: workers[index].incarnation, session: workers[index].machine.session,
          sequence: workers[index].sequence)
        workers[index].endpoint.send(packet.encoded())
      case .start(let assign): workers[index].due[assign.token] = now + 500 + Int(assign.token * 7_919 % 2_000)
      case .cancel(let token, _, let reason):
        workers[index].due[token] = nil
        tell(index, .failed(token: token, .cancelled, sentence: reason), now)
      case .reconnect: workers[index].endpoint.reconnect()
      case .stop: workers[index].isOver = true
      case .joined, .forget, .say: break
      }
    }
  }
}
