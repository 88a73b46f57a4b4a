import Wire

// What time alone brings about: silence, leases that run out, jobs that do not move.

extension CoordinatorMachine {
  /// Looks at what is due, and at nothing else.
  mutating func tick(_ now: Milliseconds) {
    while let (due, subject) = deadlines.take(dueBy: now) {
      switch subject {
      case .worker(let id):
        // An entry that is not the worker's latest was overtaken by another one.
        guard workers[id]?.watchedAt == due else { continue }
        workers[id]!.watchedAt = nil
        look(atWorker: id, now)
      case .attempt(let token):
        guard attempts[token]?.watchedAt == due else { continue }
        attempts[token]!.watchedAt = nil
        look(atAttempt: token, now)
      }
    }
  }

  private mutating func look(atWorker id: UInt64, _ now: Milliseconds) {
    let worker = workers[id]!
    let silence = now - worker.lastHeard
    if silence > configuration.lease { return remove(id, "it was silent for \(silence) ms", now) }
    guard silence > configuration.heartbeat * 3 / 2 else { return watch(worker: id) }
    // Sending to a connection that is gone fails at once, which tells a dead process from a slow one.
    decide(.send(worker.peer, .heartbeatSeen(HeartbeatSeen())), "")
    if silence > configuration.heartbeat * 5 / 2, !worker.isQuiet {
      workers[id]!.isQuiet = true
      reindex(id)
    }
    let next = min(now + max(1, configuration.heartbeat / 4), worker.lastHeard + configuration.lease + 1)
    workers[id]!.watchedAt = next
    deadlines.put(next, .worker(id))
  }

  /// Looks at a worker when it has been silent for longer than it should be.
  mutating func watch(worker id: UInt64) {
    let due = workers[id]!.lastHeard + configuration.heartbeat * 3 / 2 + 1
    guard due < workers[id]!.watchedAt ?? .max else { return }
    workers[id]!.watchedAt = due
    deadlines.put(due, .worker(id))
  }

  private mutating func look(atAttempt token: UInt64, _ now: Milliseconds) {
    let attempt = attempts[token]!
    if let rank = attempt.members.firstIndex(where: { $0.worker != 0 && $0.expires < now }) {
      let name = workers[attempt.members[rank].worker]?.hello.name ?? "that had it before the restart"
      return loseMember(
        token, attempt.members[rank].worker, "the lease of worker \(name) has run out", now)
    }
    lookForHang(token, now)
    if attempts[token] != nil { watch(token, now) }
  }

  /// Looks at an attempt when the first of its leases runs out, or when a member has not moved for too long.
  mutating func watch(_ token: UInt64, _ now: Milliseconds) {
    let attempt = attempts[token]!
    var due = Milliseconds.max
    for member in attempt.members where !member.isFinished {
      if member.worker != 0 { due = min(due, member.expires + 1) }
      let isNamed = attempt.saidStuck.contains(member.worker)
      let patience = configuration.stall * (isNamed ? CoordinatorConfiguration.hangFactor : 1)
      // One that waits for another may have waited for longer: it is looked at again, but not all the time.
      due = min(due, max(member.stillSince + patience, now + configuration.heartbeat))
    }
    guard due < attempt.watchedAt ?? .max else { return }
    attempts[token]!.watchedAt = due
    deadlines.put(due, .attempt(token: token))
  }
}
