import Files
import Foundation
import Glibc
import Testing
import Transport
import Wire

@testable import Services

/// Files that a run offers to workers which do not see them, and what nobody gets.
@Suite struct `offered files` {
  private let cluster = TestCluster()

  /// Fetches what its arguments say, and publishes what it got.
  private struct FetchingRunner: JobRunner {
    func run(_ job: JobSpec, _ context: any JobContext) throws {
      let place = context.directory.appending(path: "got")
      let size = Int(job.arguments["size"]!)!
      _ = try context.download(
        ArtifactReference(name: job.arguments["name"]!, sha256: job.arguments["sha256"]!, size: size), to: place)
      try context.publish(place, as: job.outputs[0])
    }
  }

  private func outcome(_ arguments: [String: String], offered: [RunPlan.OfferedFile]) throws -> RunOutcome {
    let job = JobSpec(id: "fetch", kind: "fetch", arguments: arguments, outputs: ["Out/got"], maxAttempts: 1)
    let coordinator = try CoordinatorService(
      plan: RunPlan(name: "test", experimentHash: "hash", jobs: [job], offered: offered), directory: cluster.directory,
      listen: cluster.address, runner: FetchingRunner(), options: cluster.options)
    let run = background { try coordinator.serve() }
    let worker = try WorkerService(coordinator: cluster.address, name: "w", options: cluster.options) { _ in
      FetchingRunner()
    }
    let working = background { try worker.serve() }
    let outcome = try run.value()
    _ = try working.value()
    return outcome
  }

  private func offer(_ bytes: [UInt8]) throws -> RunPlan.OfferedFile {
    let file = cluster.directory.deletingLastPathComponent().appending(
      path: "\(cluster.directory.lastPathComponent)-data/clip.mp4")
    try writeAtomically(bytes, to: file)
    return RunPlan.OfferedFile(sha256: sha256(bytes), file: file)
  }

  private func remove(_ offer: RunPlan.OfferedFile) {
    try? FileManager.default.removeItem(at: offer.file.deletingLastPathComponent())
  }

  @Test func `reach a worker by their content alone, in pieces`() throws {
    let bytes = (0..<2_500_000).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
    let file = try offer(bytes)
    defer { remove(file) }
    #expect(
      try outcome(["name": "whatever", "sha256": file.sha256, "size": "\(bytes.count)"], offered: [file]).isComplete)
    #expect(try readFile(cluster.directory.appending(path: "Out/got")) == bytes)
  }

  @Test(arguments: ["/etc/passwd", "../../../etc/passwd", "run.sqlite", "clip.mp4"])
  func `are all that a worker gets: not a path, not a name, not another hash`(name: String) throws {
    let file = try offer(Array("a clip".utf8))
    defer { remove(file) }
    let passwd = try readFile(URL(filePath: "/etc/passwd"))
    let result = try outcome(
      ["name": name, "sha256": sha256(passwd), "size": "\(passwd.count)"], offered: [file])
    #expect(!result.isComplete)
    #expect(result.failures.first?.sentence.contains("this run has no \(name) with the content") == true)
  }

  @Test func `that have changed are refused, and no byte beyond their end is read`() throws {
    let file = try offer(Array("a clip".utf8))
    defer { remove(file) }
    let store = try ArtifactStore(directory: cluster.directory, limit: 1 << 20, offered: OfferedFiles([file]))
    func want(_ offset: Int, _ count: Int) -> Result<[UInt8], ServiceError> {
      store.read(
        DownloadWant(
          transfer: 1, artifact: ArtifactReference(name: "x", sha256: file.sha256, size: 1 << 40), offset: offset,
          count: count))
    }
    #expect(try want(2, 4).get() == Array("clip".utf8))
    for (offset, count) in [(3, 4), (1 << 50, 1)] {
      #expect(throws: ServiceError.self) { try want(offset, count).get() }
    }
    // Somebody puts a link to something secret in its place.
    try FileManager.default.removeItem(at: file.file)
    try FileManager.default.createSymbolicLink(at: file.file, withDestinationURL: URL(filePath: "/etc/passwd"))
    let error = #expect(throws: ServiceError.self) { try want(0, 4).get() }
    #expect(error?.description.contains("has changed") == true)
  }

  @Test func `are not for operators, nor for those who have not said who they are`() throws {
    let keyed = KeyedCluster()
    let file = try offer(Array("a clip".utf8))
    defer { remove(file) }
    let worker = try keyed.keys.make("m2", role: .worker)
    let person = try keyed.keys.make("anna", role: .operator)
    var options = TestCluster.options
    options.security = .keys(try Doorkeeper(keyed.keys))
    let coordinator = try CoordinatorService(
      plan: RunPlan(
        name: "test", experimentHash: "hash", jobs: [TestCluster.count("a")], offered: [file]),
      directory: keyed.cluster.directory, listen: "tcp://127.0.0.1:*", runner: CountingRunner(), options: options)
    let run = background { try coordinator.serve() }
    defer {
      coordinator.stop()
      _ = try? run.value()
    }
    for key in [person, worker] {
      var socket = SocketOptions()
      socket.security = .key(key)
      let endpoint = try Endpoint.caller(to: coordinator.address, options: socket)
      defer { endpoint.close() }
      let artifact = ArtifactReference(name: "x", sha256: file.sha256, size: 6)
      var answers: [MessageKind] = []
      let until = monotonicMilliseconds() + 1_500
      var sequence: UInt64 = 0
      while monotonicMilliseconds() < until {
        sequence += 1
        let want = DownloadWant(transfer: 1, artifact: artifact, offset: 0, count: 6)
        endpoint.send(
          Packet(.downloadWant(want), sender: 77, session: 0, sequence: sequence).encoded(), isDroppable: true)
        if case .message(_, let frames, _)? = endpoint.inbox.take(timeout: 100) {
          answers.append(try Packet.decoded(frames).message.kind)
        }
      }
      #expect(!answers.isEmpty && answers.allSatisfy { $0 == .reset }, "\(answers)")
    }
  }
}
