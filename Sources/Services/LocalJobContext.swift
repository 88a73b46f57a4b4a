import Files
import Foundation
import ShardTree
import Synchronization
import Transport
import Wire

/// The context of a job that the coordinator does itself: files are in the run directory already; what concerns the
/// ledger is passed to the service thread.
final class LocalJobContext: JobContext {
  let job: JobSpec
  let token: UInt64
  let directory: URL
  private let inputs: [String: URL]
  private let latest: URL?
  private let offered: OfferedFiles
  private let runDirectory: URL
  private let post: @Sendable (CoordinatorService.LocalEvent) -> Void
  private let state = Mutex(State())

  private struct State: Sendable {
    var cancelled: JobCancelled?
    var published: [ArtifactReference] = []
  }

  init(_ assign: Assign, service: CoordinatorService) {
    job = assign.job
    token = assign.token
    runDirectory = service.directory
    offered = service.store.offered
    directory = service.directory.appendingPathComponent(".state/jobs/\(assign.token)")
    inputs = Dictionary(
      assign.inputs.map {
        ($0.name, service.store.location(of: $0) ?? service.directory.appendingPathComponent($0.name))
      },
      uniquingKeysWith: { $1 })
    latest = assign.checkpoint.map { service.directory.appendingPathComponent($0.name) }
    post = { [weak service] in service?.post($0) }
  }

  var reducer: (any ShardReducer)? { nil }

  /// Does the job and reports its end.
  func run(_ runner: any JobRunner) {
    do {
      try makeFolder(directory)
      try runner.run(job, self)
      post(.finished(token: token, state.withLock { $0.published }))
    } catch {
      post(.failed(token: token, sentence: "\(error)"))
    }
    try? FileManager.default.removeItem(at: directory)
  }

  func cancel(_ reason: JobCancelled) { state.withLock { $0.cancelled = reason } }

  func check() throws { if let reason = state.withLock({ $0.cancelled }) { throw reason } }

  func input(_ name: String) throws -> URL {
    try check()
    guard let file = inputs[name] else { throw ServiceError("job \(job.id) has no input named \(name)") }
    return file
  }

  func localFile(of content: String) -> URL? {
    guard let path = offered.path(of: content), !offered.isLost(content) else { return nil }
    return URL(filePath: path)
  }

  /// What this machine has lost, from a worker.
  func download(_ content: ArtifactReference, to file: URL) throws -> ContentOrigin {
    for _ in 0..<4 {
      let answer = Answer<DownloadEnd>()
      post(.download(content, to: file, answer))
      guard case .complete(let sources) = try wait(answer), !sources.isEmpty else { return .coordinator }
      if try sha256(of: file) == content.sha256 { return .worker }
      for name in sources.sorted() { post(.holderFailed(content: content.sha256, holder: name)) }
    }
    throw ServiceError("\(content.name) arrived from workers with another content")
  }

  private func wait<Value: Sendable>(_ answer: Answer<Value>) throws -> Value {
    while true {
      if let result = answer.take(timeout: 200) { return try result.get() }
      try check()
    }
  }

  func holds(_ content: String, at file: URL, isCached: Bool) {}

  func checkpoint() throws -> URL? {
    try check()
    return latest
  }

  func saveCheckpoint(_ file: URL) throws {
    try check()
    let answer = Mailbox<Result<Void, any Error>>()
    post(.checkpoint(token: token, file, answer))
    try wait(answer)
  }

  func publish(_ file: URL, as name: String) throws {
    try check()
    guard job.outputs.contains(name) else { throw ServiceError("job \(job.id) has no output named \(name)") }
    let artifact = try ArtifactStore.stage(file, as: name, in: runDirectory, token: token)
    state.withLock { state in
      state.published.removeAll { $0.name == name }
      state.published.append(artifact)
    }
  }

  func progress(_ progress: JobProgress) throws {
    try check()
    post(.progress(token: token, progress))
  }

  func record(metrics: [String: Double], epoch: Int) throws {
    try check()
    post(.metrics(token: token, metrics, epoch: epoch))
  }

  func record(_ use: SampleUse) {
    preconditionFailure("job \(job.id) trains nothing")
  }

  func log(_ line: String) { post(.log(job: job.id, line)) }
}
