import Foundation
import Synchronization
import Testing
import Transport
import Wire

@testable import Services

@Suite(.serialized) struct `an operator` {
  private let cluster = TestCluster()
  private var client: OperatorClient { OperatorClient(cluster.address, version: "1.0") }

  @Test func `cancels a run, which the same command then finishes`() throws {
    let jobs = TestCluster.plan([TestCluster.count("a", steps: 60, pause: 20), TestCluster.count("b")])
    let coordinator = try cluster.coordinator(jobs)
    let run = background { try coordinator.serve() }
    let steps = Atomic(0)
    let service = try cluster.worker("w") { _, _ in steps.add(1, ordering: .relaxed) }
    let worker = background { try service.serve() }
    try eventually { steps.load(ordering: .relaxed) > 12 }
    #expect(try client.operate(.cancel, "").contains("is cancelled with 0 of 3 jobs done"))
    let outcome = try run.value()
    #expect(outcome.wasStopped && outcome.wasCancelled && !outcome.isComplete)
    guard case .runEnded(false, let sentence) = try worker.value() else {
      Issue.record("the worker did not leave")
      return
    }
    #expect(sentence.contains("cancelled by an operator"))
    let again = try cluster.coordinator(jobs)
    let heir = background { [cluster] in try cluster.worker("w2").serve() }
    #expect(try again.serve().isComplete)
    _ = try heir.value()
    #expect(try cluster.outputs() == TestCluster.undisturbed(jobs))
  }

  @Test func `cancels one job, and what needs it is not done either`() throws {
    let jobs = TestCluster.plan([TestCluster.count("a", steps: 200, pause: 20), TestCluster.count("b")])
    let coordinator = try cluster.coordinator(jobs)
    let run = background { try coordinator.serve() }
    let worker = background { [cluster] in try cluster.worker("w", threads: 2).serve() }
    try eventually { try client.status().done == 1 }
    #expect(throws: ServiceError.self) { try client.operate(.cancel, "b") }
    #expect(throws: ServiceError.self) { try client.operate(.cancel, "nothing") }
    #expect(try client.operate(.cancel, "a").contains("1 jobs that need it"))
    let outcome = try run.value()
    #expect(!outcome.isComplete && outcome.failures.map(\.job) == ["a", "merge"])
    _ = try worker.value()
  }

  @Test func `sends a worker away, and its job goes on elsewhere`() throws {
    let jobs = TestCluster.plan([TestCluster.count("a", steps: 60, pause: 20)])
    let coordinator = try cluster.coordinator(jobs)
    let run = background { try coordinator.serve() }
    let steps = Atomic(0)
    let service = try cluster.worker("tired") { _, _ in steps.add(1, ordering: .relaxed) }
    let worker = background { try service.serve() }
    try eventually { steps.load(ordering: .relaxed) > 12 }
    let wrong = #expect(throws: ServiceError.self) { try client.operate(.drain, "tried") }
    #expect(wrong?.description.contains("there are tired") == true)
    #expect(try client.operate(.drain, "tired").contains("leaves"))
    #expect(try worker.value() == .drained)
    let heir = background { [cluster] in try cluster.worker("fresh").serve() }
    #expect(try run.value().isComplete)
    _ = try heir.value()
    #expect(try cluster.outputs() == TestCluster.undisturbed(jobs))
  }

  @Test func `reads a job's log while it grows, and to its end`() throws {
    let jobs = [TestCluster.count("a", steps: 20, pause: 20), TestCluster.count("b", steps: 10_000, pause: 20)]
    let coordinator = try cluster.coordinator(jobs)
    let run = background { try coordinator.serve() }
    let worker = background { [cluster] in try cluster.worker("w", threads: 2).serve() }
    var text = ""
    try eventually {
      let piece = try client.log(of: "a", from: text.utf8.count)
      text += String(decoding: piece.bytes, as: UTF8.self)
      return piece.isOver && text.utf8.count == piece.size && piece.size > 0
    }
    #expect(text.contains("goes to w") && text.contains("epoch 3") && text.contains("done: Out/a.txt"))
    #expect(throws: ServiceError.self) { try client.log(of: "../run.sqlite", from: 0) }
    #expect(try client.log(of: "a", from: 1 << 40).bytes.isEmpty)
    // What one job took says how long the other may.
    try eventually { try client.status().remaining > 0 }
    _ = try client.operate(.cancel, "")
    _ = try run.value()
    _ = try worker.value()
  }
}
