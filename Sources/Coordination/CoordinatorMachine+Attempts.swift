import Wire

// What becomes of attempts: results, failures, losses, and the states of jobs that follow.

extension CoordinatorMachine {
  mutating func jobFinished(_ id: UInt64, _ peer: Peer, _ message: JobFinished, _ now: Milliseconds) {
    drop(message.token, by: id)
    func close(_ accepted: Bool, _ reason: String) {
      decide(
        .send(
          peer, .jobClosed(JobClosed(job: message.job, token: message.token, isAccepted: accepted, reason: reason))),
        accepted ? "" : "a result of job \(message.job) is not taken: \(reason)")
    }
    if let job = jobs[message.job], job.state == .done, job.token == message.token { return close(true, "") }
    guard let attempt = attempts[message.token], attempt.job == message.job,
      let rank = attempt.members.firstIndex(where: { $0.worker == id })
    else { return close(false, "its lease has passed on") }
    if rank == 0, groups[message.token] != nil,
      !Set(jobs[message.job]!.spec.outputs).isSubset(of: message.outputs.map(\.name))
    {
      // It became the first after it had ended its part, and has handed nothing over.
      close(true, "")
      return loseMember(message.token, id, "worker \(workers[id]!.hello.name) has ended its part", now)
    }
    if rank == 0 {
      attempts[message.token]!.outputs = message.outputs
      attempts[message.token]!.isEnding = true
      decide(.commit(job: message.job, token: message.token, outputs: message.outputs), "")
    } else {
      attempts[message.token]!.members[rank].isFinished = true
      attempts[message.token]!.members[rank].expires = .max
      release(id, message.token)
      close(true, "")
      leaveOutFinished(message.token, now)
    }
  }

  mutating func jobFailed(_ id: UInt64, _ peer: Peer, _ message: JobFailed, _ now: Milliseconds) {
    drop(message.token, by: id)
    decide(
      .send(peer, .jobClosed(JobClosed(job: message.job, token: message.token, isAccepted: true, reason: ""))), "")
    guard let attempt = attempts[message.token], attempt.job == message.job,
      let rank = attempt.members.firstIndex(where: { $0.worker == id })
    else { return }
    switch message.code {
    case .failed: fail(message.token, rank: rank, message.sentence, now)
    case .worker:
      jobs[message.job]!.avoided.insert(id)
      loseMember(message.token, id, "worker \(workers[id]!.hello.name) cannot do it: \(message.sentence)", now)
    case .cancelled where rank == 0 && reshaped(message.token, now): break
    case .cancelled, .draining:
      // The heartbeat that says so may be lost; without this the job would come back to the same worker at once.
      if message.code == .draining {
        workers[id]!.isDraining = true
        reindex(id)
      }
      loseMember(message.token, id, "worker \(workers[id]!.hello.name) stopped: \(message.sentence)", now)
    }
  }

  /// A worker has said that it holds a lease no more.
  private mutating func drop(_ token: UInt64, by id: UInt64) {
    workers[id]!.left[token] = true
    if workers[id]!.held.remove(token) != nil { reindex(id) }
  }

  // MARK: - Ends of attempts

  /// Takes an attempt out of everything but its job.
  private mutating func close(_ token: UInt64) -> AttemptRecord? {
    guard let attempt = attempts.removeValue(forKey: token) else { return nil }
    for member in attempt.members where member.worker != 0 { release(member.worker, token) }
    groups[token] = nil
    if here == token { here = nil }
    if reshaping == token { reshaping = nil }
    return attempt
  }

  /// The job is done; members that have not said so are not needed any more.
  mutating func finish(_ token: UInt64, _ now: Milliseconds) {
    guard let attempt = close(token) else { return }
    setState(attempt.job, .done, now)
    estimates.note(jobs[attempt.job]!, took: now - attempt.started)
    if attempt.pace.step > 0 {
      paces[jobs[attempt.job]!.family, default: Paces()].steps += attempt.pace.step
      paces[jobs[attempt.job]!.family]!.done += 1
    }
    jobs[attempt.job]!.outputs = attempt.outputs
    for artifact in attempt.outputs { published[artifact.name] = artifact }
    jobs[attempt.job]!.avoided = []
    for (rank, member) in attempt.members.enumerated() {
      guard let worker = workers[member.worker] else { continue }
      if rank == 0 {
        decide(
          .send(worker.peer, .jobClosed(JobClosed(job: attempt.job, token: token, isAccepted: true, reason: ""))),
          "job \(attempt.job) is done by worker \(worker.hello.name) in \(seconds(attempt, now))")
      } else if !member.isFinished {
        let cancel = Cancel(job: attempt.job, token: token, code: .cancelled, reason: "the job is done")
        decide(.send(worker.peer, .cancel(cancel)), "")
      }
    }
    if attempt.members[0].worker == 0 {
      decide(.say, "job \(attempt.job) is done by the coordinator in \(seconds(attempt, now))")
    }
    for name in dependents[attempt.job] ?? [] {
      jobs[name]!.openDependencies -= 1
      if jobs[name]!.openDependencies == 0, jobs[name]!.state == .blocked { setState(name, .ready, now) }
    }
  }

  /// The job failed by itself: it is tried again, on another worker if there is one, or given up.
  mutating func fail(_ token: UInt64, rank: Int, _ sentence: String, _ now: Milliseconds) {
    guard let attempt = attempts[token] else { return }
    let (id, name) = (attempt.members[rank].worker, attempt.job)
    jobs[name]!.failures += 1
    jobs[name]!.avoided.insert(id)
    let tries = "failure \(jobs[name]!.failures) of \(jobs[name]!.spec.maxAttempts)"
    let place = workers[id].map { "worker \($0.hello.name)" } ?? "the coordinator"
    end(token, "job \(name) failed on \(place) after \(seconds(attempt, now)) (\(tries)): \(sentence)", now)
    if jobs[name]!.failures >= jobs[name]!.spec.maxAttempts { giveUp(name, "\(sentence) (on \(place))", now) }
  }

  /// The attempt is lost with a worker, or broken; that is no failure of the job.
  mutating func lose(_ token: UInt64, _ reason: String, _ now: Milliseconds) {
    guard let attempt = attempts[token] else { return }
    jobs[attempt.job]!.losses += 1
    end(token, "an attempt of job \(attempt.job) is lost after \(seconds(attempt, now)): \(reason)", now)
    if jobs[attempt.job]!.losses >= configuration.lossLimit {
      giveUp(
        attempt.job, "it lost its worker \(configuration.lossLimit) times without getting further; the last: \(reason)",
        now)
    }
  }

  mutating func end(_ token: UInt64, _ reason: String, _ now: Milliseconds) {
    guard let attempt = close(token) else { return }
    decide(.endAttempt(token: token, reason: reason), reason)
    for member in attempt.members where !member.isFinished {
      let cancel = Cancel(
        job: attempt.job, token: token, code: attempt.members.count > 1 ? .groupBroken : .fenced, reason: reason)
      if member.worker == 0 {
        decide(.cancelHere(token: token, cancel), "")
      } else if let worker = workers[member.worker], worker.held.contains(token) || attempt.members.count > 1 {
        decide(.send(worker.peer, .cancel(cancel)), "")
      }
    }
    jobs[attempt.job]!.token = nil
    setState(attempt.job, .ready, now)
  }

  private func seconds(_ attempt: AttemptRecord, _ now: Milliseconds) -> String {
    let tenths = (now - attempt.started) / 100
    return "\(tenths / 10).\(tenths % 10) s"
  }

  /// The job will not be done, nor what needs it. Returns how many others are lost with it.
  @discardableResult
  mutating func giveUp(_ name: String, _ sentence: String, _ now: Milliseconds) -> Int {
    setState(name, .failed, now)
    jobs[name]!.why = sentence
    decide(.giveUp(job: name, sentence: sentence), "job \(name) is given up: \(sentence)")
    var lost = 0
    var waiting = [name]
    while let cause = waiting.popLast() {
      for next in dependents[cause] ?? [] where jobs[next]!.state == .blocked {
        lost += 1
        setState(next, .abandoned, now)
        jobs[next]!.why = "it needs job \(cause), which was given up"
        waiting.append(next)
      }
    }
    return lost
  }

  mutating func setState(_ name: String, _ state: JobState, _ now: Milliseconds) {
    let job = jobs[name]!
    inState[job.state]!.remove(job.place)
    inState[state]!.insert(job.place)
    let isHere = job.spec.runsOn == .coordinator
    if job.state == .ready { if isHere { readyHere.remove(job.rank) } else { ready.remove(job.rank) } }
    if state == .ready { if isHere { readyHere.insert(job.rank) } else { ready.insert(job.rank) } }
    let (waited, waits) = (job.state == .blocked || job.state == .ready, state == .blocked || state == .ready)
    if waited != waits { if waits { estimates.jobWaits(job) } else { estimates.jobWaitsNoMore(job) } }
    jobs[name]!.state = state
    jobs[name]!.since = now
    jobs[name]!.gatheringSince = nil
  }
}
