import ShardTree
import Wire

@testable import Coordination

// The simulated workers: what they do with what they are told, their steps, sums and checkpoints, and the network.

extension Simulation {
  // MARK: - Workers

  mutating func startWorker(_ index: Int) {
    guard workers[index].machine == nil else { return }
    incarnations += 1
    let incarnation = incarnations + 1_000_000
    workers[index] = SimulatedWorker()
    workers[index].incarnation = incarnation
    workers[index].clock = random.below(1_000_000)
    workers[index].machine = WorkerMachine(
      WorkerConfiguration(
        name: "w\(index)", version: "1", host: "h", process: index, slots: slots, incarnation: incarnation,
        coordinator: "simulated", coordinatorWait: 1_000_000, drain: 3_000,
        address: contents.isDirect ? "tcp://10.0.0.\(index + 1):4000" : ""),
      now: now + workers[index].clock)
    connect(index)
    startContents(of: index)
    queue.put(now, .tickWorker(index, incarnation: incarnation))
  }

  mutating func connect(_ index: Int) {
    guard workers[index].machine != nil else { return }
    disconnect(index)
    connections += 1
    workers[index].connection = connections
    owners[connections] = index
  }

  mutating func disconnect(_ index: Int) { owners[workers[index].connection] = nil }

  mutating func workerDecides(_ index: Int, _ event: WorkerEvent) {
    guard workers[index].machine != nil, workers[index].ending == nil else { return }
    for decision in workers[index].machine!.handle(event, now: now + workers[index].clock) {
      switch decision.action {
      case .send(let message):
        workers[index].sequence += 1
        let header = Header(
          kind: message.kind, sender: workers[index].incarnation, session: workers[index].machine!.session,
          sequence: workers[index].sequence)
        deliver(index, .toCoordinator(connection: workers[index].connection, header, message))
      case .reconnect: connect(index)
      case .start(let assign):
        workers[index].work[assign.token] = Work(assign)
        queue.put(
          now + 100 + random.below(700), .step(index, incarnation: workers[index].incarnation, token: assign.token))
      case .cancel(let token, let code, _):
        guard let work = workers[index].work[token] else { break }
        if workers[index].isHung {
          // It looks when it moves again, if ever; the last word counts.
          workers[index].work[token]!.cancelled = (code, code == nil || code == .reshape)
          queue.put(now + 500, .wake(index, incarnation: workers[index].incarnation, token: token))
          break
        }
        if code == .reshape, [.exchanging, .voting].contains(work.phase) {
          // It ends the step first, as the others are still there.
          workers[index].work[token]!.isToStop = true
          break
        }
        stop(index, token, isDraining: code == nil, saves: code == nil || code == .reshape)
      case .stop(let ending):
        workers[index].ending = ending
        disconnect(index)
        if ending == .drained, ledger.done.count < jobs.count {
          workers[index].machine = nil
          workers[index].ending = nil
          queue.put(now + 1_000, .startWorker(index))
        }
      case .joined:
        // As the service does: what was asked on an old connection is asked again.
        for work in workers[index].work.values.sorted(by: { $0.assign.token < $1.assign.token }) {
          if let (message, frames) = work.waiting { send(index, message, frames) }
        }
        askGroups(index, isNew: true)
        sayContents(index)
      case .forget(let token): workers[index].work[token] = nil
      case .say: break
      }
    }
  }

  /// Ends a job that is not wanted here any more, with a last checkpoint if one is.
  mutating func stop(_ index: Int, _ token: UInt64, isDraining: Bool, saves: Bool) {
    if saves, isReachable(index, .both) { _ = try? save(index, token) }
    workers[index].work[token] = nil
    workerDecides(index, .failed(token: token, isDraining ? .draining : .cancelled, sentence: "cancelled"))
  }

  /// A step of a job: every second one leaves a checkpoint, the last one the result.
  mutating func step(_ index: Int, _ token: UInt64) throws {
    guard let work = workers[index].work[token] else { return }
    if case .joining(let isPending) = work.phase { return try join(index, token, isPending) }
    guard work.phase == .computing else { return }
    let again = Event.step(index, incarnation: workers[index].incarnation, token: token)
    if work.mustSave {
      // An upload blocks the job until the coordinator has kept it.
      guard isReachable(index, .both), coordinator != nil else { return queue.put(now + 500, again) }
      switch try save(index, token) {
      case .success: workers[index].work[token]?.mustSave = false
      case .failure(let denial):
        refused += 1
        if denial.mustGreet { return queue.put(now + 500, again) }  // sent again after Hello
        // As the service does: the refusal ends the job here, and says so.
        workers[index].work[token] = nil
        return workerDecides(index, .failed(token: token, .failed, sentence: denial.reason))
      }
      guard workers[index].work[token] != nil else { return }
    }
    if work.isToStop { return stop(index, token, isDraining: false, saves: true) }
    if work.state.isOver {
      workers[index].work[token] = nil
      if work.assign.job.arguments["fails"] == "once", work.assign.attempt == 1 {
        return workerDecides(index, .failed(token: token, .failed, sentence: "it fails once"))
      }
      return workerDecides(
        index, .finished(token: token, outputs: work.rank == 0 ? work.state.outputs(of: work.assign.job) : []))
    }
    if let group = work.group, group.current?.view != work.view {
      workers[index].work[token]!.phase = .joining(isPending: false)
      return queue.put(now, again)
    }
    guard work.members > 1 else {
      return try finishStep(index, token, work.state.sum(work.state.contribution(0..<SimulatedTraining.shards)))
    }
    // As `CoordinatorLink` numbers them: all of an earlier view are below those of a later one.
    let view = work.group!.current!
    let own = view.members[view.rank].low..<view.members[view.rank].high
    if own != ShardTree.shards(ofMember: view.rank, members: work.members, shards: SimulatedTraining.shards) {
      unequal += 1
    }
    let (message, frames) = work.state.message(work.assign, own, number: work.view << 32 + work.vectors + 1)
    workers[index].work[token]!.vectors += 1
    (workers[index].work[token]!.phase, workers[index].work[token]!.since) = (.exchanging, now)
    workers[index].work[token]!.waiting = (message, frames)
    send(index, message, frames)
  }

  mutating func finishStep(_ index: Int, _ token: UInt64, _ values: [Float]) throws {
    if let problem = workers[index].work[token]!.state.apply(values) {
      throw Problem(description: "job \(workers[index].work[token]!.assign.job.id) at \(now) ms: \(problem)")
    }
    let (state, rank) = (workers[index].work[token]!.state, workers[index].work[token]!.rank)
    workers[index].work[token]!.phase = .computing
    workers[index].work[token]!.mustSave = rank == 0 && state.step % 2 == 0 && !state.isOver
    workerDecides(index, .progress(token: token, JobProgress(phase: "k", step: state.step, steps: state.steps)))
    let pause = (100 + random.below(700)) * (sharesJobs && index == 1 ? 4 : 1)
    queue.put(now + pause, .step(index, incarnation: workers[index].incarnation, token: token))
  }

  /// Hands over a checkpoint of the step that was reached.
  mutating func save(_ index: Int, _ token: UInt64) throws -> Result<Void, CoordinatorMachine.Denial> {
    guard let work = workers[index].work[token], coordinator != nil else {
      return .failure(CoordinatorMachine.Denial(reason: "nobody is there", mustGreet: true))
    }
    let header = Header(
      kind: .uploadBegin, sender: workers[index].incarnation, session: workers[index].machine!.session, sequence: 0)
    let job = work.assign.job.id
    switch coordinator!.authorize(Peer(workers[index].connection), header, job: job, token: token) {
    case .success((let rank, _)):
      guard rank == 0 else { return .success(()) }
      guard ledger.open[job]?.token == token else {
        throw Problem(description: "a stale checkpoint of job \(job) is taken at \(now) ms")
      }
      guard work.state.step >= ledger.checkpoints[job]?.step ?? 0 else {
        throw Problem(description: "job \(job) goes back to step \(work.state.step) at \(now) ms")
      }
      ledger.checkpoints[job] = work.state
      try decide(.checkpointKept(job: job, work.state.artifact))
      return .success(())
    case .failure(let denial): return .failure(denial)
    }
  }

  // MARK: - Sums

  mutating func send(_ index: Int, _ message: ReduceSums, _ frames: [[UInt8]]) {
    let isRepeated = now < healAt && random.unit() < faults.repetition
    for copy in 0..<(isRepeated ? 2 : 1) {
      queue.put(
        now + 1 + random.below(60 + copy * 1_000),
        .sums(index, connection: workers[index].connection, message, frames))
    }
  }

  mutating func takeSums(
    _ index: Int, _ connection: UInt64, _ message: ReduceSums, _ frames: [[UInt8]]
  ) throws {
    guard coordinator != nil, owners[connection] == index, workers[index].machine != nil else { return }
    guard isReachable(index, .toCoordinator) else {
      return queue.put(now + 300, .sums(index, connection: connection, message, frames))
    }
    let header = Header(
      kind: .reduceSums, sender: workers[index].incarnation, session: workers[index].machine!.session, sequence: 0)
    switch coordinator!.authorize(Peer(connection), header, job: message.job, token: message.token) {
    case .failure(let denial):
      guard !denial.mustGreet else { return }  // it is said again after Hello
      let cancel = Cancel(job: message.job, token: message.token, code: .fenced, reason: denial.reason)
      toWorker(Peer(connection), .cancel(cancel))
    case .success((let rank, let members)):
      switch rounds.add(
        message, frames: frames, rank: rank, members: members, view: coordinator!.view(of: message.token))
      {
      case .waits: break
      case .complete(let pieces):
        sums += 1
        for peer in coordinator!.peers(of: message.token) { if let peer { answer(peer, message, pieces) } }
      case .again(let pieces): answer(Peer(connection), message, pieces)
      case .broken(let reason):
        throw Problem(description: "members of job \(message.job) contradict each other at \(now) ms: \(reason)")
      }
    }
  }

  mutating func answer(_ peer: Peer, _ message: ReduceSums, _ pieces: [ReduceRounds.Piece]) {
    guard let index = owners[peer.number], let piece = pieces.first else { return }
    queue.put(
      now + 1 + random.below(60),
      .sum(
        index, connection: peer.number, token: message.token, step: message.step,
        piece.bytes.withUnsafeBytes { Array($0.bindMemory(to: Float.self)) }))
  }

  // MARK: - Network

  func isReachable(_ index: Int, _ direction: Cut) -> Bool {
    guard let cut = workers[index].cut, now < healAt else { return true }
    return direction != .both && cut != .both && cut != direction
  }

  mutating func deliver(_ index: Int, _ event: Event) {
    let isHealed = now >= healAt
    var direction = Cut.toWorker
    if case .toCoordinator = event { direction = .toCoordinator }
    guard isReachable(index, direction), isHealed || random.unit() >= faults.loss else { return }
    queue.put(now + 1 + random.below(isHealed ? 5 : 60), event)
    if !isHealed, random.unit() < faults.repetition { queue.put(now + 1 + random.below(3_000), event) }
  }
}
