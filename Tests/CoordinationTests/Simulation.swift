import Wire

@testable import Coordination

/// One run in one process under a simulated clock: real machines of coordinator and workers, a network that delays,
/// drops, repeats and partitions, and processes that crash. A seed decides everything, so that a failing one replays.
struct Simulation {
  /// What may go wrong, and how often.
  struct Faults {
    var loss = 0.02
    var repetition = 0.02
    var crashes = 4
    var coordinatorCrashes = 2
    var partitions = 3
  }

  struct Problem: Error, CustomStringConvertible { let description: String }

  private enum Event {
    case tickCoordinator(incarnation: UInt64)
    case tickWorker(Int, incarnation: UInt64)
    case toCoordinator(connection: UInt64, Header, Message)
    case toWorker(Int, incarnation: UInt64, connection: UInt64, Header, Message)
    case step(Int, incarnation: UInt64, token: UInt64)
    case stepHere(incarnation: UInt64, token: UInt64)
    case crashWorker(Int)
    case startWorker(Int)
    case crashCoordinator
    case startCoordinator
    case partition(Int, Bool)
    case drain(Int)
  }

  /// A job that a worker does: so many steps, a checkpoint every second one.
  private struct Work {
    let assign: Assign
    var step: Int
    var isCancelled = false
  }

  private struct SimulatedWorker {
    var machine: WorkerMachine?
    var incarnation: UInt64 = 0
    var sequence: UInt64 = 0
    var connection: UInt64 = 0
    var isPartitioned = false
    var work: [UInt64: Work] = [:]
    var ending: WorkerEnding?
  }

  /// What survives a crash of the coordinator.
  private struct Ledger {
    var done: [String: (token: UInt64, outputs: [ArtifactReference])] = [:]
    var checkpoints: [String: Int] = [:]
    var open: [String: (token: UInt64, members: [UInt64])] = [:]
    var attempts: [String: Int] = [:]
    var lastToken: UInt64 = 0
    var givenUp: Set<String> = []
  }

  private var random: Random
  private let jobs: [JobSpec]
  private let faults: Faults
  private let healAt: Int
  private var now = 0
  private var queue = Heap<Event>()
  private var coordinator: CoordinatorMachine?
  private var coordinatorIncarnation: UInt64 = 0
  private var coordinatorSequence: UInt64 = 0
  private var here: Work?
  private var workers: [SimulatedWorker]
  private var owners: [UInt64: Int] = [:]  // connection → worker
  private var connections: UInt64 = 0
  private var incarnations: UInt64 = 0
  private var ledger = Ledger()
  private(set) var refused = 0
  private(set) var events = 0

  static let stepsOfJob = 6

  init(seed: UInt64, jobs: [JobSpec], workers count: Int, slots: Int = 1, faults: Faults, healAt: Int = 40_000) {
    random = Random(seed)
    self.jobs = jobs
    self.faults = faults
    self.healAt = healAt
    workers = Array(repeating: SimulatedWorker(), count: count)
    self.slots = slots
  }

  private let slots: Int

  /// Runs to the end.
  ///
  /// - Returns: the simulated time that it took.
  /// - Throws: what was violated.
  mutating func run() throws -> Int {
    queue.put(0, .startCoordinator)
    for index in workers.indices { queue.put(random.below(3_000), .startWorker(index)) }
    for _ in 0..<faults.crashes { queue.put(random.below(healAt), .crashWorker(random.below(workers.count))) }
    for _ in 0..<faults.coordinatorCrashes { queue.put(random.below(healAt), .crashCoordinator) }
    for _ in 0..<faults.partitions {
      let (index, start) = (random.below(workers.count), random.below(healAt))
      queue.put(start, .partition(index, true))
      queue.put(min(healAt, start + 500 + random.below(12_000)), .partition(index, false))
    }
    if faults.crashes > 0, workers.count > 1 { queue.put(random.below(healAt), .drain(0)) }
    while let (time, event) = queue.take() {
      now = time
      events += 1
      try handle(event)
      let isOver = ledger.done.count == jobs.count && workers.allSatisfy { $0.machine == nil || $0.ending != nil }
      if isOver { return now }
      guard now < healAt + 120_000 else {
        let open = jobs.map(\.id).filter { ledger.done[$0] == nil }
        throw Problem(
          description: "no progress after everything healed: \(open) are not done at \(now) ms; "
            + "the coordinator has dropped \(coordinator?.dropped ?? 0) of \(events) as repeated or overtaken")
      }
    }
    throw Problem(description: "nothing happens any more")
  }

  private mutating func handle(_ event: Event) throws {
    switch event {
    case .startCoordinator: startCoordinator()
    case .crashCoordinator:
      guard coordinator != nil, coordinator!.ended == nil else { return }
      (coordinator, here) = (nil, nil)
      queue.put(now + 100 + random.below(6_000), .startCoordinator)
    case .tickCoordinator(let incarnation):
      guard incarnation == coordinatorIncarnation, coordinator != nil else { return }
      try decide(.tick)
      queue.put(now + 400, .tickCoordinator(incarnation: incarnation))
    case .startWorker(let index): startWorker(index)
    case .crashWorker(let index):
      guard workers[index].machine != nil, workers[index].ending == nil else { return }
      disconnect(index)
      workers[index].machine = nil
      workers[index].work = [:]
      queue.put(now + 200 + random.below(8_000), .startWorker(index))
    case .tickWorker(let index, let incarnation):
      guard workers[index].incarnation == incarnation, workers[index].machine != nil, workers[index].ending == nil
      else {
        return
      }
      workerDecides(index, .tick)
      queue.put(now + 400, .tickWorker(index, incarnation: incarnation))
    case .toCoordinator(let connection, let header, let message):
      guard coordinator != nil, owners[connection] != nil else { return }
      try decide(.received(Peer(connection), header, message))
    case .toWorker(let index, let incarnation, let connection, let header, let message):
      guard workers[index].incarnation == incarnation, workers[index].connection == connection else { return }
      workerDecides(index, .received(header, message))
    case .step(let index, let incarnation, let token):
      guard workers[index].incarnation == incarnation, workers[index].machine != nil else { return }
      try step(index, token)
    case .stepHere(let incarnation, let token):
      guard incarnation == coordinatorIncarnation, coordinator != nil, here?.assign.token == token else { return }
      here!.step += 1
      if here!.step < 3 { return queue.put(now + 300, .stepHere(incarnation: incarnation, token: token)) }
      let outputs = Self.outputs(of: here!.assign.job)
      here = nil
      try decide(.finishedHere(token: token, outputs: outputs))
    case .partition(let index, let isOn): workers[index].isPartitioned = isOn
    case .drain(let index): if workers[index].machine != nil { workerDecides(index, .drain) }
    }
  }

  // MARK: - Coordinator

  private mutating func startCoordinator() {
    incarnations += 1
    coordinatorIncarnation = incarnations
    owners = [:]  // every connection of the old process is gone
    for index in workers.indices { connect(index) }
    var restored = RestoredRun()
    restored.done = ledger.done
    restored.checkpoints = ledger.checkpoints.mapValues { ArtifactReference(name: "c", sha256: "\($0)", size: $0) }
    restored.open = ledger.open.map { .init(job: $0.key, token: $0.value.token, members: $0.value.members) }
    restored.attempts = ledger.attempts
    restored.lastToken = ledger.lastToken
    coordinator = CoordinatorMachine(
      CoordinatorConfiguration(
        run: "simulated", experiment: "e", version: "1", incarnation: coordinatorIncarnation, heartbeat: 1_000,
        lease: 5_000, groupPatience: 2_000),
      jobs: jobs, restored: restored, now: now)
    queue.put(now, .tickCoordinator(incarnation: coordinatorIncarnation))
  }

  private mutating func decide(_ event: CoordinatorEvent) throws {
    var waiting = coordinator!.handle(event, now: now).map(\.action)
    while !waiting.isEmpty {
      let action = waiting.removeFirst()
      switch action {
      case .send(let peer, let message): toWorker(peer, message)
      case .beginAttempt(let job, let token, let members):
        guard ledger.open[job] == nil, ledger.done[job] == nil else {
          throw Problem(description: "two owners of job \(job) at \(now) ms")
        }
        guard token > ledger.lastToken else { throw Problem(description: "token \(token) is given twice") }
        ledger.open[job] = (token, members)
        ledger.lastToken = token
        ledger.attempts[job, default: 0] += 1
      case .endAttempt(let token, _): ledger.open = ledger.open.filter { $0.value.token != token }
      case .commit(let job, let token, let outputs):
        guard ledger.done[job] == nil else { throw Problem(description: "job \(job) is done twice") }
        guard ledger.open[job]?.token == token else {
          throw Problem(description: "job \(job) is finished with a stale token at \(now) ms")
        }
        guard outputs == Self.outputs(of: jobs.first { $0.id == job }!) else {
          throw Problem(description: "job \(job) has a wrong result: \(outputs)")
        }
        guard jobs.first(where: { $0.id == job })!.dependencies.allSatisfy({ ledger.done[$0] != nil }) else {
          throw Problem(description: "job \(job) is done before what it needs")
        }
        ledger.open[job] = nil
        ledger.done[job] = (token, outputs)
        waiting += coordinator!.handle(.committed(token: token), now: now).map(\.action)
      case .runHere(let assign):
        here = Work(assign: assign, step: 0)
        queue.put(now + 300, .stepHere(incarnation: coordinatorIncarnation, token: assign.token))
      case .cancelHere: here = nil
      case .giveUp(let job, let sentence): throw Problem(description: "job \(job) is given up: \(sentence)")
      case .say, .end, .adoptFingerprint: break
      }
      if waiting.isEmpty, let peer = unreachable.popLast() {
        waiting += coordinator!.handle(.unreachable(peer), now: now).map(\.action)
      }
    }
    if events % 16 == 0, let problem = coordinator!.inconsistency { throw Problem(description: "at \(now) ms: \(problem)") }
  }

  private mutating func toWorker(_ peer: Peer, _ message: Message) {
    coordinatorSequence += 1
    let connection = peer.number
    guard let index = owners[connection] else {
      // As a ROUTER does: the connection is known to be gone.
      unreachable.append(peer)
      return
    }
    let header = Header(
      kind: message.kind, sender: coordinatorIncarnation, session: coordinator!.incarnation(of: peer),
      sequence: coordinatorSequence)
    deliver(
      index,
      .toWorker(index, incarnation: workers[index].incarnation, connection: connection, header, message))
  }

  private var unreachable: [Peer] = []

  // MARK: - Workers

  private mutating func startWorker(_ index: Int) {
    guard workers[index].machine == nil else { return }
    incarnations += 1
    let incarnation = incarnations + 1_000_000
    workers[index] = SimulatedWorker()
    workers[index].incarnation = incarnation
    workers[index].machine = WorkerMachine(
      WorkerConfiguration(
        name: "w\(index)", version: "1", host: "h", process: index, slots: slots, incarnation: incarnation,
        coordinator: "simulated", coordinatorWait: 1_000_000, drain: 3_000),
      now: now)
    connect(index)
    queue.put(now, .tickWorker(index, incarnation: incarnation))
  }

  private mutating func connect(_ index: Int) {
    guard workers[index].machine != nil else { return }
    disconnect(index)
    connections += 1
    workers[index].connection = connections
    owners[connections] = index
  }

  private mutating func disconnect(_ index: Int) { owners[workers[index].connection] = nil }

  private mutating func workerDecides(_ index: Int, _ event: WorkerEvent) {
    guard workers[index].machine != nil, workers[index].ending == nil else { return }
    for decision in workers[index].machine!.handle(event, now: now) {
      switch decision.action {
      case .send(let message):
        workers[index].sequence += 1
        let header = Header(
          kind: message.kind, sender: workers[index].incarnation, session: workers[index].machine!.session,
          sequence: workers[index].sequence)
        deliver(index, .toCoordinator(connection: workers[index].connection, header, message))
      case .reconnect: connect(index)
      case .start(let assign):
        let from = assign.checkpoint.map(\.size) ?? 0
        workers[index].work[assign.token] = Work(assign: assign, step: from)
        queue.put(
          now + 100 + random.below(700), .step(index, incarnation: workers[index].incarnation, token: assign.token))
      case .cancel(let token, let code, _):
        guard workers[index].work[token] != nil else { break }
        workers[index].work[token]!.isCancelled = true
        workers[index].work[token] = nil
        workerDecides(
          index, .failed(token: token, code == nil ? .draining : .cancelled, sentence: "cancelled"))
      case .stop(let ending):
        workers[index].ending = ending
        disconnect(index)
        if ending == .drained, ledger.done.count < jobs.count {
          workers[index].machine = nil
          workers[index].ending = nil
          queue.put(now + 1_000, .startWorker(index))
        }
      case .joined, .forget, .say: break
      }
    }
  }

  /// A step of a job: every second one leaves a checkpoint, the last one the result.
  private mutating func step(_ index: Int, _ token: UInt64) throws {
    guard let work = workers[index].work[token] else { return }
    let (job, rank) = (work.assign.job, work.assign.rank)
    let next = work.step + 1
    let again = Event.step(index, incarnation: workers[index].incarnation, token: token)
    if rank == 0, next % 2 == 0, next < Self.stepsOfJob {
      // An upload blocks the job until the coordinator has kept it.
      guard isReachable(index), coordinator != nil else { return queue.put(now + 500, again) }
      let header = Header(
        kind: .uploadBegin, sender: workers[index].incarnation, session: workers[index].machine!.session, sequence: 0)
      switch coordinator!.authorize(Peer(workers[index].connection), header, job: job.id, token: token) {
      case .success:
        guard ledger.open[job.id]?.token == token else {
          throw Problem(description: "a stale checkpoint of job \(job.id) is taken at \(now) ms")
        }
        ledger.checkpoints[job.id] = next
        try decide(
          .checkpointKept(job: job.id, ArtifactReference(name: "c", sha256: "\(next)", size: next)))
      case .failure(let denial):
        refused += 1
        if denial.mustGreet { return queue.put(now + 500, again) }  // sent again after Hello
        // As the service does: the refusal ends the job here, and says so.
        workers[index].work[token] = nil
        return workerDecides(index, .failed(token: token, .failed, sentence: denial.reason))
      }
    }
    workers[index].work[token]!.step = next
    workerDecides(index, .progress(token: token, JobProgress(phase: "p", step: next)))
    if next < Self.stepsOfJob { return queue.put(now + 100 + random.below(700), again) }
    workers[index].work[token] = nil
    if job.arguments["fails"] == "once", work.assign.attempt == 1 {
      return workerDecides(index, .failed(token: token, .failed, sentence: "it fails once"))
    }
    workerDecides(index, .finished(token: token, outputs: rank == 0 ? Self.outputs(of: job) : []))
  }

  private static func outputs(of job: JobSpec) -> [ArtifactReference] {
    job.outputs.map { ArtifactReference(name: $0, sha256: job.id, size: stepsOfJob) }
  }

  // MARK: - Network

  private func isReachable(_ index: Int) -> Bool { !workers[index].isPartitioned || now >= healAt }

  private mutating func deliver(_ index: Int, _ event: Event) {
    let isHealed = now >= healAt
    guard isReachable(index), isHealed || random.unit() >= faults.loss else { return }
    queue.put(now + 1 + random.below(isHealed ? 5 : 60), event)
    if !isHealed, random.unit() < faults.repetition { queue.put(now + 1 + random.below(3_000), event) }
  }
}

extension Peer {
  init(_ number: UInt64) { self.init(withUnsafeBytes(of: number) { [UInt8]($0) }) }
  var number: UInt64 { id.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) } }
}

/// A small generator with a seed: SplitMix64.
struct Random {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
  mutating func unit() -> Double { Double(next() >> 11) / Double(1 << 53) }
}

/// Events by time, and by order of arrival at one time.
struct Heap<Element> {
  private var entries: [(time: Int, order: Int, element: Element)] = []
  private var count = 0

  mutating func put(_ time: Int, _ element: Element) {
    count += 1
    entries.append((time, count, element))
    var child = entries.count - 1
    while child > 0, isBefore(child, (child - 1) / 2) {
      entries.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func take() -> (Int, Element)? {
    guard !entries.isEmpty else { return nil }
    entries.swapAt(0, entries.count - 1)
    let (time, _, element) = entries.removeLast()
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < entries.count && isBefore(child, least) {
        least = child
      }
      if least == parent { return (time, element) }
      entries.swapAt(parent, least)
      parent = least
    }
  }

  private func isBefore(_ a: Int, _ b: Int) -> Bool {
    (entries[a].time, entries[a].order) < (entries[b].time, entries[b].order)
  }
}
