import Foundation
import Wire

@testable import Coordination

/// One run in one process under a simulated clock: real machines of coordinator and workers, a network that delays,
/// drops, repeats, reorders and partitions (both ways or one), clocks that differ, and processes that crash, the coordinator
/// also between a decision and its entry in the ledger, and between that and its messages. A seed decides everything, so
/// that a failing one replays.
struct Simulation {
  /// What may go wrong, and how often.
  struct Faults {
    var loss = 0.02
    var repetition = 0.02
    var crashes = 4
    var coordinatorCrashes = 2
    var partitions = 3
    /// Workers whose threads stop moving, for a while or for ever, while their process says that it lives.
    var hangs = 0
  }

  struct Problem: Error, CustomStringConvertible { let description: String }

  enum Event {
    case tickCoordinator(incarnation: UInt64)
    case tickWorker(Int, incarnation: UInt64)
    case toCoordinator(connection: UInt64, Header, Message)
    case toWorker(Int, incarnation: UInt64, connection: UInt64, Header, Message)
    case step(Int, incarnation: UInt64, token: UInt64)
    case sums(Int, connection: UInt64, ReduceSums, [[UInt8]])
    case sum(Int, connection: UInt64, token: UInt64, step: Int, [Float])
    case shared(Int, token: UInt64, view: Int, SimulatedTraining)
    case stepHere(incarnation: UInt64, token: UInt64)
    case crashWorker(Int)
    case startWorker(Int)
    case crashCoordinator
    case startCoordinator
    case partition(Int, Cut?)
    case hang(Int)
    case release(Int, incarnation: UInt64)
    case wake(Int, incarnation: UInt64, token: UInt64)
    case drain(Int)
    case contents(ContentEvent)
  }

  /// What a partition cuts off.
  enum Cut: CaseIterable { case both, toWorker, toCoordinator }

  /// How the coordinator dies next: in a turn, before its decisions are in the ledger, or after that and before anybody
  /// hears of them.
  enum Death { case beforeCommit, beforeSending }

  /// A job that a worker does: so many steps, a checkpoint every second one.
  struct Work {
    let assign: Assign
    var state: SimulatedTraining
    var mustSave = false
    /// Whether it is to save a checkpoint and stop.
    var isToStop = false
    /// What it waits for the others' sums with.
    var waiting: (ReduceSums, [[UInt8]])?
    /// Its part in its group, if it may be shared.
    var group: GroupMembership?
    var phase = Phase.joining(isPending: false)
    /// Its number, the group's size and view, and the vectors exchanged in it.
    var rank: Int
    var members = 1
    var view = 0
    var vectors = 0
    /// Since when it waits for the others.
    var since = 0
    /// Whether its route was stopped, and that it was told to end, which a thread that hangs does not see.
    var isStopped = false
    var cancelled: (CancelCode?, saves: Bool)?
    /// The sum that it has voted for.
    var values: [Float] = []

    init(_ assign: Assign) {
      (self.assign, rank, state) = (assign, assign.rank, SimulatedTraining(assign))
      if assign.job.groupSize > 1 {
        group = GroupMembership(job: assign.job.id, token: assign.token, patience: 1_000)
      } else {
        phase = .computing
      }
    }
  }

  /// Where a member of a group is.
  enum Phase: Equatable {
    /// Waits for a view; with the sums of a step that it has voted for, or without.
    case joining(isPending: Bool)
    case sharing
    case computing
    case exchanging
    /// Has waited in vain, and waits for another view.
    case complaining
    case voting
  }

  struct SimulatedWorker {
    var machine: WorkerMachine?
    var incarnation: UInt64 = 0
    var sequence: UInt64 = 0
    var connection: UInt64 = 0
    var cut: Cut?
    var isHung = false
    /// By how much its clock differs from others'.
    var clock = 0
    var work: [UInt64: Work] = [:]
    var ending: WorkerEnding?
  }

  /// What survives a crash of the coordinator.
  struct Ledger {
    var done: [String: (token: UInt64, outputs: [ArtifactReference])] = [:]
    var checkpoints: [String: SimulatedTraining] = [:]
    var open: [String: (token: UInt64, members: [UInt64])] = [:]
    var attempts: [String: Int] = [:]
    var lastToken: UInt64 = 0
    var givenUp: Set<String> = []
  }

  var random: Random
  let jobs: [JobSpec]
  let faults: Faults
  let healAt: Int
  var now = 0
  var queue = Heap<Event>()
  var coordinator: CoordinatorMachine?
  var coordinatorIncarnation: UInt64 = 0
  var coordinatorSequence: UInt64 = 0
  var here: (assign: Assign, step: Int)?
  var rounds = ReduceRounds(limit: 1 << 20)
  var dying: Death?
  var outbox: [(Peer, Message)] = []
  var workers: [SimulatedWorker]
  var owners: [UInt64: Int] = [:]  // connection → worker
  var connections: UInt64 = 0
  var incarnations: UInt64 = 0
  var ledger = Ledger()
  var refused = 0
  var events = 0
  /// Steps of groups, and attempts that were ended so that other workers go on: to see that they are simulated at all.
  var sums = 0
  var reshapes = 0
  /// Changes of groups that go on, and states that members took over.
  var changes = 0
  var joined = 0
  var contents = ContentState()
  /// Who is there to take part in handing on a state.
  var meetings: [[UInt64]: Set<Int>] = [:]

  init(
    seed: UInt64, jobs: [JobSpec], workers count: Int, slots: Int = 1, sharesJobs: Bool = false, faults: Faults,
    healAt: Int = 40_000
  ) {
    random = Random(seed)
    self.jobs = jobs
    self.faults = faults
    self.healAt = healAt
    workers = Array(repeating: SimulatedWorker(), count: count)
    (self.slots, self.sharesJobs) = (slots, sharesJobs)
    startContents(seed: seed)
  }

  /// Without progress for so long, a job is called stuck; members of groups wait for each other half as long.
  let stall = 8_000
  /// Workers that have hung or were cut off.
  private var suspects: Set<Int> = []
  /// How often a job was taken from a worker that hung, and members have waited in vain.
  private(set) var taken = 0
  var complaints = 0
  /// Sums of members whose shares are not equal.
  var unequal = 0
  let slots: Int
  let sharesJobs: Bool

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
      queue.put(start, .partition(index, Cut.allCases[random.below(3)]))
      queue.put(min(healAt, start + 500 + random.below(12_000)), .partition(index, nil))
    }
    for _ in 0..<faults.hangs { queue.put(random.below(healAt), .hang(random.below(workers.count))) }
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

  mutating func handle(_ event: Event) throws {
    switch event {
    case .startCoordinator: startCoordinator()
    case .crashCoordinator:
      guard coordinator != nil, coordinator!.ended == nil else { return }
      dying = [nil, .beforeCommit, .beforeSending][random.below(3)]
      if dying == nil { crashCoordinator() }
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
      complain(index)
      askGroups(index, isNew: false)
      queue.put(now + 400, .tickWorker(index, incarnation: incarnation))
    case .toCoordinator(let connection, let header, let message):
      guard coordinator != nil, owners[connection] != nil else { return }
      try decide(.received(Peer(connection), header, message))
    case .toWorker(let index, let incarnation, let connection, let header, let message):
      guard workers[index].incarnation == incarnation, workers[index].connection == connection else { return }
      switch message {
      case .regroup(let regroup): try hear(index, regroup.token, header, message)
      case .groupView(let view): try hear(index, view.token, header, message)
      case .stepCommit(let commit): try hear(index, commit.token, header, message)
      default: workerDecides(index, .received(header, message))
      }
    case .step(let index, let incarnation, let token):
      guard workers[index].incarnation == incarnation, workers[index].machine != nil else { return }
      if workers[index].isHung { return queue.put(now + 500, event) }
      try step(index, token)
    case .stepHere(let incarnation, let token):
      guard incarnation == coordinatorIncarnation, coordinator != nil, here?.assign.token == token else { return }
      here!.step += 1
      if here!.step < 3 { return queue.put(now + 300, .stepHere(incarnation: incarnation, token: token)) }
      let outputs = SimulatedTraining.golden(here!.assign.job)
      here = nil
      try decide(.finishedHere(token: token, outputs: outputs))
    case .sums(let index, let connection, let message, let frames):
      try takeSums(index, connection, message, frames)
    case .sum(let index, let connection, let token, let step, let values):
      // What crosses a partition comes after it, as on a connection that TCP keeps up.
      guard workers[index].connection == connection, let work = workers[index].work[token],
        work.waiting?.0.step == step
      else { return }
      guard isReachable(index, .toWorker), !workers[index].isHung else {
        return queue.put(now + 300, .sum(index, connection: connection, token: token, step: step, values))
      }
      workers[index].work[token]!.waiting = nil
      vote(index, token, values)
    case .shared(let index, let token, let view, let state):
      guard let work = workers[index].work[token], work.phase == .sharing, work.view == view else { return }
      if workers[index].isHung { return queue.put(now + 500, event) }
      if work.state.step < state.step { workers[index].work[token]!.state = state }
      joined += 1
      workers[index].work[token]!.phase = .computing
      again(index, token, after: random.below(200))
    case .partition(let index, let cut):
      workers[index].cut = cut
      suspects.insert(index)
    case .hang(let index):
      guard workers[index].machine != nil, workers[index].ending == nil else { return }
      workers[index].isHung = true
      suspects.insert(index)
      // Somebody is left who moves.
      guard index == 0 || random.below(2) == 0 else { return }
      let end = min(healAt, now + 1_000 + random.below(60_000))
      queue.put(end, .release(index, incarnation: workers[index].incarnation))
    case .release(let index, let incarnation):
      if workers[index].incarnation == incarnation { workers[index].isHung = false }
    case .wake(let index, let incarnation, let token):
      guard workers[index].incarnation == incarnation, workers[index].machine != nil, workers[index].ending == nil
      else { return }
      try wake(index, token)
    case .drain(let index): if workers[index].machine != nil { workerDecides(index, .drain) }
    case .contents(let event): try handle(event)
    }
  }

  // MARK: - Coordinator

  mutating func startCoordinator() {
    incarnations += 1
    coordinatorIncarnation = incarnations
    owners = [:]  // every connection of the old process is gone
    rounds = ReduceRounds(limit: 1 << 20)
    for index in workers.indices { connect(index) }
    var restored = RestoredRun()
    restored.done = ledger.done
    restored.checkpoints = ledger.checkpoints.mapValues(\.artifact)
    restored.open = ledger.open.map { .init(job: $0.key, token: $0.value.token, members: $0.value.members) }
    restored.attempts = ledger.attempts
    restored.lastToken = ledger.lastToken
    coordinator = CoordinatorMachine(
      CoordinatorConfiguration(
        run: "simulated", experiment: "e", version: "1", incarnation: coordinatorIncarnation, heartbeat: 1_000,
        lease: 5_000, groupPatience: 2_000, stall: stall, sharesJobs: sharesJobs),
      jobs: jobs, restored: restored, now: now)
    queue.put(now, .tickCoordinator(incarnation: coordinatorIncarnation))
  }

  mutating func decide(_ event: CoordinatorEvent) throws {
    let before = ledger
    let decided = coordinator!.handle(event, now: now)
    for decision in decided { try judge(decision.reason) }
    var waiting = decided.map(\.action)
    while !waiting.isEmpty {
      let action = waiting.removeFirst()
      switch action {
      case .send(let peer, let message):
        if case .cancel(let cancel) = message, cancel.code == .reshape { reshapes += 1 }
        outbox.append((peer, message))
      case .beginAttempt(let job, let token, let members):
        guard ledger.open[job] == nil, ledger.done[job] == nil else {
          throw Problem(description: "two owners of job \(job) at \(now) ms")
        }
        guard token > ledger.lastToken else { throw Problem(description: "token \(token) is given twice") }
        ledger.open[job] = (token, members)
        ledger.lastToken = token
        ledger.attempts[job, default: 0] += 1
      case .changeAttempt(let token, let members):
        guard let job = ledger.open.first(where: { $0.value.token == token })?.key else {
          throw Problem(description: "an attempt that is over is changed at \(now) ms")
        }
        rounds.forget(token)
        ledger.open[job]!.members = members
        changes += 1
      case .endAttempt(let token, _):
        rounds.forget(token)
        ledger.open = ledger.open.filter { $0.value.token != token }
      case .commit(let job, let token, let outputs):
        guard ledger.done[job] == nil else { throw Problem(description: "job \(job) is done twice") }
        guard ledger.open[job]?.token == token else {
          throw Problem(description: "job \(job) is finished with a stale token at \(now) ms")
        }
        guard outputs == SimulatedTraining.golden(jobs.first { $0.id == job }!) else {
          throw Problem(description: "job \(job) has a wrong result: \(outputs)")
        }
        guard jobs.first(where: { $0.id == job })!.dependencies.allSatisfy({ ledger.done[$0] != nil }) else {
          throw Problem(description: "job \(job) is done before what it needs")
        }
        ledger.open[job] = nil
        rounds.forget(token)
        ledger.done[job] = (token, outputs)
        waiting += coordinator!.handle(.committed(token: token), now: now).map(\.action)
      case .runHere(let assign):
        here = (assign, 0)
        queue.put(now + 300, .stepHere(incarnation: coordinatorIncarnation, token: assign.token))
      case .cancelHere: here = nil
      case .giveUp(let job, let sentence): throw Problem(description: "job \(job) is given up: \(sentence)")
      case .say, .end, .adoptFingerprint: break
      }
    }
    // The turn is over: its entries are on the disk, then its messages leave.
    if let death = dying, !outbox.isEmpty {
      if death == .beforeCommit { ledger = before }
      return crashCoordinator()
    }
    let sent = outbox
    outbox = []
    for (peer, message) in sent { toWorker(peer, message) }
    if events % 16 == 0, let problem = coordinator!.inconsistency {
      throw Problem(description: "at \(now) ms: \(problem)")
    }
    while let peer = unreachable.popLast() { if coordinator != nil { try decide(.unreachable(peer)) } }
  }

  /// A job is never taken from a worker that has neither hung nor been cut off.
  private mutating func judge(_ reason: String) throws {
    guard reason.contains("it is taken away, as"), let end = reason.range(of: " has not moved") else { return }
    taken += 1
    for part in reason[..<end.lowerBound].components(separatedBy: "worker w").dropFirst() {
      guard let index = Int(part.prefix { $0.isNumber }), part.contains("process"), !suspects.contains(index) else {
        continue
      }
      throw Problem(description: "w\(index) is accused though it has done nothing at \(now) ms: \(reason)")
    }
  }

  mutating func crashCoordinator() {
    (coordinator, here, dying, outbox, unreachable) = (nil, nil, nil, [], [])
    queue.put(now + 100 + random.below(6_000), .startCoordinator)
  }

  mutating func toWorker(_ peer: Peer, _ message: Message) {
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

  var unreachable: [Peer] = []
}

extension Peer {
  init(_ number: UInt64) { self.init(withUnsafeBytes(of: number) { [UInt8]($0) }) }
  var number: UInt64 { id.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) } }
}
