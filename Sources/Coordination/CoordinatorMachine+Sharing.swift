import Wire

// Idle workers join running jobs, leave them when others wait, and take over from slow ones. Who joins takes over the
// state from a member, who takes over goes on from a checkpoint, so that it changes nothing but the time.

extension CoordinatorMachine {
  /// Takes note of how far a member is: only the phase that is named as the job's kind counts, as others (checks, loading)
  /// have steps of their own.
  mutating func noteStep(_ token: UInt64, _ rank: Int, _ progress: JobProgress, _ now: Milliseconds) {
    let job = jobs[attempts[token]!.job]!
    guard rank == 0, progress.phase == job.spec.kind, progress.steps > 0 else { return }
    let step = max(0, progress.epoch - 1) * progress.steps + progress.step
    attempts[token]!.pace.note(step, at: now)
    attempts[token]!.steps = progress.steps * max(1, Int(job.spec.arguments["epochs"] ?? "") ?? 1)
    guard let pace = attempts[token]!.pace.milliseconds else { return }
    let members = attempts[token]!.members.count
    paces[job.family, default: Paces()].byMembers[members] = pace
    if members == 1 { paces[job.family]!.byWorker[attempts[token]!.members[0].worker] = pace }
  }

  /// How long a running job may take yet: by its steps, or by what others of its family took; nil if nothing is known.
  func left(of attempt: AttemptRecord, _ now: Milliseconds) -> Milliseconds? {
    let job = jobs[attempt.job]!
    if let pace = attempt.pace.milliseconds {
      // Others may have stopped early; a job that has more steps than they had may go on to its last.
      var steps = paces[job.family]?.usualSteps ?? attempt.steps
      if steps <= attempt.pace.step { steps = attempt.steps }
      // What still runs is never quite done, however quick its steps.
      return max(1, Int(pace * Double(max(1, min(steps, attempt.steps) - attempt.pace.step))))
    }
    // A job that takes longer than others did is as good as done, but never quite.
    return estimates.usual(family: job.family).map { max($0 - (now - attempt.started), $0 / 10) }
  }

  /// Looks, once a heartbeat, for a job that more, fewer or other workers would get done sooner.
  mutating func reshape(_ now: Milliseconds) {
    guard configuration.sharesJobs, ended == nil, now >= nextReshape else { return }
    nextReshape = now + configuration.heartbeat
    // One at a time: each changes what the next would go by. Whoever was asked long ago may never have heard.
    if let token = reshaping {
      guard let asked = attempts[token]?.reshapedAt, now - asked < configuration.lease else {
        attempts[token]?.wanted = nil
        reshaping = nil
        return
      }
      return
    }
    var best: (token: UInt64, choice: Sharing.Choice, reason: String)?
    for token in attempts.keys.sorted() {
      guard let (choice, reason) = choice(attempts[token]!, now) else { continue }
      if best == nil || choice.saved > best!.choice.saved { best = (token, choice, reason) }
    }
    guard let best, let lead = workers[attempts[best.token]!.members[0].worker] else { return }
    if groups[best.token] != nil, best.choice.members != attempts[best.token]!.members.count {
      return resize(best.token, to: best.choice.members, best.reason, now)
    }
    attempts[best.token]!.wanted = best.choice.members
    attempts[best.token]!.reshapedAt = now
    reshaping = best.token
    let cancel = Cancel(job: attempts[best.token]!.job, token: best.token, code: .reshape, reason: best.reason)
    decide(.send(lead.peer, .cancel(cancel)), "job \(attempts[best.token]!.job): \(best.reason)")
  }

  private func choice(_ attempt: AttemptRecord, _ now: Milliseconds) -> (Sharing.Choice, String)? {
    let job = jobs[attempt.job]!
    guard job.spec.runsOn == .worker, !attempt.isEnding, attempt.members.allSatisfy({ !$0.isFinished }),
      attempt.pace.milliseconds != nil, let left = left(of: attempt, now)
    else { return nil }
    let own = Set(attempt.members.map(\.worker))
    let known = paces[job.family] ?? Paces()
    if attempt.members.count == 1, ready.isEmpty, let worker = own.first, let pace = known.byWorker[worker] {
      let others = known.byWorker.filter { $0.key != worker }.map(\.value)
      let idle = index.free(1) {
        known.byWorker[$0].map { !Sharing.isSlow($0, usual: pace / 2) } ?? true && $0 != worker
      }
      if !idle.isEmpty, let choice = Sharing.replace(left: left, pace: pace, others: others) {
        let sentence =
          "worker \(workers[worker]?.hello.name ?? "?") is slow (\(Int(pace)) ms a step, others "
          + "\(Int(others.sorted()[others.count / 2]))): another one goes on"
        return (choice, sentence)
      }
    }
    guard job.spec.groupSize > 1 else { return nil }
    let running = Sharing.Running(
      left: left, members: attempt.members.count, most: job.spec.groupSize, paces: known.byMembers)
    let about = "about \(left / 1000) s are left"
    if ready.isEmpty {
      let idle = able(job.spec.groupSize, for: attempt, now).count { !isSlow($0) }
      guard let choice = Sharing.grow(running, idle: idle) else { return nil }
      return (choice, "\(idle) idle workers can share it: \(choice.members) go on, as \(about)")
    }
    guard !index.hasFree, let choice = Sharing.shrink(running, waiting: ready.count) else { return nil }
    return (choice, "\(ready.count) jobs wait for a worker: \(choice.members) go on, as \(about)")
  }

  /// Whether a worker's steps take much longer than other workers', in any family.
  func isSlow(_ id: UInt64) -> Bool {
    paces.values.contains { known in
      guard let own = known.byWorker[id] else { return false }
      let others = known.byWorker.filter { $0.key != id }.map(\.value).sorted()
      return !others.isEmpty && Sharing.isSlow(own, usual: others[others.count / 2])
    }
  }

  /// An attempt that was asked to end at a checkpoint has done so: its job goes on with the workers that it should have.
  mutating func reshaped(_ token: UInt64, _ now: Milliseconds) -> Bool {
    guard let attempt = attempts[token], let wanted = attempt.wanted else { return false }
    jobs[attempt.job]!.wanted = wanted
    if wanted == 1, attempt.members.count == 1 { jobs[attempt.job]!.avoided.insert(attempt.members[0].worker) }
    end(token, "job \(attempt.job) goes on with \(wanted) workers", now)
    return true
  }
}

/// Step times of a family of jobs.
struct Paces: Sendable {
  /// Milliseconds a step by the number of members.
  var byMembers: [Int: Double] = [:]
  /// Milliseconds a step by worker, of those that had a job for themselves.
  var byWorker: [UInt64: Double] = [:]
  /// Steps of the jobs that are done, and how many these are.
  var steps = 0
  var done = 0

  var usualSteps: Int? { done == 0 ? nil : steps / done }
}
