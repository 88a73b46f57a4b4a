public import Wire

/// Decides everything that the coordinator does about workers, leases and jobs, as a pure function of state, event and
/// time. It does no I/O, reads no clock, and gives the reason of each decision.
///
/// The rules: a lease is renewed only by its holder's heartbeat that names it. A result counts only with the token of
/// the job's current attempt. Tokens rise for ever, over restarts too. Whoever names a lease that is not his is told to
/// stop, so that every lost message heals within a heartbeat or a lease.
///
/// - Cost: one event touches the worker and the jobs that it is about, never all of them: what decisions ask for stands
///   in indices (`WorkerIndex`, `OrderedBits`, `DeadlineQueue`).
public struct CoordinatorMachine: Sendable {
  let configuration: CoordinatorConfiguration
  let started: Milliseconds
  var workers: [UInt64: WorkerRecord] = [:]
  var peers: [Peer: UInt64] = [:]
  /// Workers by name.
  var names: [String: UInt64] = [:]
  /// Who is there and who has room.
  var index = WorkerIndex()
  var jobs: [String: JobRecord] = [:]
  /// Jobs in the plan's order.
  let order: [String]
  /// Jobs in the order in which they start if they can: by priority, then by the plan.
  let ranked: [String]
  /// The jobs that wait for each.
  let dependents: [String: [String]]
  var attempts: [UInt64: AttemptRecord] = [:]
  /// The attempts whose leases each worker has, by its incarnation; it may not be back yet after a restart.
  var leases: [UInt64: Set<UInt64>] = [:]
  /// Workers that hold a lease which they have no more.
  var straying: Set<UInt64> = []
  /// The groups of attempts that may be shared.
  var groups: [UInt64: GroupMachine] = [:]
  var lastToken: UInt64
  var fingerprint: String
  var joined = 0
  /// Ranks of the jobs that could start on a worker, and here.
  var ready: OrderedBits
  var readyHere: OrderedBits
  /// The attempt in this process, if any.
  var here: UInt64?
  /// The places of the jobs in each state.
  var inState: [JobState: OrderedBits]
  /// Files that jobs may read: those that are shared, and the outputs of jobs that are done.
  var published: [String: ArtifactReference]
  /// What is to be looked at when.
  var deadlines = DeadlineQueue()
  var estimates = Estimates()
  /// Who has which contents.
  var contents = ContentIndex()
  /// Step times by family.
  var paces: [String: Paces] = [:]
  /// The attempt that was asked to end at a checkpoint, so that its job can go on with other workers.
  var reshaping: UInt64?
  var nextReshape: Milliseconds = 0
  /// Experiments that follow at this address.
  public internal(set) var queue: [String]
  var decisions: [Decision<CoordinatorAction>] = []
  /// How the run ended, once it has.
  public internal(set) var ended: RunState?
  /// Messages that were dropped because they were repeated, late, or meant for an earlier process.
  public internal(set) var dropped = 0

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
    queue = configuration.queue
    order = specs.map(\.id)
    let byRank = specs.indices.sorted { (-specs[$0].priority, $0) < (-specs[$1].priority, $1) }
    ranked = byRank.map { specs[$0].id }
    var dependents: [String: [String]] = [:]
    for spec in specs { for name in Set(spec.dependencies) { dependents[name, default: []].append(spec.id) } }
    self.dependents = dependents
    ready = OrderedBits(bound: specs.count)
    readyHere = ready
    inState = Dictionary(uniqueKeysWithValues: JobState.allCases.map { ($0, OrderedBits(bound: specs.count)) })
    published = Dictionary(configuration.shared.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    lastToken = restored.lastToken
    fingerprint = configuration.fingerprint.isEmpty ? restored.fingerprint : configuration.fingerprint
    for (rank, place) in byRank.enumerated() {
      let spec = specs[place]
      var job = JobRecord(
        spec: spec, place: place, rank: rank, family: Estimates.family(of: spec), state: .blocked, since: now)
      job.attempts = restored.attempts[spec.id] ?? 0
      job.checkpoint = restored.checkpoints[spec.id]
      if let done = restored.done[spec.id] {
        (job.state, job.token, job.outputs) = (.done, done.token, done.outputs)
        for artifact in done.outputs { published[artifact.name] = artifact }
      } else {
        estimates.jobWaits(job)
      }
      jobs[spec.id] = job
      inState[job.state]!.insert(place)
    }
    for spec in specs {
      jobs[spec.id]!.openDependencies = Set(spec.dependencies).count { jobs[$0]!.state != .done }
    }
    for attempt in restored.open { take(over: attempt, now) }
    for name in order where jobs[name]!.state == .blocked && jobs[name]!.openDependencies == 0 {
      setState(name, .ready, now)
    }
  }

  /// An attempt of an earlier start: its workers have one lease time to come back.
  private mutating func take(over attempt: RestoredRun.OpenAttempt, _ now: Milliseconds) {
    guard let job = jobs[attempt.job], job.state != .done, job.token == nil, !attempt.members.contains(0) else {
      return decide(.endAttempt(token: attempt.token, reason: "the coordinator was restarted"), "")
    }
    attempts[attempt.token] = AttemptRecord(
      token: attempt.token, job: attempt.job, started: now,
      members: attempt.members.map {
        MemberRecord(worker: $0, expires: now + configuration.lease, progress: nil, movedAt: now)
      })
    for id in attempt.members { leases[id, default: []].insert(attempt.token) }
    jobs[attempt.job]!.token = attempt.token
    setState(attempt.job, .running, now)
    watch(attempt.token, now)
    openGroup(attempt.token)
    decide(.say, "job \(attempt.job) may still be running: its workers have \(configuration.lease) ms to come back")
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
    case .unreachable(let peer): lostSight(of: peer, now)
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
    case .tick:
      tick(now)
      tickGroups(now)
    }
    schedule(now)
    if case .tick = event { reshape(now) }
    endIfOver()
    defer { decisions = [] }
    return decisions
  }

  mutating func decide(_ action: CoordinatorAction, _ reason: String) {
    decisions.append(Decision(action: action, reason: reason))
  }

  // MARK: - The end

  private mutating func endIfOver() {
    guard ended == nil, count(.done) + count(.failed) + count(.abandoned) == jobs.count else { return }
    let state: RunState = count(.done) == jobs.count ? .complete : .failed
    ended = state
    for id in index.all { decide(.send(workers[id]!.peer, .runEnded(ending(state))), "") }
    decide(.end(state), ending(state).sentence)
  }

  func ending(_ state: RunState) -> RunEnded {
    let sentence: String
    switch state {
    case .cancelled: sentence = "run \(configuration.run) was cancelled by an operator; the same command goes on"
    case .complete: sentence = "run \(configuration.run) is complete"
    default:
      let failed = inState[.failed]!.map { order[$0] }
      sentence = "run \(configuration.run) has ended without \(failed.joined(separator: ", "))"
    }
    return RunEnded(isComplete: state == .complete, sentence: sentence, next: queue.first ?? "")
  }
}
