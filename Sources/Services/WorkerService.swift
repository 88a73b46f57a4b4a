import Coordination
import Files
public import Foundation
import Glibc
import Logging
import ShardTree
import Synchronization
import Transport
import Wire

/// Does a coordinator's jobs, several side by side, until the run is over, or until it is asked to leave.
///
/// - Thread: `serve` blocks; `drain` may be called from anywhere. All other state is touched by the thread in `serve`
///   alone, which is why the class may be shared.
public final class WorkerService: @unchecked Sendable {
  /// How the service ended well.
  public enum Outcome: Sendable, Equatable {
    /// The run is over, with every job done or not.
    case runEnded(isComplete: Bool, sentence: String)
    /// The run is over, and another one follows at the same address.
    case runFollows(next: String, sentence: String)
    /// The worker was asked to leave, and has left.
    case drained
  }

  let options: ServiceOptions
  private let directory: URL
  private let isDirectoryOurs: Bool
  private let makeRunner: @Sendable (URL) throws -> any JobRunner
  private let endpoint: Endpoint
  private let requests: WorkerRequests
  private let cache: ArtifactCache
  /// Where other workers reach this one: as the coordinator does.
  private let interface: String
  /// How long members of a group wait for each other, as the coordinator says.
  private var patience = ServiceOptions.Timing().stall / 2
  /// What it has for others, how they get it, and how it gets what they have.
  let shelf = ContentShelf()
  let server: ContentServer?
  let fetcher: ContentFetcher
  /// Contents that the coordinator has not been told of yet.
  var unsaid: [String] = []
  private var saidHeldAt = 0
  let incarnation: UInt64
  var machine: WorkerMachine
  private var sequence: UInt64 = 0
  var transfers: UInt64 = 0
  var contexts: [UInt64: WorkerJobContext] = [:]
  var uploads: [UInt64: UploadExchange] = [:]
  var downloads: [UInt64: DownloadExchange] = [:]
  var reductions: [UInt64: ReduceExchange] = [:]
  /// Metrics since a job's last checkpoint: said again on a new connection, since the old one may have lost them.
  var metrics: [UInt64: [Metrics]] = [:]
  var runner: (any JobRunner)?
  var queued: [Assign] = []
  var isJoined = false
  var ending: WorkerEnding?
  private let isDraining = Atomic(false)

  /// Prepares a worker; nothing is sent before `serve`.
  ///
  /// - Parameters:
  ///   - coordinator: its address, `tcp://HOST:PORT` or `ipc://PATH`. It need not be up yet.
  ///   - name: for people; no two workers of a run have the same. By default machine and process number.
  ///   - threads: how many jobs it does side by side.
  ///   - directory: where fetched files are kept; by default a temporary folder that is removed at the end.
  ///   - makeRunner: called once, off the service's thread, when the run's shared files are there.
  /// - Throws: one sentence about an address that is none or a folder that cannot be made.
  public init(
    coordinator: String, name: String? = nil, threads: Int = 1, directory: URL? = nil, options: ServiceOptions,
    makeRunner: @escaping @Sendable (URL) throws -> any JobRunner
  ) throws {
    precondition(threads >= 1 && threads <= 1_024, "WorkerService: \(threads) threads")
    let host = ProcessInfo.processInfo.hostName
    let process = Int(getpid())
    let name = name ?? "\(host)-\(process)"
    guard (1...128).contains(name.utf8.count) else {
      throw ServiceError("\"\(name)\" cannot name a worker: choose a name of 1 to 128 bytes")
    }
    self.options = options
    self.makeRunner = makeRunner
    incarnation = UInt64.random(in: 1...UInt64.max)
    isDirectoryOurs = directory == nil
    self.directory =
      directory
      ?? FileManager.default.temporaryDirectory.appendingPathComponent("unmask-worker-\(process)-\(incarnation)")
    Self.removeLeftovers()
    try makeFolder(self.directory)
    cache = try ArtifactCache(directory: self.directory.appendingPathComponent("cache"))
    interface = LocalInterface.address(towards: coordinator)
    let endpoint = try Endpoint.caller(to: coordinator, options: options.socket)
    self.endpoint = endpoint
    let door: PeerDoor? = if case .none = options.security { nil } else { PeerDoor() }
    server = Self.server(interface, coordinator, door, incarnation, shelf, options)
    fetcher = ContentFetcher(door: door, incarnation: incarnation)
    requests = WorkerRequests { endpoint.wake() }
    machine = WorkerMachine(
      WorkerConfiguration(
        name: name, version: options.version, fingerprint: options.fingerprint, host: host, process: process,
        slots: threads, incarnation: incarnation, coordinator: coordinator,
        coordinatorWait: options.timing.coordinatorWait, drain: options.timing.drain, address: server?.address ?? "",
        key: door?.publicKey ?? ""),
      now: monotonicMilliseconds())
  }

  /// Where other workers ask for contents. Without one they still get them through the coordinator; so they do where all
  /// are on one machine and meet at a socket file.
  private static func server(
    _ interface: String, _ coordinator: String, _ door: PeerDoor?, _ incarnation: UInt64, _ shelf: ContentShelf,
    _ options: ServiceOptions
  ) -> ContentServer? {
    guard coordinator.hasPrefix("tcp://") else { return nil }
    do {
      return try ContentServer(
        interface: interface, door: door, incarnation: incarnation, shelf: shelf, logger: options.logger)
    } catch {
      options.logger.warning("other workers cannot fetch from this one: \(error)")
      return nil
    }
  }

  /// Removes the temporary folders of workers that were killed: named after processes that are not there any more.
  private static func removeLeftovers() {
    let temporary = FileManager.default.temporaryDirectory
    for name in (try? FileManager.default.contentsOfDirectory(atPath: temporary.path)) ?? []
    where name.hasPrefix("unmask-worker-") {
      guard let process = name.split(separator: "-").dropFirst(2).first.flatMap({ Int32($0) }) else { continue }
      if kill(process, 0) != 0 && errno == ESRCH {
        try? FileManager.default.removeItem(at: temporary.appendingPathComponent(name))
      }
    }
  }

  /// Asks the worker to leave: its jobs save their checkpoints, it says goodbye, and `serve` returns.
  public func drain() {
    isDraining.store(true, ordering: .releasing)
    endpoint.wake()
  }

  /// Runs until the run is over or the worker has left.
  ///
  /// - Throws: `ServiceError` with the reason why it may not join, or that there is no coordinator.
  public func serve() throws -> Outcome {
    var toldDrain = false
    handle(.tick)
    while ending == nil {
      var incoming = endpoint.inbox.take(timeout: machine.interval)
      while let next = incoming, ending == nil {
        take(next)
        incoming = endpoint.inbox.take(timeout: 0)
      }
      for request in requests.take() { take(request) }
      if !toldDrain, isDraining.load(ordering: .acquiring) {
        toldDrain = true
        handle(.drain)
      }
      for (token, context) in contexts {
        handle(.progress(token: token, context.latestProgress))
        if isJoined, let question = context.group?.tick(now: monotonicMilliseconds(), isNew: false) { send(question) }
      }
      sayHeld()
      handle(.tick)
    }
    finish()
    switch ending! {
    case .runEnded(let isComplete, let sentence): return .runEnded(isComplete: isComplete, sentence: sentence)
    case .runFollows(let next, let sentence): return .runFollows(next: next, sentence: sentence)
    case .drained: return .drained
    case .failed(let sentence): throw ServiceError(sentence)
    }
  }

  /// Lets compute threads stop, within reason: whoever computes on without asking is cut off with the process.
  private func finish() {
    let stopped = JobCancelled(.cancelled, "the worker stops")
    for token in Array(contexts.keys) { cancel(token, stopped) }
    for download in downloads.values { download.answer.put(.failure(stopped)) }
    let until = monotonicMilliseconds() + 1_000
    while !contexts.isEmpty, monotonicMilliseconds() < until {
      _ = endpoint.inbox.take(timeout: 20)
      for request in requests.take() {
        switch request {
        case .finished(let token, _), .failed(let token, _, _): contexts[token] = nil
        case .upload(_, _, let answer): answer.put(.failure(stopped))
        case .download(_, _, _, _, let answer): answer.put(.failure(stopped))
        default: break
        }
      }
    }
    endpoint.close(flush: 50)
    server?.close()
    fetcher.reset(isOver: true)
    try? FileManager.default.removeItem(at: isDirectoryOurs ? directory : work)
  }

  private var work: URL { directory.appendingPathComponent("work-\(incarnation)") }
  private var shared: URL { work.appendingPathComponent("shared") }

  // MARK: - Decisions

  func handle(_ event: WorkerEvent) {
    for decision in machine.handle(event, now: monotonicMilliseconds()) {
      if !decision.reason.isEmpty { options.logger.info("\(decision.reason)") }
      switch decision.action {
      case .send(let message): send(message)
      case .reconnect:
        isJoined = false
        endpoint.reconnect()
      case .joined(let welcome, let isFirst): joined(welcome, isFirst: isFirst)
      case .start(let assign): start(assign)
      case .cancel(let token, let code, let reason):
        let why: JobCancelled.Reason =
          switch code {
          case .fenced?: .fenced
          case .cancelled?: .cancelled
          case .groupBroken?: .groupBroken
          case .reshape?: .reshaped
          case nil: .draining
          }
        cancel(token, JobCancelled(why, reason))
      case .forget(let token):
        metrics[token] = nil
        // Usually it has ended. If it was given back and given again, its end may have been answered twice.
        cancel(token, JobCancelled(.fenced, "its lease is closed"))
      case .say: break
      case .stop(let end): if ending == nil { ending = end }
      }
    }
  }

  func send(_ message: Message, frames: [[UInt8]] = []) {
    sequence += 1
    let packet = Packet(
      message, frames: frames, sender: incarnation, session: machine.session, sequence: sequence)
    let isDroppable = message.kind == .hello || message.kind == .heartbeat || message.kind == .log
    endpoint.send(packet.encoded(), isDroppable: isDroppable)
  }

  private func joined(_ welcome: Welcome, isFirst: Bool) {
    isJoined = true
    patience = welcome.patience
    // Who was let in may have been revoked since; and another coordinator knows nothing of what is here.
    server?.reset()
    fetcher.reset()
    unsaid = shelf.contents
    // What was asked on an old connection may be lost: everything without an answer is asked again.
    for token in metrics.keys.sorted() { for entry in metrics[token]! { send(.metrics(entry)) } }
    for upload in uploads.values { send(upload.start()) }
    for download in downloads.values {
      download.restart()
      for want in download.wants() { send(want) }
    }
    for context in contexts.values {
      if let question = context.group?.tick(now: monotonicMilliseconds(), isNew: true) { send(question) }
    }
    for reduction in reductions.values { for (message, frames) in reduction.pieces() { send(message, frames: frames) } }
    if isFirst { prepare(welcome) }
  }

  /// Fetches the shared files and makes the runner, on a thread of its own: both may take long.
  private func prepare(_ welcome: Welcome) {
    let (shared, cache, requests, makeRunner) = (shared, cache, requests, makeRunner)
    startComputeThread(named: "prepare") {
      do {
        try makeFolder(shared)
        for artifact in welcome.shared {
          guard ArtifactReference.isValid(name: artifact.name) else {
            throw ServiceError("the coordinator names a shared file \"\(artifact.name)\"")
          }
          let file = try cache.file(artifact) { temporary in
            let answer = Answer<DownloadEnd>()
            requests.put(.download(artifact, token: 0, to: temporary, elsewhere: false, answer))
            while true {
              if let result = answer.take(timeout: 1_000) {
                _ = try result.get()
                return
              }
            }
          }
          try linkOrCopy(file, to: shared.appendingPathComponent(artifact.name))
        }
        requests.put(.isReady(try makeRunner(shared)))
      } catch {
        requests.put(.cannotStart(sentence: "\(error)"))
      }
    }
  }

  func start(_ assign: Assign) {
    guard let runner else { return queued.append(assign) }
    let logger = options.logger
    let context = WorkerJobContext(
      assign, directory: work.appendingPathComponent("\(assign.token)-\(assign.rank)"), requests: requests,
      cache: cache, shelf: shelf, fetcher: fetcher, log: { logger.info("\($0)") })
    if assign.job.groupSize > 1 { context.openGroup(options, interface: interface, patience: patience) }
    contexts[assign.token] = context
    startComputeThread(named: "job \(assign.job.id)") { context.run(runner) }
  }

  private func cancel(_ token: UInt64, _ reason: JobCancelled) {
    if let index = queued.firstIndex(where: { $0.token == token }) {
      queued.remove(at: index)
      let code: FailureCode = reason.reason == .draining ? .draining : .cancelled
      return handle(.failed(token: token, code, sentence: reason.description))
    }
    contexts[token]?.cancel(reason)
    guard !reason.reason.keepsCheckpoint else { return }  // the last step is still done, and its checkpoint goes out
    if let reduction = reductions.removeValue(forKey: token) { reduction.answer.put(.failure(reason)) }
    for (transfer, download) in downloads where download.token == token {
      downloads[transfer] = nil
      download.answer.put(.failure(reason))
    }
    for (transfer, upload) in uploads where upload.begin.token == token {
      uploads[transfer] = nil
      upload.answer.put(.failure(reason))
    }
  }

  /// Tells the coordinator, now and then, what others may fetch from here.
  private func sayHeld() {
    let now = monotonicMilliseconds()
    guard isJoined, !unsaid.isEmpty, unsaid.count >= 256 || now - saidHeldAt >= 200 else { return }
    saidHeldAt = now
    for start in stride(from: 0, to: unsaid.count, by: ContentsHeld.limit) {
      send(.contentsHeld(ContentsHeld(contents: Array(unsaid[start..<min(unsaid.count, start + ContentsHeld.limit)]))))
    }
    unsaid = []
  }
}
