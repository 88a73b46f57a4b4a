public import Wire

/// Decides everything that the coordinator does about workers, leases and jobs, as a pure function of state, event and
/// time. It does no I/O, reads no clock, and gives the reason of each decision.
///
/// The rules: a lease is renewed only by its holder's heartbeat that names it. A result counts only with the token of
/// the job's current attempt. Tokens rise for ever, over restarts too. Whoever names a lease that is not his is told to
/// stop, so that every lost message heals within a heartbeat or a lease.
public struct CoordinatorMachine: Sendable {
  let configuration: CoordinatorConfiguration
  let started: Milliseconds
  var workers: [UInt64: WorkerRecord] = [:]
  var peers: [Peer: UInt64] = [:]
  var jobs: [String: JobRecord] = [:]
  let order: [String]
  var attempts: [UInt64: AttemptRecord] = [:]
  var lastToken: UInt64
  var fingerprint: String
  var joined = 0
  /// Jobs that could start, the most urgent first. Kept beside their states, as thousands may wait.
  var ready: [WaitingJob] = []
  /// How many jobs are in each state.
  var counts: [JobState: Int] = [:]
  /// Whether the coordinator itself has jobs to do in this run.
  let hasLocalJobs: Bool
  private let places: [String: Int]
  /// What jobs took that are done, by family: the job's name without its last part, and its kind.
  var durations: [String: (total: Milliseconds, count: Int)] = [:]
  var decisions: [Decision<CoordinatorAction>] = []
  /// How the run ended, once it has.
  public internal(set) var ended: RunState?
  /// Messages that were dropped because they were repeated, late, or meant for an earlier process.
  public private(set) var dropped = 0

  /// Starts or goes on with a run.
  ///
  /// - Traps: if the graph has a problem; ask `JobGraph.problem` first.
  public init(
    _ configuration: CoordinatorConfiguration, jobs specs: [JobSpec], restored: RestoredRun, now: Milliseconds
  ) {
    let problem = JobGraph.problem(with: specs, shared: Set(configuration.shared.map(\.name)))
    precondition(problem == nil, "CoordinatorMachine: \(problem!)")
    self.configuration = configuration
    started = now
    order = specs.map(\.id)
    places = Dictionary(uniqueKeysWithValues: specs.enumerated().map { ($1.id, $0) })
    hasLocalJobs = specs.contains { $0.runsOn == .coordinator }
    lastToken = restored.lastToken
    fingerprint = configuration.fingerprint.isEmpty ? restored.fingerprint : configuration.fingerprint
    for spec in specs {
      var job = JobRecord(spec: spec, state: .blocked, since: now)
      job.attempts = restored.attempts[spec.id] ?? 0
      job.checkpoint = restored.checkpoints[spec.id]
      if let done = restored.done[spec.id] {
        (job.state, job.token, job.outputs) = (.done, done.token, done.outputs)
      }
      jobs[spec.id] = job
    }
    for attempt in restored.open {
      guard let job = jobs[attempt.job], job.state != .done, job.token == nil, !attempt.members.contains(0) else {
        decide(.endAttempt(token: attempt.token, reason: "the coordinator was restarted"), "")
        continue
      }
      attempts[attempt.token] = AttemptRecord(
        token: attempt.token, job: attempt.job, started: now,
        members: attempt.members.map {
          MemberRecord(worker: $0, expires: now + configuration.lease, progress: nil, movedAt: now)
        })
      jobs[attempt.job]!.token = attempt.token
      jobs[attempt.job]!.state = .running
      decide(.say, "job \(attempt.job) may still be running: its workers have \(configuration.lease) ms to come back")
    }
    for job in jobs.values { counts[job.state, default: 0] += 1 }
    unblock(now)
  }

  /// Handles one event; the decisions are to be carried out in order.
  public mutating func handle(_ event: CoordinatorEvent, now: Milliseconds) -> [Decision<CoordinatorAction>] {
    switch event {
    case .received(let peer, let header, let message): receive(peer, header, message, now)
    case .foreignHello(let peer, let version):
      let sentence =
        "this worker speaks protocol version \(version), the coordinator \(Header.protocolVersion); install "
        + "version \(configuration.version) of unmask on it"
      decide(.send(peer, .refuse(Refuse(code: .version, sentence: sentence))), sentence)
    case .unreachable(let peer):
      // The connection is gone: a dead process never comes back, a live one says Hello within a heartbeat or two.
      guard let id = peers[peer] else { break }
      workers[id]!.isUnreachable = true
      for token in attempts.keys {
        for rank in attempts[token]!.members.indices where attempts[token]!.members[rank].worker == id {
          let soon = now + 2 * configuration.heartbeat
          attempts[token]!.members[rank].expires = min(attempts[token]!.members[rank].expires, soon)
        }
      }
    case .revoked(let name): revoke(name, now)
    case .checkpointKept(let job, let artifact):
      jobs[job]?.checkpoint = artifact
      jobs[job]?.losses = 0
    case .committed(let token): finish(token, now)
    case .commitFailed(let token, let sentence):
      if let attempt = attempts[token], let peer = workers[attempt.members[0].worker]?.peer {
        let closed = JobClosed(job: attempt.job, token: token, isAccepted: false, reason: sentence)
        decide(.send(peer, .jobClosed(closed)), "")
      }
      fail(token, rank: 0, sentence, now)
    case .finishedHere(let token, let outputs):
      guard let attempt = attempts[token] else { break }
      attempts[token]!.outputs = outputs
      decide(.commit(job: attempt.job, token: token, outputs: outputs), "")
    case .failedHere(let token, let sentence): fail(token, rank: 0, sentence, now)
    case .groupBroken(let token, let reason): lose(token, reason, now)
    case .tick: tick(now)
    }
    schedule(now)
    endIfOver()
    defer { decisions = [] }
    return decisions
  }

  /// Whether a message about a job's files, sums or metrics comes from the holder of its current lease: the member's
  /// rank and the number of members, or the reason why not. Does not change anything.
  public func authorize(
    _ peer: Peer, _ header: Header, job: String, token: UInt64
  ) -> Result<(rank: Int, members: Int), Denial> {
    guard let id = peers[peer], header.sender == id, header.session == configuration.incarnation else {
      return .failure(Denial(reason: "the connection is not known", mustGreet: true))
    }
    guard let attempt = attempts[token], attempt.job == job, jobs[job]?.token == token,
      let rank = attempt.members.firstIndex(where: { $0.worker == id })
    else { return .failure(Denial(reason: "the lease of job \(job) is not this worker's any more", mustGreet: false)) }
    return .success((rank, attempt.members.count))
  }

  /// Why a message was not let through.
  public struct Denial: Error, Sendable {
    /// The sentence.
    public let reason: String
    /// Whether the sender must say Hello first.
    public let mustGreet: Bool
  }

  /// Takes a message about files, sums or metrics for a sign of life. False if it must not be handled, because it is
  /// repeated, or because its sender must say Hello first: then `Reset` is the answer.
  public mutating func admit(_ peer: Peer, _ header: Header, now: Milliseconds) -> (isNew: Bool, mustGreet: Bool) {
    guard let id = peers[peer], id == header.sender, header.session == configuration.incarnation else {
      return (false, true)
    }
    guard header.sequence > workers[id]!.lastSequence else {
      dropped += 1
      return (false, false)
    }
    workers[id]!.lastSequence = header.sequence
    workers[id]!.lastHeard = now
    workers[id]!.isUnreachable = false
    return (true, false)
  }

  /// Whether a token is that of a running attempt of a job.
  public func isCurrent(_ token: UInt64, of job: String) -> Bool { attempts[token]?.job == job }

  /// The peers of an attempt's members, by rank.
  public func peers(of token: UInt64) -> [Peer?] {
    attempts[token]?.members.map { workers[$0.worker]?.peer } ?? []
  }

  /// Notes how far a job in this process is.
  public mutating func noteProgress(_ token: UInt64, _ progress: JobProgress, now: Milliseconds) {
    guard attempts[token] != nil, attempts[token]!.members[0].progress != progress else { return }
    attempts[token]!.members[0].progress = progress
    attempts[token]!.members[0].movedAt = now
  }

  /// The incarnation of the worker behind a peer; 0 before it has joined.
  public func incarnation(of peer: Peer) -> UInt64 { peers[peer] ?? 0 }

  /// The name of the worker behind a peer, for people.
  public func name(of peer: Peer) -> String? { peers[peer].flatMap { workers[$0]?.hello.name } }

  /// The name of a worker by its incarnation.
  public func name(ofWorker incarnation: UInt64) -> String? { workers[incarnation]?.hello.name }

  /// Where a job stands; nil if there is none of this name.
  public func state(of job: String) -> JobState? { jobs[job]?.state }

  /// How many workers are in.
  public var workerCount: Int { workers.count }

  mutating func decide(_ action: CoordinatorAction, _ reason: String) {
    decisions.append(Decision(action: action, reason: reason))
  }

  // MARK: - Messages

  private mutating func receive(_ peer: Peer, _ header: Header, _ message: Message, _ now: Milliseconds) {
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
    case .hello, .statusRequest, .operate: break  // answered above
    case .uploadBegin, .uploadChunk, .downloadWant, .reduceSums, .metrics, .log, .logRequest: break  // not for us
    case .welcome, .refuse, .reset, .heartbeatSeen, .byeSeen, .runEnded, .assign, .jobClosed, .cancel, .uploadCredit,
      .uploadDone, .downloadChunk, .downloadFailed, .reduceResult, .statusReply, .leave, .operateReply,
      .logReply:
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
    } else if let twin = workers.values.first(where: { $0.hello.name == hello.name }) {
      guard twin.isUnreachable || now - twin.lastHeard > 2 * configuration.heartbeat else {
        return refuse(.name, "a worker named \(hello.name) is here already; give this one another name")
      }
      remove(twin.id, "its name was taken over by a newer process", now)
    }
    let isNew = workers[id] == nil
    if isNew { joined += 1 }
    workers[id] = WorkerRecord(
      id: id, order: workers[id]?.order ?? joined, hello: hello, peer: peer, lastHeard: now,
      lastSequence: header.sequence, isDraining: workers[id]?.isDraining ?? false,
      isSentAway: workers[id]?.isSentAway ?? false)
    peers[peer] = id
    let welcome = Welcome(
      run: configuration.run, experiment: configuration.experiment, heartbeat: configuration.heartbeat,
      lease: configuration.lease, shared: configuration.shared)
    decide(
      .send(peer, .welcome(welcome)),
      "worker \(hello.name) (\(hello.host), process \(hello.process), \(hello.slots) jobs side by side) "
        + (isNew ? "has joined" : "is back") + (hello.held.isEmpty ? "" : ", holding \(hello.held.count) leases"))
    renew(id, hello.held, now)
  }

  /// Renews the leases that a worker names, and tells it which are not its own.
  private mutating func renew(_ id: UInt64, _ held: [HeldLease], _ now: Milliseconds) {
    workers[id]!.held = Set(held.map(\.token))
    for lease in held {
      if let rank = attempts[lease.token]?.members.firstIndex(where: { $0.worker == id }),
        attempts[lease.token]!.job == lease.job
      {
        attempts[lease.token]!.members[rank].expires = now + configuration.lease
        if attempts[lease.token]!.members[rank].progress != lease.progress {
          attempts[lease.token]!.members[rank].progress = lease.progress
          attempts[lease.token]!.members[rank].movedAt = now
          attempts[lease.token]!.saidStuck = false
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
    decide(.say, "worker \(worker.hello.name) is gone: \(reason)")
    for attempt in attempts.values.sorted(by: { $0.token < $1.token })
    where attempt.members.contains(where: { $0.worker == id && !$0.isFinished }) {
      lose(attempt.token, "worker \(worker.hello.name) is gone: \(reason)", now)
    }
  }

  private mutating func jobFinished(_ id: UInt64, _ peer: Peer, _ message: JobFinished, _ now: Milliseconds) {
    workers[id]!.held.remove(message.token)
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
    if rank == 0 {
      attempts[message.token]!.outputs = message.outputs
      decide(.commit(job: message.job, token: message.token, outputs: message.outputs), "")
    } else {
      attempts[message.token]!.members[rank].isFinished = true
      attempts[message.token]!.members[rank].expires = .max
      close(true, "")
    }
  }

  private mutating func jobFailed(_ id: UInt64, _ peer: Peer, _ message: JobFailed, _ now: Milliseconds) {
    workers[id]!.held.remove(message.token)
    decide(
      .send(peer, .jobClosed(JobClosed(job: message.job, token: message.token, isAccepted: true, reason: ""))), "")
    guard let attempt = attempts[message.token], attempt.job == message.job,
      let rank = attempt.members.firstIndex(where: { $0.worker == id })
    else { return }
    switch message.code {
    case .failed: fail(message.token, rank: rank, message.sentence, now)
    case .worker:
      jobs[message.job]!.avoided.insert(id)
      lose(message.token, "worker \(workers[id]!.hello.name) cannot do it: \(message.sentence)", now)
    case .cancelled, .draining:
      // The heartbeat that says so may be lost; without this the job would come back to the same worker at once.
      if message.code == .draining { workers[id]!.isDraining = true }
      lose(message.token, "worker \(workers[id]!.hello.name) stopped: \(message.sentence)", now)
    }
  }

  // MARK: - Ends of attempts

  /// The job is done; members that have not said so are not needed any more.
  private mutating func finish(_ token: UInt64, _ now: Milliseconds) {
    guard let attempt = attempts.removeValue(forKey: token) else { return }
    setState(attempt.job, .done, now)
    noteDuration(attempt, now)
    jobs[attempt.job]!.outputs = attempt.outputs
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
    unblock(now)
  }

  /// The job failed by itself: it is tried again, on another worker if there is one, or given up.
  private mutating func fail(_ token: UInt64, rank: Int, _ sentence: String, _ now: Milliseconds) {
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
    let attempt = attempts.removeValue(forKey: token)!
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

  mutating func giveUp(_ name: String, _ sentence: String, _ now: Milliseconds) {
    setState(name, .failed, now)
    jobs[name]!.why = sentence
    decide(.giveUp(job: name, sentence: sentence), "job \(name) is given up: \(sentence)")
    // The order of the plan need not follow the dependencies: repeat until nothing more is lost.
    var lost: Set<String> = [name]
    var before = 0
    while lost.count > before {
      before = lost.count
      for next in order where jobs[next]!.state == .blocked {
        guard let cause = jobs[next]!.spec.dependencies.first(where: lost.contains) else { continue }
        lost.insert(next)
        setState(next, .abandoned, now)
        jobs[next]!.why = "it needs job \(cause), which was given up"
      }
    }
  }

  mutating func setState(_ name: String, _ state: JobState, _ now: Milliseconds) {
    let before = jobs[name]!.state
    counts[before, default: 0] -= 1
    counts[state, default: 0] += 1
    let waiting = WaitingJob(priority: jobs[name]!.spec.priority, place: places[name]!)
    if before == .ready, let index = ready.firstIndex(of: waiting) { ready.remove(at: index) }
    if state == .ready { ready.insert(waiting, at: ready.partitioningIndex { waiting < $0 }) }
    jobs[name]!.state = state
    jobs[name]!.since = now
    jobs[name]!.gatheringSince = nil
  }

  private mutating func unblock(_ now: Milliseconds) {
    guard counts[.blocked, default: 0] > 0 else { return }
    for name in order where jobs[name]!.state == .blocked {
      if jobs[name]!.spec.dependencies.allSatisfy({ jobs[$0]!.state == .done }) { setState(name, .ready, now) }
    }
  }

  // MARK: - Time

  private mutating func tick(_ now: Milliseconds) {
    for worker in workers.values.sorted(by: { $0.order < $1.order }) {
      let silence = now - worker.lastHeard
      if silence > configuration.lease {
        remove(worker.id, "it was silent for \(silence) ms", now)
      } else if silence > configuration.heartbeat * 3 / 2 {
        // Sending to a connection that is gone fails at once, which tells a dead process from a slow one.
        decide(.send(worker.peer, .heartbeatSeen(HeartbeatSeen())), "")
      }
    }
    for attempt in attempts.values.sorted(by: { $0.token < $1.token }) {
      if let rank = attempt.members.firstIndex(where: { $0.worker != 0 && $0.expires < now }) {
        let name = workers[attempt.members[rank].worker]?.hello.name ?? "that had it before the restart"
        lose(attempt.token, "the lease of worker \(name) has run out", now)
      } else if !attempt.saidStuck, let sentence = stuck(attempt, now) {
        attempts[attempt.token]!.saidStuck = true
        decide(.say, sentence)
      }
    }
  }

  private mutating func endIfOver() {
    let over = [JobState.done, .failed, .abandoned].reduce(0) { $0 + counts[$1, default: 0] }
    guard ended == nil, over == jobs.count else { return }
    let state: RunState = counts[.done, default: 0] == jobs.count ? .complete : .failed
    ended = state
    for worker in workers.values.sorted(by: { $0.order < $1.order }) {
      decide(.send(worker.peer, .runEnded(ending(state))), "")
    }
    decide(.end(state), ending(state).sentence)
  }

  func ending(_ state: RunState) -> RunEnded {
    if state == .cancelled {
      return RunEnded(
        isComplete: false, sentence: "run \(configuration.run) was cancelled by an operator; the same command goes on")
    }
    let failed = order.filter { jobs[$0]!.state == .failed }
    return RunEnded(
      isComplete: state == .complete,
      sentence: state == .complete
        ? "run \(configuration.run) is complete"
        : "run \(configuration.run) has ended without \(failed.joined(separator: ", "))")
  }
}
