import Files
import Foundation
import Glibc
import ShardTree
import Synchronization
import Transport
import Wire

/// The context of a job on a worker: everything goes through the service thread to the coordinator.
final class WorkerJobContext: JobContext {
  let assign: Assign
  let directory: URL
  private let requests: WorkerRequests
  private let cache: ArtifactCache
  private let shelf: ContentShelf
  private let fetcher: ContentFetcher
  private let logLine: @Sendable (String) -> Void
  private let state: Mutex<State>

  private struct State: Sendable {
    var progress = JobProgress(phase: "starting")
    var cancelled: JobCancelled?
    var published: [ArtifactReference] = []
    /// This member's number in its group.
    var rank: Int
  }

  private let opened = Mutex<GroupReducer?>(nil)

  /// The job's part in its group; nil for a job that nobody may share.
  var group: GroupReducer? { opened.withLock { $0 } }

  init(
    _ assign: Assign, directory: URL, requests: WorkerRequests, cache: ArtifactCache, shelf: ContentShelf,
    fetcher: ContentFetcher, log: @escaping @Sendable (String) -> Void
  ) {
    (self.assign, self.directory, self.requests, self.cache, logLine) = (assign, directory, requests, cache, log)
    (self.shelf, self.fetcher) = (shelf, fetcher)
    state = Mutex(State(rank: assign.rank))
  }

  /// Makes the job one that others may share. Before `run`.
  ///
  /// - Units: `patience` is in milliseconds.
  func openGroup(_ options: ServiceOptions, interface: String, patience: Int) {
    let isEncrypted = if case .none = options.security { false } else { true }
    let group = GroupReducer(
      self, requests: requests, isEncrypted: isEncrypted, interface: interface, patience: patience)
    opened.withLock { $0 = group }
  }

  private var rank: Int { state.withLock { $0.rank } }

  /// Takes what the coordinator says about the group.
  func receive(_ message: Message) {
    switch message {
    case .regroup(let regroup): state.withLock { $0.rank = regroup.rank }
    case .groupView(let view): state.withLock { $0.rank = view.rank }
    default: break
    }
    group?.receive(message)
  }

  /// Does the job and reports its end, on the compute thread.
  func run(_ runner: any JobRunner) {
    let token = assign.token
    defer { opened.withLock { $0 = nil } }
    do {
      try makeFolder(directory)
      try check(evenDraining: true)
      try runner.run(assign.job, self)
      try uploadKept()
      let published = state.withLock { $0.published }
      let names = Set(published.map(\.name))
      if rank == 0, let missing = assign.job.outputs.first(where: { !names.contains($0) }) {
        throw ServiceError("job \(assign.job.id) ended without publishing \(missing)")
      }
      requests.troubles.store(0, ordering: .relaxed)
      requests.put(.finished(token: token, outputs: published))
    } catch let cancelled as JobCancelled {
      let code: FailureCode = cancelled.reason == .draining ? .draining : .cancelled
      requests.put(.failed(token: token, code, sentence: cancelled.description))
    } catch {
      let sentence = "\(error)"
      // A full disk is this machine's fault, not the job's: another worker may do better.
      let isOurs =
        (error as? FileProblem)?.isFull == true || sentence.contains(String(cString: strerror(ENOSPC)))
        || sentence.contains(String(cString: strerror(EDQUOT)))
      if isOurs { pauseAfterTrouble() }
      requests.put(.failed(token: token, isOurs ? .worker : .failed, sentence: sentence))
    }
    try? FileManager.default.removeItem(at: directory)
  }

  /// Waits before a machine in trouble says so again, longer each time: where no other worker is there, it is given the
  /// job at once, and a disk that is full for a minute must not end the run.
  private func pauseAfterTrouble() {
    let before = requests.troubles.add(1, ordering: .relaxed).oldValue
    guard before > 0 else { return }
    let until = monotonicMilliseconds() + min(30_000, 500 << min(before, 10))
    state.withLock { $0.progress.message = "waits: this machine cannot do it just now" }
    while monotonicMilliseconds() < until, (try? check(evenDraining: true)) != nil { usleep(100_000) }
  }

  /// How far the job last said it is.
  var latestProgress: JobProgress { state.withLock { $0.progress } }

  /// Makes the job stop at its next call. Any reason replaces one that wants a checkpoint.
  func cancel(_ reason: JobCancelled) {
    state.withLock { state in
      if state.cancelled?.reason.keepsCheckpoint ?? true { state.cancelled = reason }
    }
    group?.wake(isDraining: reason.reason.keepsCheckpoint)
  }

  /// - Throws: `JobCancelled` if the job must stop.
  func check() throws { try check(evenDraining: false) }

  /// - Throws: `JobCancelled` if the job must stop; `evenDraining`, also if it is to leave a checkpoint first.
  func check(evenDraining: Bool) throws {
    guard let reason = state.withLock({ $0.cancelled }) else { return }
    if !reason.reason.keepsCheckpoint || evenDraining { throw reason }
  }

  private func wait<Value: Sendable>(_ answer: Answer<Value>, evenDraining: Bool) throws -> Value {
    while true {
      if let result = answer.take(timeout: 500) { return try result.get() }
      try check(evenDraining: evenDraining)
    }
  }

  private func fetch(_ artifact: ArtifactReference, as name: String) throws -> URL {
    try check(evenDraining: true)
    let file = try cache.file(artifact) { temporary in
      let answer = Answer<DownloadEnd>()
      requests.put(.download(artifact, token: assign.token, to: temporary, elsewhere: false, answer))
      _ = try wait(answer, evenDraining: true)
    }
    let place = directory.appendingPathComponent(name)
    try linkOrCopy(file, to: place)
    return place
  }

  func input(_ name: String) throws -> URL {
    guard let artifact = assign.inputs.first(where: { $0.name == name }) else {
      throw ServiceError("job \(assign.job.id) has no input named \(name)")
    }
    return try fetch(artifact, as: "inputs/\(name)")
  }

  func download(_ content: ArtifactReference, to file: URL) throws -> ContentOrigin {
    var elsewhere = true
    for _ in 0..<4 {
      try check(evenDraining: false)
      let answer = Answer<DownloadEnd>()
      requests.put(.download(content, token: assign.token, to: file, elsewhere: elsewhere, answer))
      switch try wait(answer, evenDraining: false) {
      case .complete(let sources):
        // The coordinator's own bytes are the caller's to check; what it passes on is checked here, to name the culprit.
        guard !sources.isEmpty else { return .coordinator }
        if try sha256(of: file) == content.sha256 { return .worker }
        for name in sources.sorted() { report(content, name, .wrong, "it gave another content") }
      case .elsewhere(let holders):
        elsewhere = false
        let giver = try fetcher.fetch(content, from: holders, to: file, check: { try check(evenDraining: false) }) {
          holder, trouble in
          logLine("worker \(holder.name) did not give \(content.name): \(trouble.sentence)")
          if let kind = trouble.report { report(content, holder.name, kind, trouble.sentence) }
        }
        if giver != nil { return .worker }
      }
    }
    throw ServiceError(
      "\(content.name) arrived from other workers with another content, and the coordinator has it no more")
  }

  /// Tells the coordinator that a worker is not to be asked for a content again.
  private func report(_ content: ArtifactReference, _ holder: String, _ trouble: HolderTrouble, _ sentence: String) {
    requests.put(
      .holderFailed(HolderFailed(content: content.sha256, holder: holder, trouble: trouble, sentence: sentence)))
  }

  func localFile(of content: String) -> URL? { nil }

  func holds(_ content: String, at file: URL, isCached: Bool) {
    if shelf.put(content, at: file, isCached: isCached) { requests.put(.held(content)) }
  }

  func checkpoint() throws -> URL? {
    try assign.checkpoint.map { try fetch($0, as: "checkpoint") }
  }

  func saveCheckpoint(_ file: URL) throws {
    try upload(file, as: "checkpoint", .checkpoint)
  }

  func publish(_ file: URL, as name: String) throws {
    guard assign.job.outputs.contains(name) else {
      throw ServiceError("job \(assign.job.id) has no output named \(name)")
    }
    guard let artifact = try upload(file, as: name, .output) else {
      // Whoever is member 0 in the end hands it over.
      return try linkOrCopy(file, to: kept.appendingPathComponent(name))
    }
    note(artifact)
  }

  private func note(_ artifact: ArtifactReference) {
    state.withLock { state in
      state.published.removeAll { $0.name == artifact.name }
      state.published.append(artifact)
    }
  }

  private var kept: URL { directory.appendingPathComponent("kept") }

  /// Hands over what this member kept, if it has become member 0 since.
  private func uploadKept() throws {
    guard rank == 0 else { return }
    let known = Set(state.withLock { $0.published.map(\.name) })
    for name in assign.job.outputs where !known.contains(name) {
      let file = kept.appendingPathComponent(name)
      guard FileManager.default.fileExists(atPath: file.path) else { continue }
      if let artifact = try upload(file, as: name, .output) { note(artifact) }
    }
  }

  @discardableResult
  private func upload(_ file: URL, as name: String, _ kind: UploadKind) throws -> ArtifactReference? {
    try check(evenDraining: false)
    guard rank == 0 else { return nil }
    let artifact = try reference(to: file, as: name)
    let begin = UploadBegin(
      transfer: 0, job: assign.job.id, token: assign.token, kind: kind, artifact: artifact, progress: latestProgress)
    let answer = Answer<Void>()
    requests.put(.upload(begin, file: file, answer))
    try wait(answer, evenDraining: false)
    return artifact
  }

  func progress(_ progress: JobProgress) throws {
    state.withLock { $0.progress = progress }
    try check(evenDraining: true)
  }

  func record(metrics: [String: Double], epoch: Int) throws {
    try check(evenDraining: true)
    guard rank == 0 else { return }
    requests.put(
      .metrics(
        Metrics(
          job: assign.job.id, token: assign.token, epoch: epoch,
          metrics: metrics.sorted { $0.key < $1.key }.map { Metric(name: $0.key, value: $0.value) })))
  }

  func record(_ use: SampleUse) throws {
    try check(evenDraining: false)
    requests.put(
      .metrics(Metrics(job: assign.job.id, token: assign.token, epoch: use.epoch, metrics: use.metrics)))
  }

  var reducer: (any ShardReducer)? { group }

  func log(_ line: String) {
    logLine("job \(assign.job.id): \(line)")
    requests.put(.log(Log(job: assign.job.id, token: assign.token, line: line)))
  }
}
