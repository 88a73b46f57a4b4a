import Files
import Foundation
import Ledger
import Synchronization
import Testing
import Transport
import Wire

@testable import Services

@Suite(.serialized) struct `a run` {
  static let jobs = TestCluster.plan([
    TestCluster.count("a", seed: 1), TestCluster.count("b/0", seed: 2, size: 300_000),
    TestCluster.count("c", seed: 3, after: ["a"]),
  ])

  @Test func `is completed by two workers, who are told`() throws {
    let cluster = TestCluster()
    let coordinator = try cluster.coordinator(Self.jobs)
    let workers = ["one", "two"].map { name in background { try cluster.worker(name).serve() } }
    usleep(1_000_000)  // both have said hello before the run can end: one that comes too late finds nobody
    let outcome = try coordinator.serve()
    #expect(outcome.isComplete && outcome.done == 4 && outcome.failures.isEmpty, "\(outcome)")
    for worker in workers {
      guard case .runEnded(true, _) = try worker.value() else { Issue.record("a worker ended otherwise"); return }
    }
    let outputs = try cluster.outputs()
    #expect(Set(outputs.keys) == ["Out/a.txt", "Out/b/0.txt", "Out/c.txt", "Results/merged.txt"])
    #expect(outputs == (try TestCluster.undisturbed(Self.jobs)))
  }

  @Test func `leaves metrics, attempts and a log`() throws {
    let cluster = TestCluster()
    let coordinator = try cluster.coordinator(Self.jobs)
    let worker = background { try cluster.worker("one", threads: 2).serve() }
    _ = try coordinator.serve()
    _ = try worker.value()
    let reader = try LedgerReader(directory: cluster.directory)
    #expect(try reader.metrics().count == 6)
    #expect(try reader.attempts().map(\.outcome) == Array(repeating: "done", count: 4))
    #expect(try reader.jobs().allSatisfy(\.isDone))
    let log = String(decoding: try readFile(cluster.directory.appendingPathComponent("Logs/b/0.log")), as: UTF8.self)
    let lines = log.split(separator: "\n").map { $0.split(separator: " ", maxSplits: 1)[1] }
    #expect(lines.first?.hasSuffix("goes to one") == true, "\(log)")
    #expect(lines.contains { $0.hasPrefix("one: epoch ") }, "\(log)")
    #expect(lines.last == "coordinator: done: Out/b/0.txt", "\(log)")
  }

  @Test func `of two starts does nothing twice`() throws {
    let cluster = TestCluster()
    let first = try cluster.coordinator(Self.jobs)
    let worker = background { try cluster.worker("one").serve() }
    _ = try first.serve()
    _ = try worker.value()
    let before = try cluster.outputs()
    let second = try cluster.coordinator(Self.jobs)
    #expect(try second.serve().isComplete)  // without any worker
    #expect(try cluster.outputs() == before)
    #expect(try LedgerReader(directory: cluster.directory).attempts().count == 4)
  }

  @Test func `does an output again that was damaged in between`() throws {
    let cluster = TestCluster()
    let first = try cluster.coordinator(Self.jobs)
    let worker = background { try cluster.worker("one").serve() }
    _ = try first.serve()
    _ = try worker.value()
    let before = try cluster.outputs()
    try writeAtomically("nonsense", to: cluster.directory.appendingPathComponent("Out/a.txt"))
    let second = try cluster.coordinator(Self.jobs)
    let again = background { try cluster.worker("two").serve() }
    #expect(try second.serve().isComplete)
    _ = try again.value()
    #expect(try cluster.outputs() == before)
  }

  @Test func `gives shared files to every worker before its first job`() throws {
    let cluster = TestCluster()
    let file = cluster.directory.appendingPathComponent("shared.txt")
    try writeAtomically("twelve bytes", to: file)
    let jobs = [TestCluster.count("a", size: 1)]
    let coordinator = try cluster.coordinator(jobs, shared: [.init(name: "shared.txt", file: file)])
    let worker = background { try cluster.worker("one").serve() }
    #expect(try coordinator.serve().isComplete)
    _ = try worker.value()
    #expect(try cluster.outputs() != TestCluster.undisturbed(jobs))  // the runner adds the file's length
  }

  @Test func `goes on without a job that fails, and says which were lost with it`() throws {
    let cluster = TestCluster()
    var bad = JobSpec(id: "bad", kind: "fail", outputs: ["Out/bad"])
    bad.maxAttempts = 2
    let forgetful = JobSpec(id: "forgetful", kind: "forget", outputs: ["Out/forgotten"], maxAttempts: 1)
    let after = TestCluster.count("after", after: ["bad"])
    let coordinator = try cluster.coordinator([bad, after, forgetful, TestCluster.count("good")])
    let workers = ["one", "two"].map { name in background { try cluster.worker(name).serve() } }
    usleep(1_000_000)  // both have said hello before the run can end: one that comes too late finds nobody
    let outcome = try coordinator.serve()
    #expect(!outcome.isComplete && outcome.done == 1)
    #expect(outcome.failures.map(\.job) == ["bad", "after", "forgetful"])
    #expect(outcome.failures[0].sentence.contains("this job always fails"))
    #expect(outcome.failures[1].sentence == "it needs job bad, which was given up")
    #expect(outcome.failures[2].sentence.contains("without publishing Out/forgotten"))
    for worker in workers {
      guard case .runEnded(false, _) = try worker.value() else { Issue.record("a worker ended otherwise"); return }
    }
    #expect(try LedgerReader(directory: cluster.directory).attempts().filter { $0.job == "bad" }.count == 2)
  }

  @Test func `has the same bits for groups of one, two and three workers`() throws {
    let jobs = [
      TestCluster.count("x", steps: 17, size: 9, group: 3), TestCluster.count("y", steps: 8, size: 600_000, group: 3),
    ]
    let expected = try TestCluster.undisturbed(jobs)
    for members in [2, 3] {
      let cluster = TestCluster()
      let coordinator = try cluster.coordinator(
        jobs.map {
          var job = $0
          job.groupSize = members
          return job
        })
      let workers = (0..<members).map { index in background { try cluster.worker("w\(index)").serve() } }
      #expect(try coordinator.serve().isComplete)
      for worker in workers { _ = try worker.value() }
      #expect(try cluster.outputs() == expected)
      let attempts = try LedgerReader(directory: cluster.directory).attempts()
      #expect(attempts.allSatisfy { $0.workers.split(separator: ",").count == members }, "\(attempts)")
    }
  }

  @Test func `tells its status while it runs`() throws {
    let cluster = TestCluster()
    let jobs = TestCluster.plan([TestCluster.count("a", steps: 1_000, pause: 5), TestCluster.count("b", after: ["a"])])
    let coordinator = try cluster.coordinator(jobs)
    let run = background { try coordinator.serve() }
    var status = try OperatorClient(cluster.address).status()
    #expect(status.stuck.contains { $0.contains("no worker has joined") })
    let service = try cluster.worker("one")
    let worker = background { try service.serve() }
    try eventually {
      status = try OperatorClient(cluster.address).status()
      return (status.jobs[0].progress?.step ?? 0) > 3
    }
    #expect(status.workers.map(\.name) == ["one"] && status.jobs[0].workers == ["one"])
    #expect(status.jobs[1].why == "waits for a" && status.total == 3 && status.state == .running)
    coordinator.stop()
    #expect(try run.value().wasStopped)
    service.drain()
    _ = try worker.value()
  }
}
