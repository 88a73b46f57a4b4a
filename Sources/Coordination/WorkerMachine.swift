public import Wire

/// What a worker's machine is told at its start and never changes.
public struct WorkerConfiguration: Sendable {
  /// The worker's name.
  public var name: String
  /// The program's version.
  public var version: String
  /// What its numerics are; empty if it does not say.
  public var fingerprint: String
  /// Its machine.
  public var host: String
  /// Its process number.
  public var process: Int
  /// How many jobs it does side by side.
  public var slots: Int
  /// This process's number in message headers.
  public var incarnation: UInt64
  /// Where the coordinator should be, for sentences.
  public var coordinator: String
  /// How long to look for a coordinator that is not there.
  public var coordinatorWait: Milliseconds
  /// How long leaving may take.
  public var drain: Milliseconds
  /// Where other workers may ask it for contents; empty if nowhere.
  public var address: String
  /// The key that it shows there, and to other workers; empty without encryption.
  public var key: String

  /// Describes a worker.
  public init(
    name: String, version: String, fingerprint: String = "", host: String, process: Int, slots: Int,
    incarnation: UInt64, coordinator: String, coordinatorWait: Milliseconds, drain: Milliseconds, address: String = "",
    key: String = ""
  ) {
    self.name = name
    self.version = version
    self.fingerprint = fingerprint
    self.host = host
    self.process = process
    self.slots = slots
    self.incarnation = incarnation
    self.coordinator = coordinator
    self.coordinatorWait = coordinatorWait
    self.drain = drain
    (self.address, self.key) = (address, key)
  }
}

/// How a worker's service ends.
public enum WorkerEnding: Sendable, Equatable {
  /// The run is over.
  case runEnded(isComplete: Bool, sentence: String)
  /// The run is over, and another one follows at the same address.
  case runFollows(next: String, sentence: String)
  /// It was asked to leave, and has left.
  case drained
  /// It may not join, or there is no coordinator.
  case failed(sentence: String)
}

/// What a worker's machine wants done.
public enum WorkerAction: Sendable, Equatable {
  /// Send a message.
  case send(Message)
  /// Throw the connection away and make a new one: an old one may never come back by itself.
  case reconnect
  /// The coordinator knows us, for the first time or again: requests without an answer must be sent again.
  case joined(Welcome, isFirst: Bool)
  /// Do a job.
  case start(Assign)
  /// Stop doing a job, and report it as failed with the code that fits.
  case cancel(token: UInt64, CancelCode?, reason: String)
  /// The lease is closed: nothing more is to be said about it.
  case forget(token: UInt64)
  /// Only a sentence for the log, which is the reason.
  case say
  /// Leave.
  case stop(WorkerEnding)
}

/// What happened to a worker.
public enum WorkerEvent: Sendable {
  /// A message arrived.
  case received(Header, Message)
  /// A message of another protocol version arrived.
  case foreign(version: UInt16)
  /// A job got further.
  case progress(token: UInt64, JobProgress)
  /// A job is done; its outputs are uploaded.
  case finished(token: UInt64, outputs: [ArtifactReference])
  /// A job has stopped.
  case failed(token: UInt64, FailureCode, sentence: String)
  /// A handshake with the coordinator failed.
  case refused(sentence: String, isFinal: Bool)
  /// The worker is asked to leave.
  case drain
  /// Time has passed.
  case tick
}

/// Decides everything that a worker says to its coordinator, as a pure function of state, event and time.
///
/// A worker never stops computing because the coordinator is away: its results count if its lease still holds when it
/// is back. A result is said again with every heartbeat until the coordinator has closed the lease.
public struct WorkerMachine: Sendable {
  private struct Lease: Sendable {
    let assign: Assign
    var progress: JobProgress
    var report: Message?
    var isCancelled = false
    var isReshaped = false
  }

  private enum Phase: Sendable, Equatable {
    case greeting
    case joined
    case leaving
    case over
  }

  private let configuration: WorkerConfiguration
  private var phase: Phase = .greeting
  private var leases: [UInt64: Lease] = [:]
  private var lastHeard: Milliseconds
  private var lastGreeting: Milliseconds?
  private var lastConnect: Milliseconds
  private var lastHeartbeat: Milliseconds = 0
  private var lastSaid: Milliseconds?
  private var drainedBy: Milliseconds?
  private var heartbeat: Milliseconds = 1_000
  private var experiment: String?
  private var ending: WorkerEnding?
  private var saidRefusal = ""
  private var decisions: [Decision<WorkerAction>] = []
  /// The coordinator's incarnation; 0 before it is known.
  public private(set) var session: UInt64 = 0

  /// Starts looking for a coordinator.
  public init(_ configuration: WorkerConfiguration, now: Milliseconds) {
    self.configuration = configuration
    lastHeard = now
    lastConnect = now
  }

  /// Handles one event; the decisions are to be carried out in order.
  public mutating func handle(_ event: WorkerEvent, now: Milliseconds) -> [Decision<WorkerAction>] {
    defer { decisions = [] }
    guard phase != .over else { return [] }
    switch event {
    case .received(let header, let message): receive(header, message, now)
    case .foreign(let version):
      stop(.failed(sentence: "\(configuration.coordinator): \(ForeignVersion.sentence(version))"))
    case .progress(let token, let progress): leases[token]?.progress = progress
    case .finished(let token, let outputs):
      report(token, .jobFinished(JobFinished(job: leases[token]?.assign.job.id ?? "", token: token, outputs: outputs)))
    case .failed(let token, let code, let sentence):
      report(
        token,
        .jobFailed(JobFailed(job: leases[token]?.assign.job.id ?? "", token: token, code: code, sentence: sentence)))
    case .refused(let sentence, let isFinal):
      if isFinal {
        stop(.failed(sentence: sentence))
      } else if saidRefusal != sentence {
        saidRefusal = sentence
        decide(.say, sentence)
      }
    case .drain: drain(now)
    case .tick: tick(now)
    }
    leaveIfDone(now)
    return decisions
  }

  /// Takes a message about files or sums for a sign of life of the coordinator.
  public mutating func noteTraffic(now: Milliseconds) { if phase == .joined { lastHeard = now } }

  /// When the machine next wants to hear the time, at the latest.
  public var interval: Milliseconds { phase == .greeting ? 100 : min(heartbeat / 2, 250) }

  private mutating func decide(_ action: WorkerAction, _ reason: String = "") {
    decisions.append(Decision(action: action, reason: reason))
  }

  private mutating func stop(_ ending: WorkerEnding) {
    for token in leases.keys.sorted() where leases[token]!.report == nil {
      decide(.cancel(token: token, .cancelled, reason: "the worker stops"))
    }
    phase = .over
    decide(.stop(ending))
  }

  // MARK: - Messages

  private mutating func receive(_ header: Header, _ message: Message, _ now: Milliseconds) {
    switch message {
    case .welcome(let welcome): return welcomed(header, welcome, now)
    case .refuse(let refusal):
      lastHeard = now
      guard refusal.code.mayPass else {
        return stop(.failed(sentence: "\(configuration.coordinator): \(refusal.sentence)"))
      }
      if saidRefusal != refusal.sentence { decide(.say, "still waiting: \(refusal.sentence)") }
      saidRefusal = refusal.sentence
      return
    case .reset:
      guard phase != .leaving else { return stop(ending ?? .drained) }
      // One Reset answers every message that was under way; one Hello is enough for all of them.
      if phase == .greeting, let last = lastGreeting, now - last < 200 { return }
      phase = .greeting
      return greet(now)
    case .runEnded(let end):
      lastHeard = now
      guard phase != .leaving else { return }
      for token in leases.keys.sorted() { decide(.cancel(token: token, .cancelled, reason: end.sentence)) }
      leases = [:]
      let over = WorkerEnding.runEnded(isComplete: end.isComplete, sentence: end.sentence)
      let isLast = end.next.isEmpty || drainedBy != nil
      return leave(isLast ? over : .runFollows(next: end.next, sentence: end.sentence), end.sentence, now)
    case .byeSeen:
      // The coordinator has forgotten us by now, so that this names no session.
      if phase == .leaving { stop(ending ?? .drained) }
      return
    default: break
    }
    guard header.sender == session, header.session == configuration.incarnation, phase != .greeting else { return }
    lastHeard = now
    switch message {
    case .assign(let assign): assigned(assign, now)
    case .leave(let leave):
      if drainedBy == nil { decide(.say, leave.reason) }
      drain(now)
    case .cancel(let cancel):
      guard leases[cancel.token] != nil, !leases[cancel.token]!.isCancelled else { return }
      // Whoever saves a checkpoint may still be told that nobody wants it any more.
      if cancel.code == .reshape {
        guard !leases[cancel.token]!.isReshaped else { return }
        leases[cancel.token]!.isReshaped = true
      } else {
        leases[cancel.token]!.isCancelled = true
      }
      if leases[cancel.token]!.report == nil {
        decide(
          .cancel(token: cancel.token, cancel.code, reason: cancel.reason), "job \(cancel.job) stops: \(cancel.reason)")
      }
    case .jobClosed(let closed):
      guard let lease = leases.removeValue(forKey: closed.token) else { return }
      decide(
        .forget(token: closed.token),
        closed.isAccepted ? "" : "the result of job \(lease.assign.job.id) is not taken: \(closed.reason)")
    case .heartbeatSeen: break  // that it came is all it says
    case .welcome, .refuse, .reset, .runEnded, .byeSeen: break  // taken above
    case .uploadCredit, .uploadDone, .downloadWant, .downloadChunk, .downloadFailed, .downloadElsewhere, .peerAdmitted,
      .peerRevoked, .reduceResult, .regroup, .groupView, .stepCommit:
      break  // they do not come here
    case .hello, .heartbeat, .bye, .jobFinished, .jobFailed, .metrics, .log, .uploadBegin, .uploadChunk, .contentsHeld,
      .holderFailed, .reduceSums, .groupJoin, .stepVote, .groupTrouble, .statusRequest, .statusReply, .operate,
      .operateReply, .logRequest, .logReply:
      break  // a coordinator does not send them to a worker
    }
  }

  private mutating func welcomed(_ header: Header, _ welcome: Welcome, _ now: Milliseconds) {
    guard phase == .greeting, header.session == configuration.incarnation else { return }
    let identity = "\(welcome.run) \(welcome.experiment)"
    guard experiment == nil || experiment == identity else {
      return stop(
        .failed(
          sentence: "\(configuration.coordinator) now serves another run, \(welcome.run); start the worker again for it"
        ))
    }
    let isFirst = experiment == nil
    experiment = identity
    session = header.sender
    heartbeat = welcome.heartbeat
    lastHeard = now
    lastSaid = nil
    phase = .joined
    decide(.joined(welcome, isFirst: isFirst), isFirst ? "joined run \(welcome.run)" : "back in run \(welcome.run)")
    beat(now)
  }

  private mutating func assigned(_ assign: Assign, _ now: Milliseconds) {
    guard leases[assign.token] == nil, phase == .joined else { return }
    let start = JobProgress(phase: "starting")
    leases[assign.token] = Lease(assign: assign, progress: start)
    if drainedBy != nil {
      // It crossed our heartbeat that says we are leaving.
      return report(
        assign.token,
        .jobFailed(
          JobFailed(job: assign.job.id, token: assign.token, code: .draining, sentence: "the worker is leaving")))
    }
    decide(
      .start(assign),
      "job \(assign.job.id)" + (assign.members > 1 ? ", member \(assign.rank) of \(assign.members)" : "")
        + (assign.attempt > 1 ? ", attempt \(assign.attempt)" : ""))
    beat(now)
  }

  /// Keeps a job's end and says it; it is said again until the lease is closed.
  private mutating func report(_ token: UInt64, _ message: Message) {
    guard leases[token] != nil, leases[token]!.report == nil else { return }
    leases[token]!.report = message
    if phase == .joined { decide(.send(message)) }
  }

  // MARK: - Time

  private mutating func tick(_ now: Milliseconds) {
    switch phase {
    case .greeting:
      if now - lastHeard > configuration.coordinatorWait {
        return stop(
          .failed(
            sentence: "no coordinator answers at \(configuration.coordinator) for "
              + "\(configuration.coordinatorWait / 1000) s; start it, or check the address and the firewall"))
      }
      if now - lastHeard > 2_000, lastSaid == nil || now - lastSaid! > 30_000 {
        lastSaid = now
        decide(
          .say,
          "waiting for a coordinator at \(configuration.coordinator)"
            + (leases.isEmpty ? "" : "; \(leases.count) jobs go on meanwhile"))
      }
      if now - lastConnect > 3_000 {
        lastConnect = now
        decide(.reconnect)
      }
      if lastGreeting == nil || now - lastGreeting! >= 300 { greet(now) }
    case .joined:
      if now - lastHeard > max(3 * heartbeat, 600) {
        phase = .greeting
        lastConnect = now
        lastGreeting = nil
        decide(.reconnect, "the coordinator was not heard from for \(now - lastHeard) ms: connecting anew")
      } else if now - lastHeartbeat >= heartbeat {
        beat(now)
        for token in leases.keys.sorted() { if let report = leases[token]!.report { decide(.send(report)) } }
      }
    case .leaving:
      if let by = drainedBy, now >= by { stop(ending ?? .drained) }
    case .over: break
    }
  }

  private mutating func greet(_ now: Milliseconds) {
    lastGreeting = now
    decide(
      .send(
        .hello(
          Hello(
            name: configuration.name, version: configuration.version, fingerprint: configuration.fingerprint,
            host: configuration.host, process: configuration.process, slots: configuration.slots, held: held,
            address: configuration.address, key: configuration.key))))
  }

  private mutating func beat(_ now: Milliseconds) {
    lastHeartbeat = now
    decide(.send(.heartbeat(Heartbeat(held: held, draining: drainedBy != nil))))
  }

  private var held: [HeldLease] {
    leases.keys.sorted().map {
      var progress = leases[$0]!.progress
      progress.message = String(progress.message.prefix(80))  // a heartbeat of many leases must fit a message
      return HeldLease(job: leases[$0]!.assign.job.id, token: $0, progress: progress)
    }
  }

  // MARK: - Leaving

  private mutating func drain(_ now: Milliseconds) {
    guard drainedBy == nil, phase != .leaving else { return }
    drainedBy = now + configuration.drain
    decide(.say, leases.isEmpty ? "leaving" : "leaving when \(leases.count) jobs have saved their checkpoints")
    for token in leases.keys.sorted() where leases[token]!.report == nil && !leases[token]!.isCancelled {
      decide(.cancel(token: token, nil, reason: "the worker is leaving"))
    }
    if phase == .joined { beat(now) }
  }

  private mutating func leaveIfDone(_ now: Milliseconds) {
    guard let by = drainedBy, phase == .joined || phase == .greeting else { return }
    if leases.isEmpty && phase == .joined {
      leave(.drained, "asked to leave", now)
    } else if now >= by || (phase == .greeting && leases.values.allSatisfy { $0.report != nil }) {
      if phase == .joined { decide(.send(.bye(Bye(reason: "asked to leave; its jobs took too long to stop")))) }
      stop(.drained)
    }
  }

  private mutating func leave(_ ending: WorkerEnding, _ reason: String, _ now: Milliseconds) {
    self.ending = ending
    phase = .leaving
    drainedBy = now + 1_000
    decide(.send(.bye(Bye(reason: reason))), reason)
  }
}
