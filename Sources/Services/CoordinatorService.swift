import Coordination
public import Foundation
import Ledger
import Logging
import Synchronization
import Transport
public import Wire

/// Gets a run done: keeps the ledger and the run's files, gives jobs to workers that join, and does the coordinator's
/// own jobs. It can be killed at any moment; made again with the same arguments, it goes on.
///
/// - Thread: `serve` blocks; `stop` may be called from anywhere. All other state is touched by the thread in `serve`
///   alone, which is why the class may be shared.
public final class CoordinatorService: @unchecked Sendable {
  /// The address that workers connect to: with the port that was found, if any would do.
  public let address: String

  let options: ServiceOptions
  let directory: URL
  let specs: [String: JobSpec]
  let runner: any JobRunner
  let endpoint: Endpoint
  let ledger: Ledger
  let store: ArtifactStore
  let incarnation = UInt64.random(in: 1...UInt64.max)
  var machine: CoordinatorMachine
  var rounds: ReduceRounds
  var staged: [UInt64: [ArtifactReference]]
  var checkpoints: [String: ArtifactReference]
  var sequence: UInt64 = 0
  var waiting: [Decision<CoordinatorAction>] = []
  /// Messages that go out when what they tell of is in the ledger.
  var outgoing: [(frames: [[UInt8]], peer: [UInt8], isDroppable: Bool)] = []
  /// What is done when this turn's entries are in the ledger.
  var afterCommit: [() -> Void] = []
  var local: LocalJobContext?
  var logs: [String: Int] = [:]
  /// The job of each open attempt.
  var jobs: [UInt64: String]
  var complaints: [[UInt8]: Int] = [:]
  /// Pieces of samples that are passed on from worker to worker.
  var relays = ContentRelays()
  /// Those that are passed on to a job in this process.
  var downloads: [UInt64: DownloadExchange] = [:]
  var transfers: UInt64 = 0
  /// Samples' files that were found gone.
  var lost: Set<String> = []
  /// When what strangers may cause was last said.
  var saidAt: [String: Int] = [:]
  /// When all connections are to be cut, because a key was revoked.
  var cutAt: Int?
  var endedAt: Int?
  var isPerforming = false
  /// An upload that the store has just completed.
  var completed: (begin: UploadBegin, file: URL)?
  private let inbox = Mutex<[LocalEvent]>([])
  private let isStopping = Atomic(false)
  private let published: Mutex<StatusReply>

  /// What comes from the coordinator's own compute thread.
  enum LocalEvent: Sendable {
    case progress(token: UInt64, JobProgress)
    case checkpoint(token: UInt64, URL, Mailbox<Result<Void, any Error>>)
    case metrics(token: UInt64, [String: Double], epoch: Int)
    case download(ArtifactReference, to: URL, Answer<DownloadEnd>)
    case holderFailed(content: String, holder: String)
    case log(job: String, String)
    case finished(token: UInt64, [ArtifactReference])
    case failed(token: UInt64, sentence: String)
  }

  /// Opens the run directory and listens; nothing runs before `serve`.
  ///
  /// - Throws: one sentence about a plan that cannot work, a directory in use or of another experiment, an address in
  ///   use, a shared file that is not there.
  public init(
    plan: RunPlan, directory: URL, listen: String, runner: any JobRunner, options: ServiceOptions
  ) throws {
    for file in plan.shared where !ArtifactReference.isValid(name: file.name) {
      throw ServiceError("\"\(file.name)\" cannot name a shared file")
    }
    if let problem = JobGraph.problem(with: plan.jobs, shared: Set(plan.shared.map(\.name))) {
      throw ServiceError("the plan of run \(plan.name) cannot work: \(problem)")
    }
    self.options = options
    self.directory = directory
    self.runner = runner
    specs = Dictionary(uniqueKeysWithValues: plan.jobs.map { ($0.id, $0) })
    ledger = try Ledger(
      directory: directory, run: plan.name, experiment: plan.experimentHash, version: options.version)
    store = try ArtifactStore(
      directory: directory, limit: options.artifactLimit, offered: OfferedFiles(plan.offered))
    rounds = ReduceRounds(limit: options.reduceLimit)
    let shared = try plan.shared.map { file in
      let place = directory.appendingPathComponent(file.name)
      if file.file.standardizedFileURL != place.standardizedFileURL { try copy(file.file, to: place) }
      return try reference(to: place, as: file.name)
    }
    ledger.keepShared(shared)
    for artifact in shared { store.register(artifact) }

    let contents = Self.check(try ledger.contents(), ledger, store, options)
    try ledger.commit()
    (staged, checkpoints) = (contents.staged, contents.checkpoints)
    jobs = Dictionary(uniqueKeysWithValues: contents.open.map { ($0.token, $0.job) })
    var restored = RestoredRun()
    restored.done = contents.done
    restored.checkpoints = contents.checkpoints
    restored.open = contents.open.map { .init(job: $0.job, token: $0.token, members: $0.members) }
    restored.attempts = contents.attempts
    restored.lastToken = contents.lastToken
    restored.fingerprint = contents.fingerprint
    let timing = options.timing
    machine = CoordinatorMachine(
      CoordinatorConfiguration(
        run: plan.name, experiment: plan.experimentHash, version: options.version, fingerprint: options.fingerprint,
        usesBFloat16: options.usesBFloat16, incarnation: incarnation, shared: shared, heartbeat: timing.heartbeat,
        lease: timing.lease, groupPatience: timing.groupPatience, stall: timing.stall, lossLimit: options.lossLimit,
        sharesJobs: options.sharesJobs, queue: options.queue, route: options.route),
      jobs: plan.jobs, restored: restored, now: monotonicMilliseconds())
    published = Mutex(machine.status(monotonicMilliseconds()))
    // Last, so that nobody hears of a coordinator that then fails to start.
    endpoint = try Endpoint.listener(at: listen, options: options.socket)
    address = endpoint.address
    let known = contents.done.count
    say(
      "run \(plan.name): \(plan.jobs.count) jobs" + (known > 0 ? ", \(known) of them done before" : "")
        + "; listening on \(address)")
    if let advice = Ports.advice(for: listen) { options.logger.warning("\(advice)") }
  }

  /// What of the ledger's contents the run directory still bears out; the rest is done again.
  private static func check(
    _ contents: Ledger.Contents, _ ledger: Ledger, _ store: ArtifactStore, _ options: ServiceOptions
  ) -> Ledger.Contents {
    var contents = contents
    for (job, result) in contents.done.sorted(by: { $0.key < $1.key }) {
      if let lost = result.outputs.first(where: { !store.isIntact($0) }) {
        options.logger.warning("\(lost.name) is missing or damaged: job \(job) is done again")
        ledger.reopen(job: job)
        contents.done[job] = nil
      } else {
        result.outputs.forEach { store.register($0) }
      }
    }
    for (job, checkpoint) in contents.checkpoints.sorted(by: { $0.key < $1.key }) {
      if store.isIntact(checkpoint) {
        store.register(checkpoint)
      } else {
        options.logger.warning("the checkpoint of job \(job) is missing or damaged: the job starts from its beginning")
        ledger.dropCheckpoint(job: job)
        contents.checkpoints[job] = nil
      }
    }
    let open = Set(contents.open.map(\.token))
    for (token, artifacts) in contents.staged {
      contents.staged[token] =
        open.contains(token)
        ? artifacts.filter { store.isIntact($0, at: store.stagedFile($0, token: token)) } : nil
    }
    store.clean(checkpoints: Set(contents.checkpoints.values.map(\.name)), tokens: open)
    return contents
  }

  /// How the run is, at most a second or so old. Cheap, and for any thread.
  public func status() -> StatusReply { published.withLock { $0 } }

  /// Asks `serve` to return soon. Workers go on computing and wait for the same command to be given again.
  public func stop() {
    isStopping.store(true, ordering: .releasing)
    endpoint.wake()
  }

  /// Runs until every job is done or given up, or until `stop`.
  ///
  /// - Throws: one sentence when the ledger or a file cannot be written; the same command goes on from there.
  public func serve() throws -> RunOutcome {
    defer {
      local?.cancel(JobCancelled(.cancelled, "the coordinator stops"))
      endpoint.close(flush: 50)
      ledger.close()
    }
    var nextTick = 0
    var nextFlush = 0
    while !isStopping.load(ordering: .acquiring) {
      let now = monotonicMilliseconds()
      // A long write may have kept us from the mailbox: hear everybody out before judging who is silent.
      var incoming = endpoint.inbox.take(timeout: max(0, nextTick - now))
      var turn = Turn(limit: Self.turnLimit)
      while let next = incoming {
        try take(next)
        turn.messages += 1
        if turn.isLong {
          try finish(&turn)
          guard monotonicMilliseconds() < nextTick + 1_000 else { break }  // but a flood must not stop the clock
        }
        incoming = endpoint.inbox.take(timeout: 0)
      }
      try takeLocal()
      if monotonicMilliseconds() >= nextTick {
        try handle(.tick)
        try refreshKeys()
        refreshRelays()
        nextTick = monotonicMilliseconds() + min(100, options.timing.heartbeat / 2)
      }
      try finish(&turn)
      if monotonicMilliseconds() >= nextFlush {
        try endTurn(all: true)
        publishStatus()
        nextFlush = monotonicMilliseconds() + 1_000
      }
      // Everybody hears of the end, but nobody who is away can hold it up.
      if let endedAt, machine.workerCount == 0 || monotonicMilliseconds() - endedAt > 3_000 { break }
    }
    try endTurn(all: true)
    return outcome(publishStatus())
  }

  /// For how long messages are taken before what follows from them is written and sent.
  private static let turnLimit = 4_000_000

  private func finish(_ turn: inout Turn) throws {
    try endTurn()
    options.onTurn?(turn.messages, turn.elapsed)
    turn = Turn(limit: Self.turnLimit)
  }

  @discardableResult
  private func publishStatus() -> StatusReply {
    let status = machine.status(monotonicMilliseconds())
    published.withLock { $0 = status }
    return status
  }

  /// Messages that are handled together, with one transaction.
  private struct Turn {
    var messages = 0
    private let start = DispatchTime.now().uptimeNanoseconds
    private let limit: Int

    init(limit: Int) { self.limit = limit }

    var elapsed: Int { Int(DispatchTime.now().uptimeNanoseconds - start) }
    var isLong: Bool { elapsed >= limit }
  }

  private func outcome(_ status: StatusReply) -> RunOutcome {
    let failures = status.jobs.filter { $0.state == .failed || $0.state == .abandoned }
      .map { RunOutcome.Failure(job: $0.id, sentence: $0.why) }
    let sentence =
      switch machine.ended {
      case .complete?: "run \(status.run) is complete: \(status.done) jobs"
      case .cancelled?:
        "run \(status.run) was cancelled with \(status.done) of \(status.total) jobs done; the same command goes on"
      case nil:
        "run \(status.run) was stopped with \(status.done) of \(status.total) jobs done; the same command goes on"
      default:
        "run \(status.run) has ended with \(status.done) of \(status.total) jobs done; "
          + "\(failures.first.map { "job \($0.job): \($0.sentence)" } ?? "")"
      }
    return RunOutcome(
      isComplete: machine.ended == .complete, wasStopped: machine.ended == nil || machine.ended == .cancelled,
      wasCancelled: machine.ended == .cancelled, done: status.done, failures: failures, sentence: sentence)
  }

  func say(_ line: String) {
    options.logger.info("\(line)")
    ledger.note(line)
  }

  // MARK: - The coordinator's own jobs

  /// Called from the local compute thread.
  func post(_ event: LocalEvent) {
    inbox.withLock { $0.append(event) }
    endpoint.wake()
  }

  private func takeLocal() throws {
    let events = inbox.withLock { events in
      defer { events = [] }
      return events
    }
    for event in events { try takeLocal(event) }
  }
}
