import Files
import Foundation
import Logging
import Synchronization
import Testing
import Transport
import Wire

@testable import Services

/// Contents that workers get from each other: directly, or through a coordinator that has them no more.
@Suite(.serialized) struct `contents from other workers` {
  private let keyed = KeyedCluster()
  private let lines = Lines()
  private let bytes = (0..<2_500_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
  private let folder = FileManager.default.temporaryDirectory.appending(path: "unmask-peers-\(UUID().uuidString)")

  private var artifact: ArtifactReference {
    ArtifactReference(name: "sample", sha256: sha256(bytes), size: bytes.count)
  }

  private var file: URL { folder.appending(path: "sample.mp4") }

  /// A coordinator that offers the content. The first worker holds it, the second fetches it.
  private func coordinator(secure: Bool, listen: String) throws -> CoordinatorService {
    try writeAtomically(bytes, to: file)
    var options = TestCluster.options
    if secure {
      for name in ["holder", "asker"] { _ = try keyed.keys.make(name, role: .worker) }
      options.security = .keys(try Doorkeeper(keyed.keys))
    }
    options.logger = lines.logger
    return try CoordinatorService(
      plan: RunPlan(
        name: "test", experimentHash: "hash",
        jobs: [
          JobSpec(id: "hold", kind: "hold", outputs: ["Out/held"], priority: 1),
          JobSpec(id: "fetch", kind: "fetch", outputs: ["Out/got"], maxAttempts: 1),
        ], offered: [RunPlan.OfferedFile(sha256: artifact.sha256, file: file)]),
      directory: keyed.cluster.directory, listen: listen, runner: CountingRunner(), options: options)
  }

  private func worker(_ name: String, secure: Bool, _ address: String, _ runner: ContentRunner) throws -> WorkerService
  {
    var options = TestCluster.options
    options.logger = lines.logger
    if secure { options.security = .key(try KeyFile(contentsOf: keyed.keys.file(name))) }
    return try WorkerService(coordinator: address, name: name, options: options) { _ in runner }
  }

  /// A real worker that has the content at a path of its own.
  private func realHolder(secure: Bool, _ address: String) throws -> (WorkerService, Background<WorkerService.Outcome>)
  {
    let copy = folder.appending(path: "elsewhere/copy.mp4")
    try writeAtomically(bytes, to: copy)
    let runner = ContentRunner(artifact: artifact, file: copy)
    let holder = try worker("holder", secure: secure, address, runner)
    let holding = background { try holder.serve() }
    try eventually { runner.hasHeld.load(ordering: .acquiring) }
    return (holder, holding)
  }

  /// Runs until the content was fetched from where it shall come from, or until that has failed.
  private func run(
    secure: Bool = false, listen: String = "tcp://127.0.0.1:*", until origin: ContentOrigin, fake: FakeHolder? = nil,
    losing: Bool = false
  ) throws -> JobStatus {
    let coordinator = try coordinator(secure: secure, listen: listen)
    let run = background { try coordinator.serve() }
    let pretending = try fake?.join(coordinator.address)
    let real = try fake == nil ? realHolder(secure: secure, coordinator.address) : nil
    if losing { unlink(file.path) }
    let asker = try worker(
      "asker", secure: secure, coordinator.address, ContentRunner(artifact: artifact, origin: origin))
    let asking = background { try asker.serve() }
    func job() -> JobStatus? {
      coordinator.status().jobs.first { $0.id == "fetch" && [.done, .failed].contains($0.state) }
    }
    try eventually(within: 40_000) { job() != nil }
    for leaving in [asker, real?.0] { leaving?.drain() }
    _ = try asking.value()
    _ = try real?.1.value()
    fake?.stop()
    try pretending?.value()
    let status = try #require(job())
    coordinator.stop()
    _ = try run.value()
    return status
  }

  private func got() throws -> [UInt8] { try readFile(keyed.cluster.directory.appending(path: "Out/got")) }

  private func clean() { try? FileManager.default.removeItem(at: folder) }

  @Test(arguments: [false, true]) func `come directly, over a connection with keys or without`(secure: Bool) throws {
    defer { clean() }
    #expect(try run(secure: secure, until: .worker).state == .done, "\(lines.all)")
    #expect(try got() == bytes)
    #expect(!lines.all.contains { $0.contains("did not give") || $0.contains("not there any more") }, "\(lines.all)")
  }

  @Test(arguments: [true, false]) func `keep a run going whose coordinator has lost its file`(isDirect: Bool) throws {
    defer { clean() }
    // At a socket file nobody can be reached directly: the coordinator passes on what the other has.
    let listen = isDirect ? "tcp://127.0.0.1:*" : keyed.cluster.address
    #expect(try run(listen: listen, until: .worker, losing: true).state == .done, "\(lines.all)")
    #expect(try got() == bytes)
    let said = lines.all.filter { $0.contains("is not there any more as it was when the run began") }
    #expect(said.count == 1 && said[0].contains("from worker holder") && said[0].contains(file.path), "\(lines.all)")
  }

  @Test(arguments: FakeHolder.Manner.allCases) func `are got from the coordinator when a worker`(
    manner: FakeHolder.Manner
  ) throws {
    defer { clean() }
    let fake = FakeHolder(manner, bytes)
    #expect(try run(until: .coordinator, fake: fake).state == .done, "\(lines.all)")
    #expect(try got() == bytes)
    #expect(fake.asked > 0, "it was never asked")
    #expect(lines.all.contains { $0.contains("worker fake did not give sample: ") }, "\(lines.all)")
    if manner == .givesAnother {
      #expect(lines.all.contains { $0.contains("worker fake gave asker another content") }, "\(lines.all)")
    }
  }

  /// The only other one who has it sends something else, through the coordinator: it is found out, it is asked no more, and
  /// the job ends with the sentence about the file that is gone.
  @Test(arguments: [FakeHolder.Manner.givesAnother, .sendsTooLittle, .refuses])
  func `that nobody gives as they were end the job`(manner: FakeHolder.Manner) throws {
    defer { clean() }
    let fake = FakeHolder(manner, bytes, isReachable: false)
    let job = try run(until: .worker, fake: fake, losing: true)
    #expect(job.state == .failed && job.why.contains("\(file.path) cannot be read by the coordinator"), "\(job.why)")
    #expect(fake.asked > 0)
    if manner == .givesAnother {
      #expect(lines.all.contains { $0.contains("worker fake gave asker another content") }, "\(lines.all)")
    }
  }

  @Test func `are given to nobody any more whose key was revoked, and who is connected is cut off`() throws {
    defer { clean() }
    let coordinator = try coordinator(secure: true, listen: "tcp://127.0.0.1:*")
    let run = background { try coordinator.serve() }
    let (holder, holding) = try realHolder(secure: true, coordinator.address)
    // The asker has what it wants, and stays.
    let runner = ContentRunner(artifact: artifact, origin: .worker, mayEnd: { false })
    let asker = try worker("asker", secure: true, coordinator.address, runner)
    let asking = background { try asker.serve() }
    try eventually { lines.all.contains { $0.contains("fetched it") } }
    _ = try keyed.keys.revoke("asker")
    try eventually { lines.all.contains { $0.contains("a worker whose key was revoked is cut off") } }
    let error = #expect(throws: ServiceError.self) { try asking.value() }
    #expect(error?.description.contains("revoked") == true || error?.description.contains("does not know") == true)
    holder.drain()
    _ = try holding.value()
    coordinator.stop()
    _ = try run.value()
  }
}

/// Has a content, or wants it.
final class ContentRunner: JobRunner {
  let hasHeld = Atomic(false)
  private let artifact: ArtifactReference
  private let origin: ContentOrigin?
  private let file: URL?
  private let mayEnd: @Sendable () -> Bool

  /// Says that it has the content, in a file, and stays; or fetches it until it comes from where it shall.
  init(
    artifact: ArtifactReference, origin: ContentOrigin? = nil, file: URL? = nil,
    mayEnd: @escaping @Sendable () -> Bool = { true }
  ) {
    (self.artifact, self.origin, self.file, self.mayEnd) = (artifact, origin, file, mayEnd)
  }

  func run(_ job: JobSpec, _ context: any JobContext) throws {
    if job.kind == "hold" {
      context.holds(artifact.sha256, at: file!, isCached: false)
      hasHeld.store(true, ordering: .releasing)
      while true {
        try context.progress(JobProgress(phase: "hold"))
        usleep(20_000)
      }
    }
    let place = context.directory.appending(path: "got")
    // That another worker has it may not have been heard of yet.
    var last: (any Error)?
    for _ in 0..<100 {
      try context.check()
      do {
        if try context.download(artifact, to: place) == origin {
          last = nil
          break
        }
      } catch let error as ServiceError { last = error }
      usleep(30_000)
    }
    if let last { throw last }
    context.log("fetched it")
    while !mayEnd() {
      try context.progress(JobProgress(phase: "wait"))
      usleep(20_000)
    }
    try context.publish(place, as: job.outputs[0])
  }
}

/// All lines that services have logged.
final class Lines: Sendable {
  private let state = Mutex<[String]>([])

  var all: [String] { state.withLock { $0 } }

  var logger: Logger {
    Logger(label: "test") { [self] _ in Handler(lines: self) }
  }

  private struct Handler: LogHandler {
    let lines: Lines
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
      get { metadata[key] }
      set { metadata[key] = newValue }
    }

    func log(event: LogEvent) { lines.state.withLock { $0.append(event.message.description) } }
  }
}
