import Wire

// Which job starts where. One pass a decision: the jobs that could start, best first, over the workers that are free.

extension CoordinatorMachine {
  /// Gives ready jobs to free workers, and to this process those that belong here.
  mutating func schedule(_ now: Milliseconds) {
    guard ended == nil else { return }
    if here == nil, let rank = readyHere.next(from: 0) { assign(ranked[rank], to: [0], now) }
    var next = ready.next(from: 0)
    while let rank = next, index.hasFree {
      let name = ranked[rank]
      let chosen = choose(name, now)
      if !chosen.isEmpty {
        assign(name, to: chosen, now)
      } else if jobs[name]!.gatheringSince != nil {
        break  // a group is gathering: nobody less urgent may take its workers meanwhile
      }
      next = ready.next(from: rank + 1)
    }
    // With `sharesJobs`, `reshape` says who joins.
    if !configuration.sharesJobs, ready.isEmpty, index.hasFree { fillGroups(now) }
  }

  /// The workers that a job gets now; none if it should wait.
  private mutating func choose(_ name: String, _ now: Milliseconds) -> [UInt64] {
    let job = jobs[name]!
    let patience = configuration.heartbeat * 5 / 2
    // Retry elsewhere; on the same worker only if no other can do it at all.
    let avoids = !job.avoided.isEmpty && isElsewherePossible(job, now)
    func candidates(_ count: Int) -> [UInt64] {
      index.free(count) {
        now - workers[$0]!.lastHeard <= patience && !(avoids && job.avoided.contains($0))
      }
    }
    // A job that is shared as it goes starts alone; `reshape` then says how many it is to go on with.
    let group = configuration.sharesJobs ? job.wanted ?? 1 : job.spec.groupSize
    guard group > 1 else { return candidates(1) }
    // At the start of a run workers are still arriving; later the group is as large as the cluster allows.
    let isSettled = now - started >= configuration.groupPatience
    let wanted = isSettled ? max(1, min(group, usableCount(now))) : group
    let found = candidates(wanted)
    if found.count == wanted || found.isEmpty { return found }
    let since = job.gatheringSince ?? now
    jobs[name]!.gatheringSince = since
    return now - since >= configuration.groupPatience ? found : []
  }

  private mutating func assign(_ name: String, to members: [UInt64], _ now: Milliseconds) {
    lastToken += 1
    let token = lastToken
    setState(name, .running, now)
    jobs[name]!.token = token
    jobs[name]!.wanted = nil
    jobs[name]!.attempts += 1
    let job = jobs[name]!
    attempts[token] = AttemptRecord(
      token: token, job: name, started: now,
      members: members.map {
        MemberRecord(worker: $0, expires: now + configuration.lease, progress: nil, movedAt: now)
      })
    for id in members where id != 0 {
      leases[id, default: []].insert(token)
      reindex(id)
    }
    if members == [0] { here = token }
    watch(token, now)
    openGroup(token)
    decide(.beginAttempt(job: name, token: token, members: members), "")
    for (rank, id) in members.enumerated() {
      let place = id == 0 ? "the coordinator" : "worker \(workers[id]!.hello.name)"
      let reason =
        "job \(name) goes to \(place)" + (members.count > 1 ? " as member \(rank) of \(members.count)" : "")
        + (job.checkpoint == nil ? "" : ", from its checkpoint")
      decide(
        id == 0
          ? .runHere(assignment(token, rank: 0)) : .send(workers[id]!.peer, .assign(assignment(token, rank: rank))),
        reason)
    }
  }

  /// What a member of an attempt is told at its start.
  func assignment(_ token: UInt64, rank: Int) -> Assign {
    let attempt = attempts[token]!
    let job = jobs[attempt.job]!
    return Assign(
      job: job.spec, token: token, rank: rank, members: attempt.members.count, attempt: job.attempts,
      inputs: inputs(of: job.spec), checkpoint: job.checkpoint)
  }

  private func inputs(of spec: JobSpec) -> [ArtifactReference] {
    spec.inputs.compactMap { published[$0] }.sorted { $0.name < $1.name }
  }
}
