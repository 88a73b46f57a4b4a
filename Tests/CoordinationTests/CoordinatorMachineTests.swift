import Coordination
import Testing
import Wire

/// A coordinator's machine and hand-made messages.
struct Bench {
  var machine: CoordinatorMachine
  var sequence: UInt64 = 0
  static let incarnation: UInt64 = 7

  init(
    _ jobs: [JobSpec], restored: RestoredRun = RestoredRun(), usesBFloat16: Bool = false, sharesJobs: Bool = false,
    queue: [String] = []
  ) {
    machine = CoordinatorMachine(
      CoordinatorConfiguration(
        run: "r", experiment: "e", version: "1", usesBFloat16: usesBFloat16, incarnation: Self.incarnation,
        heartbeat: 1_000, lease: 5_000, groupPatience: 2_000, sharesJobs: sharesJobs, queue: queue),
      jobs: jobs, restored: restored, now: 0)
  }

  @discardableResult
  mutating func hear(_ id: UInt64, _ message: Message, at now: Int, session: UInt64 = incarnation, peer: UInt64? = nil)
    -> [CoordinatorAction]
  {
    sequence += 1
    let header = Header(kind: message.kind, sender: id, session: session, sequence: sequence)
    return machine.handle(.received(Peer(peer ?? id), header, message), now: now).map(\.action)
  }

  @discardableResult
  mutating func hello(
    _ id: UInt64, name: String? = nil, version: String = "1", fingerprint: String = "", slots: Int = 1,
    held: [HeldLease] = [], at now: Int, peer: UInt64? = nil
  ) -> [CoordinatorAction] {
    let hello = Hello(
      name: name ?? "w\(id)", version: version, fingerprint: fingerprint, host: "h", process: 1, slots: slots,
      held: held)
    return hear(id, .hello(hello), at: now, session: 0, peer: peer)
  }

  mutating func beat(_ id: UInt64, _ tokens: [(String, UInt64)] = [], at now: Int) -> [CoordinatorAction] {
    let held = tokens.map { HeldLease(job: $0.0, token: $0.1, progress: JobProgress(phase: "p")) }
    return hear(id, .heartbeat(Heartbeat(held: held, draining: false)), at: now)
  }
}

extension [CoordinatorAction] {
  var assigned: [(peer: UInt64, assign: Assign)] {
    compactMap { if case .send(let peer, .assign(let assign)) = $0 { (peer.number, assign) } else { nil } }
  }
  var regrouped: [Regroup] { compactMap { if case .send(_, .regroup(let group)) = $0 { group } else { nil } } }
  var cancelled: [Cancel] { compactMap { if case .send(_, .cancel(let cancel)) = $0 { cancel } else { nil } } }
  var closed: [JobClosed] { compactMap { if case .send(_, .jobClosed(let closed)) = $0 { closed } else { nil } } }
  var refusals: [Refuse] { compactMap { if case .send(_, .refuse(let refusal)) = $0 { refusal } else { nil } } }
  var resets: Int { count { if case .send(_, .reset) = $0 { true } else { false } } }
  var commits: [String] { compactMap { if case .commit(let job, _, _) = $0 { job } else { nil } } }
}

func job(
  _ id: String, after: [String] = [], group: Int = 1, priority: Int = 0, attempts: Int = 2, outputs: [String] = []
) -> JobSpec {
  JobSpec(
    id: id, kind: "k", dependencies: after, outputs: outputs, groupSize: group, maxAttempts: attempts,
    priority: priority)
}

@Suite struct `the coordinator` {
  @Test func `gives the most urgent job first, then the earlier one`() {
    var bench = Bench([job("a"), job("b", priority: 1), job("c")])
    #expect(bench.hello(1, slots: 3, at: 0).assigned.map(\.assign.job.id) == ["b", "a", "c"])
  }

  @Test func `takes a result only with the current token`() {
    var bench = Bench([job("a")])
    let token = bench.hello(1, at: 0).assigned[0].assign.token
    // The worker is silent for longer than the lease: the job goes elsewhere.
    _ = bench.machine.handle(.tick, now: 5_001)
    let second = bench.hello(2, at: 5_100).assigned[0].assign.token
    #expect(second > token)
    _ = bench.hello(1, held: [HeldLease(job: "a", token: token, progress: JobProgress(phase: "p"))], at: 5_200)
    let late = bench.hear(1, .jobFinished(JobFinished(job: "a", token: token, outputs: [])), at: 5_300)
    #expect(late.commits.isEmpty && late.closed.map(\.isAccepted) == [false])
    let right = bench.hear(2, .jobFinished(JobFinished(job: "a", token: second, outputs: [])), at: 5_400)
    #expect(right.commits == ["a"])
  }

  @Test func `answers a repeated result of a job that is done`() {
    var bench = Bench([job("a"), job("b", after: ["a"])])
    let token = bench.hello(1, at: 0).assigned[0].assign.token
    let finished = Message.jobFinished(JobFinished(job: "a", token: token, outputs: []))
    #expect(bench.hear(1, finished, at: 10).commits == ["a"])
    _ = bench.machine.handle(.committed(token: token), now: 10)
    let again = bench.hear(1, finished, at: 20)
    #expect(again.commits.isEmpty && again.closed.map(\.isAccepted) == [true])
  }

  @Test func `fences a worker that names a lease that is not its own`() {
    var bench = Bench([job("a")])
    _ = bench.hello(1, at: 0)
    _ = bench.hello(2, at: 0)
    #expect(bench.beat(2, [("a", 1)], at: 100).cancelled.map(\.code) == [.fenced])
    #expect(bench.beat(1, [("a", 1)], at: 100).cancelled.isEmpty)
  }

  @Test func `drops a repeated message and resets an unknown connection`() {
    var bench = Bench([job("a")])
    _ = bench.hello(1, at: 0)
    let beat = Message.heartbeat(Heartbeat(held: [], draining: false))
    let header = Header(kind: .heartbeat, sender: 1, session: Bench.incarnation, sequence: 50)
    #expect(!bench.machine.handle(.received(Peer(1), header, beat), now: 10).isEmpty)
    #expect(bench.machine.handle(.received(Peer(1), header, beat), now: 11).isEmpty)
    #expect(bench.machine.dropped == 1)
    #expect(bench.hear(1, beat, at: 20, peer: 99).resets == 1)
    bench.sequence = 60
    #expect(bench.hear(1, beat, at: 20, session: 3).resets == 1)  // meant for an earlier process
  }

  @Test func `tries a failed job elsewhere, and gives it up in the end`() {
    var bench = Bench([job("a"), job("b", after: ["a"])])
    let first = bench.hello(1, at: 0).assigned[0].assign.token
    _ = bench.hello(2, at: 0)
    let failed = { (token: UInt64) in
      Message.jobFailed(JobFailed(job: "a", token: token, code: .failed, sentence: "s"))
    }
    let retry = bench.hear(1, failed(first), at: 10)
    #expect(retry.assigned.map(\.peer) == [2])
    let end = bench.hear(2, failed(retry.assigned[0].assign.token), at: 20)
    #expect(end.contains(.giveUp(job: "a", sentence: "s (on worker w2)")) && end.contains(.end(.failed)))
  }

  @Test func `gives nothing more to a worker that says with a failure that it is leaving`() {
    var bench = Bench([job("a")])
    let token = bench.hello(1, at: 0).assigned[0].assign.token
    let failed = JobFailed(job: "a", token: token, code: .draining, sentence: "the worker is leaving")
    #expect(bench.hear(1, .jobFailed(failed), at: 10).assigned.isEmpty)
    #expect(bench.hello(2, at: 20).assigned.map(\.peer) == [2])
  }

  @Test func `does not count an attempt that died with its worker`() {
    var bench = Bench([job("a", attempts: 1)])
    for round in 0..<5 {
      #expect(bench.hello(UInt64(round + 1), at: round * 10_000).assigned.count == 1)
      _ = bench.machine.handle(.tick, now: round * 10_000 + 5_001)
    }
    #expect(bench.machine.ended == nil)
  }

  @Test func `finds a dead connection before the lease is over`() {
    var bench = Bench([job("a")])
    _ = bench.hello(1, at: 0)
    let probe = bench.machine.handle(.tick, now: 1_600).map(\.action)
    #expect(probe.contains(.send(Peer(1), .heartbeatSeen(HeartbeatSeen()))))
    _ = bench.machine.handle(.unreachable(Peer(1)), now: 1_600)
    #expect(bench.hello(2, at: 1_700).assigned.isEmpty)
    _ = bench.machine.handle(.unreachable(Peer(1)), now: 1_700)
    _ = bench.beat(2, at: 2_700)
    #expect(bench.machine.handle(.tick, now: 3_700).map(\.action).assigned.map(\.peer) == [2])
  }

  @Test func `assembles a group, and starts with fewer when nobody else comes`() {
    var bench = Bench([job("g", group: 3)])
    #expect(bench.hello(1, at: 0).assigned.isEmpty)
    #expect(bench.hello(2, at: 100).assigned.isEmpty)
    _ = bench.beat(1, at: 1_000)
    _ = bench.beat(2, at: 1_000)
    let started = bench.machine.handle(.tick, now: 2_000).map(\.action).assigned
    #expect(started.map(\.assign.rank) == [0, 1] && started.allSatisfy { $0.assign.members == 2 })
    #expect(Set(started.map(\.assign.token)).count == 1)
  }

  @Test func `lets a group that lost a member go on with the others, and takes in who comes`() {
    var bench = Bench([job("g", group: 2)])
    _ = bench.hello(1, at: 0)
    let token = bench.hello(2, at: 0).assigned[0].assign.token
    let left = bench.hear(1, .bye(Bye(reason: "")), at: 100)
    #expect(left.contains(.changeAttempt(token: token, members: [2])) && left.cancelled.isEmpty)
    #expect(left.regrouped.map(\.rank) == [0])
    let came = bench.hello(3, at: 200)
    #expect(came.contains(.changeAttempt(token: token, members: [2, 3])))
    #expect(came.assigned.map(\.assign.rank) == [1] && came.assigned[0].assign.token == token)
    #expect(came.regrouped.map(\.view) == [3, 3])
    // Nobody comes back while he may still be doing what he was told to stop; then he may.
    #expect(bench.beat(3, [("g", token)], at: 250).assigned.isEmpty)
    _ = bench.hear(3, .jobFailed(JobFailed(job: "g", token: token, code: .cancelled, sentence: "")), at: 300)
    let back = bench.beat(3, at: 400)
    #expect(back.assigned.map(\.peer) == [3] && back.contains(.changeAttempt(token: token, members: [2, 3])))
    _ = bench.hear(3, .bye(Bye(reason: "")), at: 450)
    #expect(bench.hear(2, .bye(Bye(reason: "")), at: 500).contains { if case .endAttempt = $0 { true } else { false } })
  }

  @Test func `loses no job to a member that became the first too late`() {
    var bench = Bench([job("g", group: 2, outputs: ["o"])])
    _ = bench.hello(1, at: 0)
    let token = bench.hello(2, at: 0).assigned[0].assign.token
    _ = bench.hear(1, .bye(Bye(reason: "")), at: 100)
    let ended = bench.hear(2, .jobFinished(JobFinished(job: "g", token: token, outputs: [])), at: 110)
    #expect(ended.commits.isEmpty && ended.contains { if case .endAttempt = $0 { true } else { false } })
  }

  @Test func `keeps the leases of a run that is restarted`() {
    var restored = RestoredRun()
    restored.open = [.init(job: "a", token: 4, members: [1])]
    restored.lastToken = 4
    var bench = Bench([job("a")], restored: restored)
    #expect(bench.hello(2, at: 100).assigned.isEmpty)  // its worker may still be at it
    let held = [HeldLease(job: "a", token: 4, progress: JobProgress(phase: "p"))]
    #expect(bench.hello(1, held: held, at: 3_000).cancelled.isEmpty)
    #expect(bench.hear(1, .jobFinished(JobFinished(job: "a", token: 4, outputs: [])), at: 6_000).commits == ["a"])
  }

  @Test func `refuses another version, other numerics, and a name that is taken`() {
    var bench = Bench([job("a")])
    #expect(bench.hello(1, version: "2", at: 0).refusals.map(\.code) == [.version])
    let first = bench.hello(2, fingerprint: "abc", at: 0)
    #expect(first.contains(.adoptFingerprint("abc")))
    let other = bench.hello(3, fingerprint: "def", at: 0).refusals
    #expect(
      other.map(\.code) == [.fingerprint] && other[0].sentence.contains("abc") && other[0].sentence.contains("def"))
    #expect(bench.hello(4, name: "w2", at: 10).refusals.map(\.code) == [.name])
    #expect(bench.hello(4, name: "w2", at: 3_000).refusals.isEmpty)  // the old one was silent
  }

  @Test func `compares bfloat16 numerics where the run uses them, and only there`() {
    var plain = Bench([job("a")])
    #expect(plain.hello(1, fingerprint: "abc bf16 none", at: 0).contains(.adoptFingerprint("abc")))
    #expect(plain.hello(2, fingerprint: "abc bf16 123", at: 0).refusals.isEmpty)
    #expect(plain.hello(3, fingerprint: "abd bf16 none", at: 0).refusals.map(\.code) == [.fingerprint])

    for (first, second, reason) in [
      ("abc bf16 123", "abc bf16 none", "the worker's processor has none"),
      ("abc bf16 none", "abc bf16 123", "began on a processor without it"),
      ("abc bf16 123", "abc bf16 124", "(bf16 124) differ from the run's (bf16 123)"),
      ("abc bf16 123", "abd bf16 123", "(abd bf16 123) differ from the run's (abc bf16 123)"),
    ] {
      var bench = Bench([job("a")], usesBFloat16: true)
      #expect(bench.hello(1, fingerprint: first, at: 0).contains(.adoptFingerprint(first)))
      #expect(bench.hello(2, fingerprint: first, at: 0).refusals.isEmpty)
      let refusals = bench.hello(3, fingerprint: second, at: 0).refusals
      #expect(refusals.map(\.code) == [.fingerprint] && refusals[0].sentence.contains(reason))
    }
  }

  @Test func `takes a job away from a worker whose thread hangs, and names it`() {
    var bench = Bench([job("a")])
    _ = bench.hello(1, at: 0)
    _ = bench.hello(2, at: 0)
    var said: [String] = []
    for second in 1...601 {
      _ = bench.beat(1, [("a", 1)], at: second * 1_000)
      _ = bench.beat(2, at: second * 1_000)
      let decided = bench.machine.handle(.tick, now: second * 1_000)
      said += decided.map(\.reason).filter { $0.contains("has not moved") }
      if let next = decided.map(\.action).assigned.first {
        #expect(next.peer == 2 && second == 601)
      }
    }
    #expect(said.count == 2 && said[0].contains("job a on worker w1 (h, process 1) has not moved for 120 s: phase p"))
    #expect(said[1].contains("is taken away") && said[1].contains("has not moved for 600 s"))
  }

  @Test func `says what is stuck, and what a job waits for`() {
    var bench = Bench([job("a"), job("b", after: ["a"]), job("c")])
    #expect(bench.machine.status(0).stuck.count == 1)  // no worker
    _ = bench.hello(1, at: 0)
    for second in 1...130 { _ = bench.beat(1, [("a", 1)], at: second * 1_000) }
    let status = bench.machine.status(130_000)
    #expect(status.stuck.count == 1 && status.stuck[0].hasPrefix("job a on worker w1"))
    #expect(status.jobs.map(\.why) == ["", "waits for a", "waits for a free worker"])
  }
}

@Suite struct `a job graph` {
  @Test(arguments: [
    ([job("a"), job("a")], "job a is there twice"),
    ([job("a", after: ["b"])], "job a needs job b, which does not exist"),
    ([job("a", after: ["b"]), job("b", after: ["a"])], "job a waits for itself, through b"),
    ([JobSpec(id: "a", kind: "k", inputs: ["x"])], "job a reads x, which no job publishes"),
    ([JobSpec(id: "a", kind: "k", outputs: ["../x"])], "job a cannot publish \"../x\""),
    (
      [JobSpec(id: "a", kind: "k", inputs: ["x"]), JobSpec(id: "b", kind: "k", outputs: ["x"])],
      "job a reads x of job b, but does not wait for it"
    ),
  ])
  func `with a mistake is told apart by a sentence`(jobs: [JobSpec], sentence: String) {
    #expect(JobGraph.problem(with: jobs, shared: []) == sentence)
  }
}
