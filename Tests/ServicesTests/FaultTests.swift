import Files
import Foundation
import Glibc
import Ledger
import Synchronization
import Testing
import Transport
import Wire

@testable import Services

@Suite(.serialized) struct `faults` {
  @Test func `a worker that is asked to leave hands its job over`() throws {
    let jobs = TestCluster.plan([TestCluster.count("a", steps: 40, pause: 10)])
    let cluster = TestCluster()
    let coordinator = try cluster.coordinator(jobs)
    let run = background { try coordinator.serve() }
    let steps = Atomic(0)
    let leaver = try cluster.worker("leaver") { _, _ in steps.add(1, ordering: .relaxed) }
    let leaving = background { try leaver.serve() }
    try eventually { steps.load(ordering: .relaxed) > 12 }
    leaver.drain()
    #expect(try leaving.value() == .drained)
    let resumed = Atomic(-1)
    let heir = background {
      try cluster.worker("heir") { _, step in
        _ = resumed.compareExchange(expected: -1, desired: step, ordering: .relaxed)
      }.serve()
    }
    #expect(try run.value().isComplete)
    _ = try heir.value()
    #expect(resumed.load(ordering: .relaxed) >= 10)  // from the checkpoint, not from the beginning
    #expect(try cluster.outputs() == TestCluster.undisturbed(jobs))
  }

  @Test func `a coordinator that is started again finds its workers still computing`() throws {
    let jobs = TestCluster.plan([
      TestCluster.count("a", steps: 60, pause: 20), TestCluster.count("b", steps: 60, pause: 20),
    ])
    let cluster = TestCluster()
    let first = try cluster.coordinator(jobs)
    let run = background { try first.serve() }
    let starts = Atomic(0)
    let steps = Atomic(0)
    let worker = background {
      try cluster.worker("one", threads: 2) { _, step in
        if step == 0 { starts.add(1, ordering: .relaxed) }
        steps.add(1, ordering: .relaxed)
      }.serve()
    }
    try eventually { steps.load(ordering: .relaxed) > 10 }
    first.stop()
    #expect(try run.value().wasStopped)
    let before = steps.load(ordering: .relaxed)
    let second = try cluster.coordinator(jobs)
    #expect(try second.serve().isComplete)
    _ = try worker.value()
    #expect(starts.load(ordering: .relaxed) == 2 && before < 120)  // each job began once: the leases were kept
    #expect(try cluster.outputs() == TestCluster.undisturbed(jobs))
  }

  @Test func `a group that loses a member goes on with those left`() throws {
    let jobs = [TestCluster.count("g", steps: 150, pause: 10, group: 2)]
    let cluster = TestCluster()
    let coordinator = try cluster.coordinator(jobs)
    let run = background { try coordinator.serve() }
    let leaving = Atomic(0)
    let staying = Atomic(0)
    let services = [
      try cluster.worker("w0") { _, _ in leaving.add(1, ordering: .relaxed) },
      try cluster.worker("w1") { _, _ in staying.add(1, ordering: .relaxed) },
    ]
    let workers = services.map { service in background { try service.serve() } }
    try eventually { leaving.load(ordering: .relaxed) > 15 }
    services[0].drain()
    #expect(try workers[0].value() == .drained)
    #expect(try run.value().isComplete)
    _ = try workers[1].value()
    #expect(try cluster.outputs() == TestCluster.undisturbed(jobs))
    let attempts = try LedgerReader(directory: cluster.directory).attempts()
    #expect(attempts.count == 1 && attempts[0].workers == "w1")
    let made = staying.load(ordering: .relaxed)
    #expect(made <= 153, "of 150 steps it has made \(made): more than the one that was under way were made again")
  }

  @Test func `a worker that comes later gets the state from one that is at it`() throws {
    let jobs = [TestCluster.count("g", steps: 100, size: 3_000, pause: 20, group: 2)]
    let cluster = TestCluster()
    let coordinator = try cluster.coordinator(jobs)
    let run = background { try coordinator.serve() }
    let first = Atomic(0)
    let second = Atomic(0)
    // However long a busy machine takes to start the second: the first leaves it steps to share.
    let one = background {
      try cluster.worker("w1") { _, step in
        first.add(1, ordering: .relaxed)
        if step > 20, second.load(ordering: .relaxed) == 0 { usleep(300_000) }
      }.serve()
    }
    try eventually { first.load(ordering: .relaxed) > 12 }
    let two = background { try cluster.worker("w2") { _, _ in second.add(1, ordering: .relaxed) }.serve() }
    #expect(try run.value().isComplete)
    _ = (try one.value(), try two.value())
    #expect(try cluster.outputs() == TestCluster.undisturbed(jobs))
    let attempts = try LedgerReader(directory: cluster.directory).attempts()
    let lines = try LedgerReader(directory: cluster.directory).events().map(\.line)
    #expect(attempts.count == 1 && attempts[0].workers == "w1, w2", "\(attempts), \(lines)")
    let shared = second.load(ordering: .relaxed)
    #expect(shared > 0 && shared < 90, "it has made \(shared) steps")
  }

  @Test(arguments: Route.allCases) func `every route gives the same bits`(route: Route) throws {
    let jobs = [TestCluster.count("x", steps: 6, size: 70_000, group: 3)]
    let cluster = TestCluster()
    cluster.options.route = route
    let coordinator = try cluster.coordinator(jobs)
    let workers = (0..<3).map { index in background { try cluster.worker("w\(index)").serve() } }
    #expect(try coordinator.serve().isComplete)
    for worker in workers { _ = try worker.value() }
    #expect(try cluster.outputs() == TestCluster.undisturbed(jobs))
    let said = try LedgerReader(directory: cluster.directory).events().map(\.line)
    #expect(said.contains { $0.contains("\(route.name) between 3 workers, bound: ") }, "\(said)")
  }

  @Test(arguments: Route.allCases) func `a group goes on without a member whose thread hangs, which is named`(
    route: Route
  ) throws {
    let jobs = [TestCluster.count("g", steps: 60, pause: 5, group: 2)]
    let cluster = TestCluster()
    cluster.options.route = route
    cluster.options.timing.stall = 800
    let coordinator = try cluster.coordinator(jobs)
    let run = background { try coordinator.serve() }
    let isOver = Atomic(false)
    let services = [
      try cluster.worker("moves"),
      try cluster.worker("hangs") { _, step in
        while step >= 20, !isOver.load(ordering: .relaxed) { usleep(10_000) }
      },
    ]
    let workers = services.map { service in background { try service.serve() } }
    #expect(try run.value().isComplete)
    isOver.store(true, ordering: .relaxed)
    for worker in workers { _ = try worker.value() }
    #expect(try cluster.outputs() == TestCluster.undisturbed(jobs))
    let said = try LedgerReader(directory: cluster.directory).events().map(\.line)
    #expect(
      said.contains { $0.contains("taken away, as job g on worker hangs (") && $0.contains("moves waits for it") },
      "\(said)")
    #expect(!said.contains { $0.contains("taken away, as job g on worker moves") }, "\(said)")
    #expect(try LedgerReader(directory: cluster.directory).attempts().count == 1)
    #expect(services[0].reductions.isEmpty, "it would say again a sum that nobody waits for")
  }

  @Test func `a coordinator that is started again in the middle of a group's step`() throws {
    let jobs = [TestCluster.count("g", steps: 60, pause: 10, group: 2)]
    let cluster = TestCluster()
    let first = try cluster.coordinator(jobs)
    let run = background { try first.serve() }
    let steps = Atomic(0)
    let workers = (0..<2).map { index in
      background { try cluster.worker("w\(index)") { _, _ in steps.add(1, ordering: .relaxed) }.serve() }
    }
    try eventually { steps.load(ordering: .relaxed) > 30 }
    first.stop()
    _ = try run.value()
    #expect(try cluster.coordinator(jobs).serve().isComplete)
    for worker in workers { _ = try worker.value() }
    #expect(try cluster.outputs() == TestCluster.undisturbed(jobs))
  }

  @Test func `a disk that is full for a moment does not end the run, though nobody else is there`() throws {
    let cluster = TestCluster()
    cluster.options.lossLimit = 5
    let coordinator = try cluster.coordinator([TestCluster.count("a")])
    let run = background { try coordinator.serve() }
    let start = monotonicMilliseconds()
    let service = try cluster.worker("w") { _, _ in
      guard monotonicMilliseconds() - start > 2_500 else {
        throw FileProblem(path: "/cache/x", reason: "there is no room", isFull: true)
      }
    }
    let worker = background { try service.serve() }
    #expect(try run.value().isComplete)
    _ = try worker.value()
  }

  @Test func `a worker of another version is refused on both sides`() throws {
    let cluster = TestCluster()
    let coordinator = try cluster.coordinator([TestCluster.count("a")])
    let run = background { try coordinator.serve() }
    var options = cluster.options
    options.version = "2.0"
    let error = #expect(throws: ServiceError.self) { try cluster.worker("new", options: options).serve() }
    #expect(error?.description.contains("the worker is unmask 2.0, the coordinator 1.0") == true, "\(error!)")
    coordinator.stop()
    _ = try run.value()
    let events = try LedgerReader(directory: cluster.directory).events()
    #expect(events.contains { $0.line.contains("worker new is refused") })
  }

  @Test func `a worker without a coordinator gives up with a sentence`() throws {
    let cluster = TestCluster()
    var options = cluster.options
    options.timing.coordinatorWait = 500
    let error = #expect(throws: ServiceError.self) { try cluster.worker("lonely", options: options).serve() }
    #expect(error?.description.contains("no coordinator answers at \(cluster.address)") == true)
  }

  @Test func `a worker waits for a coordinator that is not up yet`() throws {
    let cluster = TestCluster()
    let worker = background { try cluster.worker("early").serve() }
    usleep(700_000)
    #expect(try cluster.coordinator([TestCluster.count("a")]).serve().isComplete)
    _ = try worker.value()
  }

  @Test func `a second coordinator on one directory is refused`() throws {
    let cluster = TestCluster()
    let first = try cluster.coordinator([TestCluster.count("a")])
    let error = #expect(throws: LedgerError.self) { try cluster.coordinator([TestCluster.count("a")]) }
    #expect(error?.description.contains("is in use by another coordinator") == true)
    first.stop()
    _ = try first.serve()
  }

  @Test func `a directory of another experiment is refused`() throws {
    let cluster = TestCluster()
    do {
      let first = try cluster.coordinator([TestCluster.count("a")])
      first.stop()
      _ = try first.serve()
    }
    // The lock went with the service; the experiment stays.
    let error = try secondOpening(cluster)
    #expect(error.contains("holds a run of another experiment"), "\(error)")
  }

  private func secondOpening(_ cluster: TestCluster) throws -> String {
    do {
      _ = try cluster.coordinator([TestCluster.count("a")], experiment: "other")
      return "none"
    } catch { return "\(error)" }
  }

  @Test func `an address in use is one sentence`() throws {
    let cluster = TestCluster()
    let other = TestCluster()
    let first = try cluster.coordinator([TestCluster.count("a")], listen: "tcp://127.0.0.1:*")
    let error = #expect(throws: TransportError.self) {
      try other.coordinator([TestCluster.count("a")], listen: first.address)
    }
    #expect(error?.description.contains("is in use by another program") == true)
    first.stop()
    _ = try first.serve()
  }

  @Test func `a stranger that talks nonsense leaves the run untouched`() throws {
    let jobs = TestCluster.plan([TestCluster.count("a", steps: 30, pause: 10)])
    let cluster = TestCluster()
    let coordinator = try cluster.coordinator(jobs)
    let run = background { try coordinator.serve() }
    let worker = background { try cluster.worker("one").serve() }
    let stranger = try Endpoint.caller(to: cluster.address)
    var random = SystemRandomNumberGenerator()
    for round in 0..<200 {
      let noise = (0..<Int.random(in: 1...40)).map { _ in
        (0..<Int.random(in: 0...200)).map { _ in UInt8.random(in: 0...255, using: &random) }
      }
      stranger.send(noise, isDroppable: true)
      // Well-formed, but from nobody: leases and files are not for strangers.
      let stolen = Packet(
        .jobFinished(JobFinished(job: "a", token: 1, outputs: [])), sender: 99, session: UInt64(round), sequence: 1)
      stranger.send(stolen.encoded(), isDroppable: true)
    }
    #expect(try run.value().isComplete)
    _ = try worker.value()
    stranger.close()
    #expect(try cluster.outputs() == TestCluster.undisturbed(jobs))
  }

  @Test func `a killed worker process is replaced from the last checkpoint`() async throws {
    let jobs = TestCluster.plan([TestCluster.count("a", steps: 30, pause: 10)])
    let cluster = TestCluster()
    let coordinator = try cluster.coordinator(jobs)
    let run = background { try coordinator.serve() }
    let address = cluster.address
    await #expect(processExitsWith: .signal(SIGKILL)) { [address = address as String] in
      let worker = try WorkerService(coordinator: address, name: "doomed", options: TestCluster.options) { _ in
        CountingRunner(beforeStep: { _, step in if step == 17 { kill(getpid(), SIGKILL) } })
      }
      _ = try worker.serve()
    }
    let resumed = Atomic(-1)
    let heir = background {
      try cluster.worker("heir") { _, step in
        _ = resumed.compareExchange(expected: -1, desired: step, ordering: .relaxed)
      }.serve()
    }
    #expect(try run.value().isComplete)
    _ = try heir.value()
    #expect(resumed.load(ordering: .relaxed) == 15)
    #expect(try cluster.outputs() == TestCluster.undisturbed(jobs))
  }

  @Test func `a killed coordinator process goes on in place`() async throws {
    let cluster = TestCluster()
    let (address, directory) = (cluster.address, cluster.directory.path)
    let steps = Atomic(0)
    let begins = Atomic(0)
    let worker = background {
      try cluster.worker("one") { _, step in
        if step == 0 { begins.add(1, ordering: .relaxed) }
        steps.add(1, ordering: .relaxed)
      }.serve()
    }
    await #expect(processExitsWith: .signal(SIGKILL)) {
      [address = address as String, directory = directory as String] in
      let coordinator = try CoordinatorService(
        plan: RunPlan(name: "test", experimentHash: "hash", jobs: `faults`.longPlan),
        directory: URL(filePath: directory),
        listen: address, runner: CountingRunner(), options: TestCluster.options)
      startComputeThread(named: "assassin") {
        while true {
          usleep(20_000)
          if let reply = try? OperatorClient(address).status(), (reply.jobs[0].progress?.step ?? 0) > 12 {
            kill(getpid(), SIGKILL)
          }
        }
      }
      _ = try coordinator.serve()
    }
    #expect(try cluster.coordinator(Self.longPlan).serve().isComplete)
    _ = try worker.value()
    #expect(begins.load(ordering: .relaxed) == 1)
    #expect(try cluster.outputs() == TestCluster.undisturbed(Self.longPlan))
  }

  static let longPlan = TestCluster.plan([TestCluster.count("a", steps: 100, pause: 20)])
}
