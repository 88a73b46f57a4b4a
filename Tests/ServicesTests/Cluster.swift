import Files
import Foundation
import Glibc
import Ledger
import Logging
import Testing
import Transport
import Wire

@testable import Services

/// A run directory, an address, and services on threads of their own.
final class TestCluster: @unchecked Sendable {
  let directory: URL
  let address: String
  var options: ServiceOptions

  init() {
    let name = "unmask-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
    directory = FileManager.default.temporaryDirectory.appendingPathComponent(name)
    address = "ipc:///tmp/\(name).sock"
    options = Self.options
  }

  deinit {
    try? FileManager.default.removeItem(at: directory)
    unlink(String(address.dropFirst(6)))
  }

  /// Times short enough for tests, long enough for a busy machine.
  static var options: ServiceOptions {
    var logger = Logger(label: "test")
    logger.logLevel = ProcessInfo.processInfo.environment["UNMASK_TEST_LOG"] == nil ? .critical : .info
    var options = ServiceOptions(version: "1.0", logger: logger)
    options.timing.heartbeat = 150
    options.timing.lease = 3_000
    options.timing.groupPatience = 1_000
    options.timing.coordinatorWait = 20_000
    return options
  }

  static func count(
    _ id: String, steps: Int = 10, seed: Int = 1, size: Int = 5, pause: Int = 0, group: Int = 1, after: [String] = [],
    outputs: [String]? = nil
  ) -> JobSpec {
    JobSpec(
      id: id, kind: "count",
      arguments: ["steps": "\(steps)", "seed": "\(seed)", "size": "\(size)", "pause": "\(pause)"], dependencies: after,
      outputs: outputs ?? ["Out/\(id).txt"], groupSize: group)
  }

  /// Several jobs and one of the coordinator that reads all their outputs.
  static func plan(_ jobs: [JobSpec]) -> [JobSpec] {
    jobs + [
      JobSpec(
        id: "merge", kind: "merge", dependencies: jobs.map(\.id), inputs: jobs.flatMap(\.outputs),
        outputs: ["Results/merged.txt"], runsOn: .coordinator)
    ]
  }

  func coordinator(
    _ jobs: [JobSpec], experiment: String = "hash", runner: CountingRunner = CountingRunner(),
    options: ServiceOptions? = nil, listen: String? = nil, shared: [RunPlan.SharedFile] = []
  ) throws -> CoordinatorService {
    try CoordinatorService(
      plan: RunPlan(name: "test", experimentHash: experiment, jobs: jobs, shared: shared), directory: directory,
      listen: listen ?? address, runner: runner, options: options ?? self.options)
  }

  func worker(
    _ name: String, threads: Int = 1, options: ServiceOptions? = nil, to: String? = nil,
    beforeStep: @escaping @Sendable (JobSpec, Int) throws -> Void = { _, _ in }
  ) throws -> WorkerService {
    try WorkerService(
      coordinator: to ?? address, name: name, threads: threads, options: options ?? self.options
    ) { shared in
      let file = shared.appendingPathComponent("shared.txt")
      let isThere = FileManager.default.fileExists(atPath: file.path)
      return CountingRunner(shared: isThere ? shared : nil, beforeStep: beforeStep)
    }
  }

  /// Every output of the run by name, as text.
  func outputs() throws -> [String: String] {
    var found: [String: String] = [:]
    for top in ["Out", "Results"] {
      let folder = directory.appendingPathComponent(top)
      for name in (try? FileManager.default.subpathsOfDirectory(atPath: folder.path)) ?? [] {
        let file = folder.appendingPathComponent(name)
        var isFolder: ObjCBool = false
        if FileManager.default.fileExists(atPath: file.path, isDirectory: &isFolder), !isFolder.boolValue {
          found["\(top)/\(name)"] = String(decoding: try readFile(file), as: UTF8.self)
        }
      }
    }
    return found
  }

  /// The outputs of a run that nobody disturbs, with one worker.
  static func undisturbed(_ jobs: [JobSpec]) throws -> [String: String] {
    let cluster = TestCluster()
    let coordinator = try cluster.coordinator(
      jobs.map {
        var job = $0; job.arguments["pause"] = "0"; return job
      })
    let worker = background { try cluster.worker("alone").serve() }
    #expect(try coordinator.serve().isComplete)
    _ = try worker.value()
    return try cluster.outputs()
  }
}

/// Something that runs on a thread of its own.
final class Background<Value: Sendable>: Sendable {
  let result = Mailbox<Result<Value, any Error>>()

  /// What it returned.
  func value(within milliseconds: Int = 30_000, sourceLocation: SourceLocation = #_sourceLocation) throws -> Value {
    let result = try #require(
      result.take(timeout: milliseconds), "it has not ended in time", sourceLocation: sourceLocation)
    return try result.get()
  }
}

/// Starts something on a thread of its own.
func background<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) -> Background<Value> {
  let background = Background<Value>()
  startComputeThread(named: "test") { background.result.put(Result { try body() }) }
  return background
}

/// Waits until something is true.
func eventually(
  within milliseconds: Int = 15_000, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () throws -> Bool
) throws {
  let until = monotonicMilliseconds() + milliseconds
  while monotonicMilliseconds() < until {
    if try condition() { return }
    usleep(20_000)
  }
  Issue.record("it has not come true in time", sourceLocation: sourceLocation)
}
