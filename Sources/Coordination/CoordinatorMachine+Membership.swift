import Wire

// Who is in: joining, heartbeats, leaving, and what each message of a worker leads to.

extension CoordinatorMachine {
  mutating func receive(_ peer: Peer, _ header: Header, _ message: Message, _ now: Milliseconds) {
    switch message {
    case .hello(let hello): return greet(peer, header, hello, now)
    case .statusRequest: return decide(.send(peer, .statusReply(status(now))), "")
    case .operate(let request): return operate(peer, request, now)
    default: break
    }
    let (isNew, mustGreet) = admit(peer, header, now: now)
    if mustGreet {
      return decide(.send(peer, .reset(Reset())), "a message came from a connection that has not said Hello")
    }
    guard isNew, let id = peers[peer] else { return }
    switch message {
    case .heartbeat(let heartbeat):
      workers[id]!.isDraining = heartbeat.draining || workers[id]!.isSentAway
      if workers[id]!.isSentAway && !heartbeat.draining { decide(.send(peer, .leave(Self.leave)), "") }
      if let ended { return decide(.send(peer, .runEnded(ending(ended))), "") }  // it has not heard of the end
      renew(id, heartbeat.held, now)
      decide(.send(peer, .heartbeatSeen(HeartbeatSeen())), "")
    case .bye(let bye): leave(id, bye.reason, now)
    case .jobFinished(let finished): jobFinished(id, peer, finished, now)
    case .jobFailed(let failed): jobFailed(id, peer, failed, now)
    case .groupJoin, .stepVote, .groupTrouble: receiveFromMember(id, peer, message, now)
    case .hello, .statusRequest, .operate: break  // answered above
    case .uploadBegin, .uploadChunk, .downloadWant, .downloadChunk, .downloadFailed, .contentsHeld, .holderFailed,
      .reduceSums, .metrics, .log, .logRequest:
      break  // not for us
    case .welcome, .refuse, .reset, .heartbeatSeen, .byeSeen, .runEnded, .assign, .jobClosed, .cancel, .uploadCredit,
      .uploadDone, .downloadElsewhere, .peerAdmitted, .peerRevoked, .reduceResult, .statusReply, .leave, .operateReply,
      .logReply, .regroup, .groupView, .stepCommit:
      break  // a worker does not send them
    }
  }

  private mutating func greet(_ peer: Peer, _ header: Header, _ hello: Hello, _ now: Milliseconds) {
    func refuse(_ code: RefusalCode, _ sentence: String) {
      decide(
        .send(peer, .refuse(Refuse(code: code, sentence: sentence))), "worker \(hello.name) is refused: \(sentence)")
    }
    guard hello.version == configuration.version else {
      return refuse(
        .version,
        "the worker is unmask \(hello.version), the coordinator \(configuration.version); install the same version on both"
      )
    }
    let numerics = Numerics.deciding(hello.fingerprint, usesBFloat16: configuration.usesBFloat16)
    if fingerprint.isEmpty, !numerics.isEmpty, ended == nil {
      fingerprint = numerics
      decide(.adoptFingerprint(fingerprint), "the run's numerics are those of worker \(hello.name): \(fingerprint)")
    }
    guard numerics.isEmpty || numerics == fingerprint || ended != nil else {
      return refuse(.fingerprint, Numerics.refusal(numerics, run: fingerprint))
    }
    if let ended { return decide(.send(peer, .runEnded(ending(ended))), "worker \(hello.name) came after the end") }
    let id = header.sender
    if let known = workers[id] {
      guard header.sequence > known.lastSequence else {
        dropped += 1
        return
      }
      peers[known.peer] = nil
    } else if let twin = names[hello.name].flatMap({ workers[$0] }) {
      guard twin.isUnreachable || now - twin.lastHeard > 2 * configuration.heartbeat else {
        return refuse(.name, "a worker named \(hello.name) is here already; give this one another name")
      }
      remove(twin.id, "its name was taken over by a newer process", now)
    }
    let before = workers[id]
    if before == nil { joined += 1 }
    workers[id] = WorkerRecord(
      id: id, order: before?.order ?? joined, hello: hello, peer: peer, lastHeard: now,
      lastSequence: header.sequence, isDraining: before?.isDraining ?? false, isSentAway: before?.isSentAway ?? false,
      strays: before?.strays ?? [:], left: before?.left ?? [:], watchedAt: before?.watchedAt)
    peers[peer] = id
    if let before { names[before.hello.name] = nil }
    names[hello.name] = id
    watch(worker: id)
    let welcome = Welcome(
      run: configuration.run, experiment: configuration.experiment, heartbeat: configuration.heartbeat,
      lease: configuration.lease, patience: configuration.patience, shared: configuration.shared)
    decide(
      .send(peer, .welcome(welcome)),
      "worker \(hello.name) (\(hello.host), process \(hello.process), \(hello.slots) jobs side by side) "
        + (before == nil ? "has joined" : "is back")
        + (hello.held.isEmpty ? "" : ", holding \(hello.held.count) leases"))
    renew(id, hello.held, now)
  }

  /// Renews the leases that a worker names, and tells it which are not its own.
  private mutating func renew(_ id: UInt64, _ held: [HeldLease], _ now: Milliseconds) {
    let tokens = Set(held.map(\.token))
    if workers[id]!.held != tokens { workers[id]!.held = tokens }
    noteStrays(id, held, now)
    for (token, wasHeld) in workers[id]!.left {
      if tokens.contains(token) {
        workers[id]!.left[token] = true
      } else if wasHeld || attempts[token] == nil {
        // It has stopped: it may share that attempt again.
        workers[id]!.left[token] = nil
        attempts[token]?.former.remove(id)
      }
    }
    reindex(id)
    for lease in held {
      if let rank = attempts[lease.token]?.members.firstIndex(where: { $0.worker == id }),
        attempts[lease.token]!.job == lease.job
      {
        attempts[lease.token]!.members[rank].expires = now + configuration.lease
        if attempts[lease.token]!.members[rank].progress != lease.progress {
          noteMove(lease.token, rank, lease.progress, now)
          noteStep(lease.token, rank, lease.progress, now)
        }
      } else if jobs[lease.job]?.token != lease.token || jobs[lease.job]?.state != .done {
        let reason = "the lease of job \(lease.job) is not this worker's any more"
        decide(
          .send(
            workers[id]!.peer,
            .cancel(Cancel(job: lease.job, token: lease.token, code: .fenced, reason: reason))),
          "worker \(workers[id]!.hello.name) is fenced: \(reason)")
      }
    }
  }

  private mutating func leave(_ id: UInt64, _ reason: String, _ now: Milliseconds) {
    decide(.send(workers[id]!.peer, .byeSeen(ByeSeen())), "")
    remove(id, reason.isEmpty ? "it left" : reason, now)
  }

  mutating func remove(_ id: UInt64, _ reason: String, _ now: Milliseconds) {
    guard let worker = workers.removeValue(forKey: id) else { return }
    peers[worker.peer] = nil
    if names[worker.hello.name] == id { names[worker.hello.name] = nil }
    index.remove(id)
    straying.remove(id)
    for family in paces.keys { paces[family]!.byWorker[id] = nil }
    decide(.say, "worker \(worker.hello.name) is gone: \(reason)")
    for token in (leases[id] ?? []).sorted() {
      loseMember(token, id, "worker \(worker.hello.name) is gone: \(reason)", now)
    }
  }

  /// The connection is gone: a dead process never comes back, a live one says Hello within a heartbeat or two.
  mutating func lostSight(of peer: Peer, _ now: Milliseconds) {
    guard let id = peers[peer] else { return }
    workers[id]!.isUnreachable = true
    reindex(id)
    let soon = now + 2 * configuration.heartbeat
    for token in leases[id] ?? [] {
      for rank in attempts[token]!.members.indices where attempts[token]!.members[rank].worker == id {
        attempts[token]!.members[rank].expires = min(attempts[token]!.members[rank].expires, soon)
      }
      watch(token, now)
    }
  }

  // MARK: - Indices

  /// Says to the index of workers how one is now: after every change of its leases or its state.
  mutating func reindex(_ id: UInt64) {
    guard let worker = workers[id] else { return }
    // What it says it holds, and what it was given and has not confirmed yet.
    let unconfirmed = leases[id]?.count { !worker.held.contains($0) } ?? 0
    index.update(worker, load: worker.held.count + unconfirmed)
  }

  /// A member of an attempt has no lease any more.
  mutating func release(_ id: UInt64, _ token: UInt64) {
    leases[id]?.remove(token)
    if leases[id]?.isEmpty == true { leases[id] = nil }
    reindex(id)
  }
}
