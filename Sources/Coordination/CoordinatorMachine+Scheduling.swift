import Wire

// Which job starts where. One pass a decision: the jobs that could start, best first, over the workers that are free.

extension CoordinatorMachine {
  /// Gives ready jobs to free workers, and to this process those that belong here.
  mutating func schedule(_ now: Milliseconds) {
    guard ended == nil, !ready.isEmpty else { return }
    var isHereBusy = attempts.values.contains { $0.members[0].worker == 0 }
    var free = FreeWorkers(self, now)
    var isReserved = false
    for waiting in ready {
      let name = order[waiting.place]
      let spec = jobs[name]!.spec
      if spec.runsOn == .coordinator {
        if !isHereBusy { assign(name, to: [0], now) }
        isHereBusy = true
        continue
      }
      // With thousands of jobs waiting for busy workers, look only for those that belong here.
      guard !free.ids.isEmpty, !isReserved else {
        if isHereBusy || !hasLocalJobs { break }
        continue
      }
      let chosen = choose(name, from: free.ids, now)
      if chosen.isEmpty {
        // A group is gathering: nobody less urgent may take its workers meanwhile.
        isReserved = jobs[name]!.gatheringSince != nil
        continue
      }
      assign(name, to: chosen, now)
      for id in chosen { free.take(id) }
    }
  }

  /// Workers with room for a job: least loaded first, then in order of joining, so that load spreads.
  private struct FreeWorkers {
    private struct Place: Comparable {
      var load: Int
      let order: Int
      let slots: Int
      let id: UInt64

      static func < (a: Self, b: Self) -> Bool { (a.load, a.order) < (b.load, b.order) }
    }

    private var places: [Place]

    init(_ machine: CoordinatorMachine, _ now: Milliseconds) {
      let patience = machine.configuration.heartbeat * 5 / 2
      let able = machine.workers.values.filter {
        !$0.isDraining && !$0.isUnreachable && now - $0.lastHeard <= patience
      }
      // Leases that a worker holds: what it last said, and what it was given since.
      var given: [UInt64: Int] = [:]
      for attempt in machine.attempts.values {
        for member in attempt.members where !member.isFinished {
          if machine.workers[member.worker]?.held.contains(attempt.token) == false {
            given[member.worker, default: 0] += 1
          }
        }
      }
      places = able.map {
        Place(load: $0.held.count + (given[$0.id] ?? 0), order: $0.order, slots: $0.hello.slots, id: $0.id)
      }
      .filter { $0.load < $0.slots }.sorted()
    }

    var ids: [UInt64] { places.map(\.id) }

    /// One more job for a worker.
    mutating func take(_ id: UInt64) {
      guard let index = places.firstIndex(where: { $0.id == id }) else { return }
      var place = places.remove(at: index)
      place.load += 1
      guard place.load < place.slots else { return }
      places.insert(place, at: places.firstIndex { place < $0 } ?? places.endIndex)
    }
  }

  /// The workers that a job gets now; none if it should wait.
  private mutating func choose(_ name: String, from free: [UInt64], _ now: Milliseconds) -> [UInt64] {
    let job = jobs[name]!
    let live = workers.values.filter { !$0.isDraining && !$0.isUnreachable }.map(\.id)
    // Retry elsewhere; on the same worker only if there is no other at all.
    let isElsewherePossible = live.contains { !job.avoided.contains($0) }
    let candidates = isElsewherePossible ? free.filter { !job.avoided.contains($0) } : free
    guard !candidates.isEmpty else { return [] }
    guard job.spec.groupSize > 1 else { return [candidates[0]] }
    // At the start of a run workers are still arriving; later the group is as large as the cluster allows.
    let isSettled = now - started >= configuration.groupPatience
    let wanted = isSettled ? min(job.spec.groupSize, live.count) : job.spec.groupSize
    if candidates.count >= wanted { return Array(candidates.prefix(wanted)) }
    let since = job.gatheringSince ?? now
    jobs[name]!.gatheringSince = since
    return now - since >= configuration.groupPatience ? candidates : []
  }

  private mutating func assign(_ name: String, to members: [UInt64], _ now: Milliseconds) {
    lastToken += 1
    let token = lastToken
    setState(name, .running, now)
    jobs[name]!.token = token
    jobs[name]!.attempts += 1
    let job = jobs[name]!
    attempts[token] = AttemptRecord(
      token: token, job: name, started: now,
      members: members.map {
        MemberRecord(worker: $0, expires: now + configuration.lease, progress: nil, movedAt: now)
      })
    let inputs = inputs(of: job.spec)
    func message(_ rank: Int) -> Assign {
      Assign(
        job: job.spec, token: token, rank: rank, members: members.count, attempt: job.attempts, inputs: inputs,
        checkpoint: job.checkpoint)
    }
    decide(.beginAttempt(job: name, token: token, members: members), "")
    for (rank, id) in members.enumerated() {
      let place = id == 0 ? "the coordinator" : "worker \(workers[id]!.hello.name)"
      let reason =
        "job \(name) goes to \(place)" + (members.count > 1 ? " as member \(rank) of \(members.count)" : "")
        + (job.checkpoint == nil ? "" : ", from its checkpoint")
      decide(id == 0 ? .runHere(message(0)) : .send(workers[id]!.peer, .assign(message(rank))), reason)
    }
  }

  private func inputs(of spec: JobSpec) -> [ArtifactReference] {
    let wanted = Set(spec.inputs)
    let published = order.flatMap { jobs[$0]!.state == .done ? jobs[$0]!.outputs : [] }
    return (configuration.shared + published).filter { wanted.contains($0.name) }.sorted { $0.name < $1.name }
  }
}
