import Wire

// Attempts that several workers share. Who belongs to one is decided here, by leases; what its members agree on is the
// group's own business (`GroupMachine`).

extension CoordinatorMachine {
  /// The group of an attempt that may be shared, as its members are now.
  mutating func openGroup(_ token: UInt64) {
    guard let attempt = attempts[token], case let spec = jobs[attempt.job]!.spec, spec.groupSize > 1,
      spec.runsOn == .worker
    else { return }
    groups[token] = GroupMachine(
      job: attempt.job, token: token, members: groupMembers(of: attempt), route: configuration.route)
  }

  private func groupMembers(of attempt: AttemptRecord) -> [GroupMachine.Member] {
    attempt.members.map { .init(id: $0.worker, name: workers[$0.worker]?.hello.name ?? String($0.worker, radix: 16)) }
  }

  /// A member's message about its group.
  mutating func receiveFromMember(_ id: UInt64, _ peer: Peer, _ message: Message, _ now: Milliseconds) {
    let (job, token): (String, UInt64) =
      switch message {
      case .groupJoin(let join): (join.job, join.token)
      case .stepVote(let vote): (vote.job, vote.token)
      case .groupTrouble(let trouble): (trouble.job, trouble.token)
      default: ("", 0)
      }
    guard let attempt = attempts[token], attempt.job == job, attempt.members.contains(where: { $0.worker == id }),
      groups[token] != nil
    else {
      let reason = "the lease of job \(job) is not this worker's any more"
      return decide(.send(peer, .cancel(Cancel(job: job, token: token, code: .fenced, reason: reason))), "")
    }
    switch message {
    case .groupJoin(let join): perform(take(token, now) { $0.join(id, join) }, token, now)
    case .stepVote(let vote): perform(take(token, now) { $0.vote(id, vote) }, token, now)
    case .groupTrouble(let trouble): perform(take(token, now) { $0.trouble(id, trouble) }, token, now)
    default: break
    }
  }

  /// Groups that form are told again who is missing.
  mutating func tickGroups(_ now: Milliseconds) {
    for token in groups.keys.sorted() { perform(groups[token]!.tick(now: now), token, now) }
  }

  private mutating func perform(_ actions: [GroupMachine.Action], _ token: UInt64, _ now: Milliseconds) {
    for action in actions {
      switch action {
      case .send(let member, let message):
        if let worker = workers[member] { decide(.send(worker.peer, message), "") }
      case .broken(let reason): lose(token, reason, now)
      case .tooSlow(let member, let reason):
        loseMember(token, member, reason, now)
        workers[member]?.left[token] = nil  // the others would be as slow with it again: it stays away
      case .say(let sentence): decide(.say, sentence)
      }
    }
  }

  /// One member of an attempt is lost: the others go on, if there are any.
  mutating func loseMember(_ token: UInt64, _ id: UInt64, _ reason: String, _ now: Milliseconds) {
    guard let attempt = attempts[token], groups[token] == nil || !attempt.isEnding else { return }
    // Members that are finished have nothing more to say, and cannot do what the first one must.
    let rest = attempt.members.filter { $0.worker != id && !$0.isFinished }
    guard groups[token] != nil, !rest.isEmpty, rest.count < attempt.members.count else {
      return lose(token, reason, now)
    }
    attempts[token]!.former.insert(id)
    if let worker = workers[id] {
      workers[id]!.left[token] = worker.left[token] == true || worker.held.contains(token)
    }
    if let worker = workers[id] {
      let cancel = Cancel(job: attempt.job, token: token, code: .groupBroken, reason: reason)
      decide(.send(worker.peer, .cancel(cancel)), "")
    }
    change(token, to: rest, "job \(attempt.job) goes on with \(rest.count) of its workers: \(reason)", now)
  }

  /// A member has ended its part: it joins no view any more.
  mutating func leaveOutFinished(_ token: UInt64, _ now: Milliseconds) {
    guard let attempt = attempts[token], groups[token]?.isForming == true else { return }
    change(token, to: attempt.members.filter { !$0.isFinished }, "a member has ended its part", now)
  }

  /// A worker that has nothing else to do shares a job that runs already.
  mutating func add(_ id: UInt64, to token: UInt64, _ now: Milliseconds) {
    guard let attempt = attempts[token], let worker = workers[id], groups[token] != nil else { return }
    let member = MemberRecord(worker: id, expires: now + configuration.lease, progress: nil, movedAt: now)
    let members = attempt.members.filter { !$0.isFinished } + [member]
    change(token, to: members, "worker \(worker.hello.name) joins job \(attempt.job)", now)
    decide(.send(worker.peer, .assign(assignment(token, rank: members.count - 1))), "")
  }

  private mutating func change(_ token: UInt64, to members: [MemberRecord], _ reason: String, _ now: Milliseconds) {
    let before = attempts[token]!.members
    attempts[token]!.members = members
    // Steps of another group take another time.
    attempts[token]!.pace = StepPace()
    for member in before where !members.contains(where: { $0.worker == member.worker }) {
      release(member.worker, token)
    }
    for member in members {
      leases[member.worker, default: []].insert(token)
      reindex(member.worker)
    }
    watch(token, now)
    decide(.changeAttempt(token: token, members: members.map(\.worker)), reason)
    let present = groupMembers(of: attempts[token]!)
    perform(take(token, now) { $0.change(to: present, reason) }, token, now)
  }

  /// Idle workers join groups that lack members, if no job waits for them.
  mutating func fillGroups(_ now: Milliseconds) {
    for token in groups.keys.sorted() where index.hasFree {
      guard let attempt = attempts[token], !attempt.isEnding, !attempt.members.contains(where: \.isFinished) else {
        continue
      }
      let wanted = jobs[attempt.job]!.spec.groupSize - attempt.members.count
      if wanted > 0 { for id in able(wanted, for: attempt, now) { add(id, to: token, now) } }
    }
  }

  /// Workers with room that may join an attempt, at most so many.
  func able(_ count: Int, for attempt: AttemptRecord, _ now: Milliseconds) -> [UInt64] {
    let (avoided, patience) = (jobs[attempt.job]!.avoided, configuration.heartbeat * 5 / 2)
    return index.free(count) { id in
      now - workers[id]!.lastHeard <= patience && !attempt.former.contains(id) && !avoided.contains(id)
        && !attempt.members.contains { $0.worker == id }
    }
  }

  /// Gives a running group as many members as it should have: idle workers join, or the last ones leave.
  mutating func resize(_ token: UInt64, to count: Int, _ reason: String, _ now: Milliseconds) {
    guard let attempt = attempts[token] else { return }
    decide(.say, "job \(attempt.job): \(reason)")
    for id in able(max(0, count - attempt.members.count), for: attempt, now) where !isSlow(id) {
      add(id, to: token, now)
    }
    for member in attempt.members.dropFirst(count).reversed() { loseMember(token, member.worker, reason, now) }
  }
}
