import Wire

// Threads that do not move while their process says that it lives: who is named, what is taken away, and who counts for
// nothing until it is back.

extension CoordinatorMachine {
  /// A lease that a worker says it holds and has no more: its thread has not stopped yet.
  struct Stray: Sendable {
    let job: String
    /// Since when its thread has not done what it should.
    let since: Milliseconds
  }

  /// The members that have not moved for too long and whom their attempt waits for, and the sentence about them.
  ///
  /// The members of a group stop together when one of them does. Those who have joined the view that forms, or have voted
  /// for the step, wait for the others. While sums are exchanged it cannot be seen who waits for whom; one that waits in
  /// vain says so (`GroupTrouble`) before anybody is called stuck, and then a view forms.
  func stuck(_ attempt: AttemptRecord, _ now: Milliseconds) -> (ranks: [Int], sentence: String)? {
    let present = attempt.members.indices.filter { !attempt.members[$0].isFinished }
    var (ranks, waiting): ([Int], [Int]) = (present, [])
    if present.count > 1, let group = groups[attempt.token] {
      ranks = present.filter { group.awaits(attempt.members[$0].worker) }
      waiting = present.filter { !ranks.contains($0) }
      if group.isForming { ranks.removeAll { now - attempt.members[$0].stillSince < configuration.stall } }
    }
    guard let last = ranks.map({ attempt.members[$0].stillSince }).max(), now - last >= configuration.stall else {
      return nil
    }
    let first = attempt.members[ranks[0]].progress
    let what = first.map { "phase \($0.phase), epoch \($0.epoch), step \($0.step)" } ?? "before its first step"
    let names = waiting.map { workers[attempt.members[$0].worker]?.hello.name ?? "another one" }
    let places = ranks.map { place(of: attempt.members[$0].worker) }.joined(separator: " and ")
    let rest = names.isEmpty ? "" : "; \(names.joined(separator: ", ")) \(names.count > 1 ? "wait" : "waits") for it"
    return (ranks, "job \(attempt.job) on \(places) has not moved for \((now - last) / 1000) s: \(what)\(rest)")
  }

  private func place(of id: UInt64) -> String {
    guard id != 0 else { return "the coordinator" }
    return workers[id].map { "worker \($0.hello.name) (\($0.hello.host), process \($0.hello.process))" }
      ?? "a lost worker"
  }

  /// Names members that have not moved for too long, and goes on without those that have not for much longer: their
  /// processes may say for ever that they live. Whatever their threads do later is fenced.
  mutating func lookForHang(_ token: UInt64, _ now: Milliseconds) {
    guard let attempt = attempts[token], let (ranks, sentence) = stuck(attempt, now) else { return }
    let limit = configuration.stall * CoordinatorConfiguration.hangFactor
    let hung = ranks.map { attempt.members[$0] }.filter { $0.worker != 0 && now - $0.stillSince >= limit }
    for member in hung {
      jobs[attempt.job]!.avoided.insert(member.worker)
      guard workers[member.worker]?.held.contains(token) == true else { continue }
      workers[member.worker]!.strays[token] = Stray(job: attempt.job, since: member.stillSince)
      straying.insert(member.worker)
    }
    let reason = "it is taken away, as \(sentence)"
    guard hung.count < attempt.members.count(where: { !$0.isFinished }) else { return lose(token, reason, now) }
    for member in hung { loseMember(token, member.worker, reason, now) }
    let named = Set(ranks.map { attempt.members[$0].worker })
    if hung.isEmpty, !named.isSubset(of: attempt.saidStuck) {
      attempts[token]!.saidStuck.formUnion(named)
      decide(.say, sentence)
    }
  }

  /// A member has got further.
  mutating func noteMove(_ token: UInt64, _ rank: Int, _ progress: JobProgress, _ now: Milliseconds) {
    attempts[token]!.members[rank].progress = progress
    attempts[token]!.members[rank].movedAt = now
    if attempts[token]!.saidStuck.remove(attempts[token]!.members[rank].worker) != nil { watch(token, now) }
  }

  /// Lets a group take something in. Members that it waits for from then on, and did not before, have stood still for the
  /// others' sake until now.
  mutating func take(
    _ token: UInt64, _ now: Milliseconds, _ change: (inout GroupMachine) -> [GroupMachine.Action]
  ) -> [GroupMachine.Action] {
    guard var group = groups.removeValue(forKey: token) else { return [] }
    let waiting = attempts[token]?.members.indices.filter { !group.awaits(attempts[token]!.members[$0].worker) } ?? []
    let actions = change(&group)
    for rank in waiting where group.awaits(attempts[token]!.members[rank].worker) {
      attempts[token]!.members[rank].waitedUntil = now
    }
    groups[token] = group
    return actions
  }

  // MARK: - Threads that do not stop

  /// Takes note of leases that a worker holds and has no more.
  mutating func noteStrays(_ id: UInt64, _ held: [HeldLease], _ now: Milliseconds) {
    let before = workers[id]!.strays
    var strays: [UInt64: Stray] = [:]
    for lease in held where leases[id]?.contains(lease.token) != true {
      strays[lease.token] = before[lease.token] ?? Stray(job: lease.job, since: now)
    }
    guard !before.isEmpty || !strays.isEmpty else { return }
    workers[id]!.strays = strays
    if strays.isEmpty { straying.remove(id) } else { straying.insert(id) }
  }

  /// Threads of a worker that should have stopped long ago: their slots do not come back.
  private func hangs(of id: UInt64, _ now: Milliseconds) -> [Stray] {
    (workers[id]?.strays ?? [:]).sorted { $0.key < $1.key }.map(\.value)
      .filter { now - $0.since >= configuration.stall }
  }

  /// Workers that may have room some time.
  func usableCount(_ now: Milliseconds) -> Int {
    index.liveCount - straying.count { !isUsable($0, now) && index.isLive($0) }
  }

  private func isUsable(_ id: UInt64, _ now: Milliseconds) -> Bool {
    index.isLive(id) && hangs(of: id, now).count < workers[id]!.hello.slots
  }

  /// Whether somebody could do a job some time on whom it has not failed yet.
  func isElsewherePossible(_ job: JobRecord, _ now: Milliseconds) -> Bool {
    job.avoided.count { isUsable($0, now) } < usableCount(now)
  }

  /// About threads that do not stop, for people.
  func hangSentences(_ now: Milliseconds) -> [String] {
    straying.sorted { workers[$0]!.order < workers[$1]!.order }.flatMap { id in
      hangs(of: id, now).map {
        "\(place(of: id)) holds job \($0.job), which was taken from it, and has not moved for "
          + "\((now - $0.since) / 1000) s: end that process, and start it again"
      }
    }
  }
}
