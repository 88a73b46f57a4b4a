import Wire

@testable import Coordination

// The simulated members of groups: they join views, take over states, and vote for steps.

extension Simulation {
  /// What the service does with a message about a group.
  mutating func hear(_ index: Int, _ token: UInt64, _ header: Header, _ message: Message) throws {
    guard let machine = workers[index].machine, header.session == workers[index].incarnation,
      header.sender == machine.session, workers[index].work[token]?.group != nil
    else { return }
    workers[index].machine!.noteTraffic(now: now + workers[index].clock)
    switch message {
    case .regroup(let regroup): workers[index].work[token]!.rank = regroup.rank
    case .groupView(let view): workers[index].work[token]!.rank = view.rank
    default: break
    }
    let hasChanged = workers[index].work[token]!.group!.receive(message)
    if hasChanged, [.exchanging, .sharing, .complaining].contains(workers[index].work[token]!.phase) {
      workers[index].work[token]!.isStopped = true
    }
    try wake(index, token)
  }

  /// A job's thread looks what there is for it to do; one that hangs does not.
  mutating func wake(_ index: Int, _ token: UInt64) throws {
    guard let work = workers[index].work[token] else { return }
    guard !workers[index].isHung else {
      return queue.put(now + 500, .wake(index, incarnation: workers[index].incarnation, token: token))
    }
    if let (code, saves) = work.cancelled { return stop(index, token, isDraining: code == nil, saves: saves) }
    let phase = work.phase
    if work.isStopped {
      // The route is stopped: the step counts for nothing.
      workers[index].work[token]!.isStopped = false
      workers[index].work[token]!.waiting = nil
      workers[index].work[token]!.phase = .joining(isPending: false)
    }
    if case .joining = workers[index].work[token]!.phase { return again(index, token, after: 0) }
    guard phase == .voting else { return }
    switch workers[index].work[token]!.group!.takeVerdict() {
    case .made: try finishStep(index, token, workers[index].work[token]!.values)
    case .void:
      workers[index].work[token]!.phase = .joining(isPending: true)
      again(index, token, after: 0)
    case nil: break
    }
  }

  mutating func again(_ index: Int, _ token: UInt64, after delay: Int) {
    queue.put(now + 1 + delay, .step(index, incarnation: workers[index].incarnation, token: token))
  }

  /// Asks what was not answered.
  mutating func askGroups(_ index: Int, isNew: Bool) {
    guard workers[index].machine != nil, workers[index].ending == nil else { return }
    for token in workers[index].work.keys.sorted() {
      if let question = workers[index].work[token]!.group?.tick(now: now, isNew: isNew) { tell(index, question) }
    }
  }

  private mutating func tell(_ index: Int, _ message: Message) {
    guard workers[index].machine != nil else { return }
    workers[index].sequence += 1
    let header = Header(
      kind: message.kind, sender: workers[index].incarnation, session: workers[index].machine!.session,
      sequence: workers[index].sequence)
    deliver(index, .toCoordinator(connection: workers[index].connection, header, message))
  }

  /// Members that wait in vain for the others say so.
  mutating func complain(_ index: Int) {
    guard workers[index].machine != nil, workers[index].ending == nil, !workers[index].isHung else { return }
    for (token, work) in workers[index].work.sorted(by: { $0.key < $1.key })
    where [.exchanging, .sharing].contains(work.phase) && now - work.since > stall / 2 {
      workers[index].work[token]!.waiting = nil
      workers[index].work[token]!.phase = .complaining
      if let trouble = workers[index].work[token]!.group?.trouble(isUnusable: false, "they do not come", now: now) {
        complaints += 1
        tell(index, trouble)
      }
    }
  }

  mutating func join(_ index: Int, _ token: UInt64, _ isPending: Bool) throws {
    workers[index].work[token]!.isStopped = false
    let work = workers[index].work[token]!
    if work.group!.mustJoin {
      let place = GroupPlace(machine: "", process: index, handle: 0, nonce: random.next(), address: "", key: "")
      return tell(
        index,
        workers[index].work[token]!.group!.join(
          shards: SimulatedTraining.shards, steps: work.state.step, isPending: isPending, place: place, now: now))
    }
    guard let view = work.group!.current else { return }
    if isPending {
      // The view tells what became of the step.
      if view.steps == work.state.step + 1 { return try finishStep(index, token, work.values) }
      workers[index].work[token]!.phase = .joining(isPending: false)
    }
    guard view.steps == work.state.step || view.donor != nil else {
      throw Problem(
        description: "w\(index) has \(work.state.step) steps of \(work.assign.job.id), the group \(view.steps)")
    }
    (workers[index].work[token]!.rank, workers[index].work[token]!.members) = (view.rank, view.members.count)
    (workers[index].work[token]!.view, workers[index].work[token]!.vectors) = (view.view, 0)
    guard let donor = view.donor else {
      workers[index].work[token]!.phase = .computing
      return again(index, token, after: random.below(400))
    }
    (workers[index].work[token]!.phase, workers[index].work[token]!.since) = (.sharing, now)
    // When the last one of a view comes, the state is handed on; each is told after a while of its own.
    let meeting = [token, UInt64(view.view)]
    meetings[meeting, default: []].insert(index)
    guard meetings[meeting]!.count == view.members.count,
      let giver = workers.firstIndex(where: { $0.work[token]?.view == view.view && $0.work[token]?.rank == donor }),
      workers[giver].work[token]?.phase == .sharing
    else { return }  // if it has died, the others wait for the next view
    let state = workers[giver].work[token]!.state
    for other in meetings.removeValue(forKey: meeting)!.sorted() {
      queue.put(now + 1 + random.below(60), .shared(other, token: token, view: view.view, state))
    }
  }

  /// A member has the sum of a step: it makes the step when all have.
  mutating func vote(_ index: Int, _ token: UInt64, _ values: [Float]) {
    guard let work = workers[index].work[token], work.phase == .exchanging else { return }
    let digest = values.reduce(UInt64(work.state.step)) { ($0 ^ UInt64($1.bitPattern)) &* 1_099_511_628_211 }
    // Every third worker is slow, and gets fewer shards.
    let own = work.group?.current.map { $0.members[$0.rank] }
    let question = workers[index].work[token]!.group!.vote(
      step: work.state.step, digest: digest,
      microseconds: (own.map { $0.high - $0.low } ?? 0) * (index % 3 == 1 ? 2_500 : 1_000), now: now)
    guard let question else {
      workers[index].work[token]!.phase = .joining(isPending: false)
      return again(index, token, after: 0)
    }
    (workers[index].work[token]!.phase, workers[index].work[token]!.values) = (.voting, values)
    tell(index, question)
  }
}
