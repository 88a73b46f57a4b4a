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
  private let logLine: @Sendable (String) -> Void
  private let state: Mutex<State>

  private struct State: Sendable {
    var progress = JobProgress(phase: "starting")
    var cancelled: JobCancelled?
    var published: [ArtifactReference] = []
  }

  init(
    _ assign: Assign, directory: URL, requests: WorkerRequests, cache: ArtifactCache,
    log: @escaping @Sendable (String) -> Void
  ) {
    (self.assign, self.directory, self.requests, self.cache, logLine) = (assign, directory, requests, cache, log)
    state = Mutex(State())
  }

  /// Does the job and reports its end, on the compute thread.
  func run(_ runner: any JobRunner) {
    let token = assign.token
    do {
      try makeFolder(directory)
      try check(evenDraining: true)
      try runner.run(assign.job, self)
      let published = state.withLock { $0.published }
      let names = Set(published.map(\.name))
      if assign.rank == 0, let missing = assign.job.outputs.first(where: { !names.contains($0) }) {
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
  }

  func check() throws { try check(evenDraining: false) }

  private func check(evenDraining: Bool) throws {
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
      let answer = Answer<Void>()
      requests.put(.download(artifact, token: assign.token, to: temporary, answer))
      try wait(answer, evenDraining: true)
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

  func download(_ content: ArtifactReference, to file: URL) throws {
    try check(evenDraining: false)
    let answer = Answer<Void>()
    requests.put(.download(content, token: assign.token, to: file, answer))
    try wait(answer, evenDraining: false)
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
    guard let artifact = try upload(file, as: name, .output) else { return }
    state.withLock { state in
      state.published.removeAll { $0.name == name }
      state.published.append(artifact)
    }
  }

  @discardableResult
  private func upload(_ file: URL, as name: String, _ kind: UploadKind) throws -> ArtifactReference? {
    try check(evenDraining: false)
    guard assign.rank == 0 else { return nil }
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
    guard assign.rank == 0 else { return }
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

  var reducer: (any ShardReducer)? { assign.members > 1 ? GroupReducer(self) : nil }

  func log(_ line: String) {
    logLine("job \(assign.job.id): \(line)")
    requests.put(.log(Log(job: assign.job.id, token: assign.token, line: line)))
  }

  /// Sums over the group, through the coordinator.
  private final class GroupReducer: ShardReducer {
    let rank: Int
    let members: Int
    private let context: WorkerJobContext

    init(_ context: WorkerJobContext) {
      (rank, members, self.context) = (context.assign.rank, context.assign.members, context)
    }

    func reduce(step: Int, sums: [ShardTree.Sum], shards: Int) throws -> [Float] {
      precondition(
        Set(sums.map(\.values.count)).count <= 1, "GroupReducer: sums of one step have different lengths")
      // Whoever is to leave a checkpoint behind ends the step first: the others are still there.
      try context.check(evenDraining: false)
      let answer = Answer<[Float]>()
      context.requests.put(
        .reduce(job: context.assign.job.id, token: context.assign.token, step: step, sums: sums, shards: shards, answer)
      )
      return try context.wait(answer, evenDraining: false)
    }
  }
}
