import Testing
import Wire

@testable import Coordination

/// Workers whose process says that it lives while the thread of a job does not move.
@Suite struct `a hang` {
  /// A group of two whose second member stops moving after step 5, told second by second.
  struct Group {
    var bench: Bench
    let token: UInt64
    /// Whether the second one speaks first each second.
    let isHungFirst: Bool
    var said: [String] = []
    var assigned: [(peer: UInt64, job: String, second: Int)] = []
    /// Jobs that the first does, and how far.
    var first: [String: (token: UInt64, step: Int)] = [:]
    var regroups = 0

    init(_ jobs: [JobSpec], isHungFirst: Bool = false) {
      self.isHungFirst = isHungFirst
      bench = Bench(jobs)
      _ = bench.hello(1, at: 0)
      token = bench.hello(2, at: 0).assigned[0].assign.token
      first["g"] = (token, 5)
      for id in 1...2 as ClosedRange<UInt64> { _ = bench.hear(id, Self.join(token, id, view: 1), at: 10) }
    }

    static func join(_ token: UInt64, _ id: UInt64, view: Int) -> Message {
      let place = GroupPlace(machine: "m", process: 1, handle: 1, nonce: id, address: "", key: "")
      return .groupJoin(
        GroupJoin(job: "g", token: token, view: view, shards: 2, steps: 5, isPending: false, place: place))
    }

    mutating func beat(_ id: UInt64, at now: Int) {
      let held = (id == 2 ? ["g": (token: token, step: 5)] : first).map {
        HeldLease(
          job: $0.key, token: $0.value.token,
          progress: JobProgress(phase: "p", epoch: 1, step: $0.value.step, steps: 9_000))
      }
      take(bench.hear(id, .heartbeat(Heartbeat(held: held, draining: false)), at: now), now)
    }

    /// What the first one does with what it is told; the second one does nothing more.
    mutating func take(_ actions: [CoordinatorAction], _ now: Int) {
      for action in actions {
        switch action {
        case .send(let peer, .assign(let assign)):
          assigned.append((peer.number, assign.job.id, now / 1_000))
          if peer.number == 1 { first[assign.job.id] = (assign.token, 0) }
        case .send(let peer, .cancel(let cancel)) where peer.number == 1 && first[cancel.job]?.token == cancel.token:
          first[cancel.job] = nil
          let failed = JobFailed(job: cancel.job, token: cancel.token, code: .cancelled, sentence: cancel.reason)
          take(bench.hear(1, .jobFailed(failed), at: now), now)
        case .send(let peer, .regroup(let regroup)) where peer.number == 1:
          regroups += 1
          take(bench.hear(1, Self.join(token, 1, view: regroup.view), at: now), now)
        case .send(let peer, .groupView(let view)) where peer.number == 1 && view.members.count == 1:
          first["g"]?.step += 1  // alone it goes on
        default: break
        }
      }
    }

    mutating func run(from: Int = 1, to end: Int, complains: Int? = 61) {
      for second in from...end {
        let now = second * 1_000
        for id in isHungFirst ? [2, 1] : [1, 2] as [UInt64] { beat(id, at: now + Int(id) * 100) }
        if let step = first["g"]?.step, step > 5 { first["g"]!.step = step + 1 }
        if second == complains {
          let trouble = GroupTrouble(
            job: "g", token: token, view: 1, isUnusable: false, sentence: "member 1 has not answered in time")
          take(bench.hear(1, .groupTrouble(trouble), at: now + 300), now)
        }
        let decided = bench.machine.handle(.tick, now: now + 500)
        said += decided.map(\.reason).filter { $0.contains("has not moved") || $0.contains("have not moved") }
        take(decided.map(\.action), now + 500)
      }
    }
  }

  @Test(arguments: [false, true]) func `in a group is that of the member that does not come, not of those who wait`(
    isHungFirst: Bool
  ) {
    var group = Group([job("g", group: 2)], isHungFirst: isHungFirst)
    group.run(to: 130)
    #expect(group.said.count == 1 && group.said[0].contains("job g on worker w2 (h, process 1) has not moved for 12"))
    #expect(group.said.first?.contains("w1 waits for it") == true, "\(group.said)")
    let stuck = group.bench.machine.status(130_000).stuck
    #expect(stuck.count == 1 && stuck[0].hasPrefix("job g on worker w2"), "\(stuck)")

    // The others go on without it, in the same attempt.
    group.run(from: 131, to: 700)
    #expect(group.said.dropFirst().allSatisfy { $0.contains("taken away, as job g on worker w2") }, "\(group.said)")
    #expect(group.said.count > 1 && group.said[1].contains("has not moved for 600 s"))
    #expect(group.assigned.isEmpty && group.first["g"]?.token == group.token)
    #expect(group.first["g"]?.step ?? 0 > 50)
    #expect(group.bench.machine.attempts[group.token]?.members.map(\.worker) == [1])
    let status = group.bench.machine.status(700_000)
    #expect(status.workers.map(\.state) == [.busy, .busy])
    #expect(
      status.stuck.count == 1
        && status.stuck[0].hasPrefix("worker w2 (h, process 1) holds job g, which was taken from it"), "\(status.stuck)"
    )
    #expect(group.bench.machine.inconsistency == nil)
  }

  @Test func `of a member that all others have voted without is named as well`() {
    var group = Group([job("g", group: 2)])
    group.take(
      group.bench.hear(1, .stepVote(StepVote(job: "g", token: group.token, view: 1, step: 5, digest: 1)), at: 20), 20)
    group.run(to: 130, complains: nil)
    #expect(group.said.count == 1 && group.said[0].contains("job g on worker w2"), "\(group.said)")
  }

  @Test func `of a whole group is that of all its members`() {
    var group = Group([job("g", group: 2)])
    group.run(to: 125, complains: nil)
    #expect(group.said.count == 1 && group.said[0].contains("w1") && group.said[0].contains("w2"), "\(group.said)")
  }

  @Test func `of one member is not that of another which moves`() {
    // The second one validates for long: it moves, and the first one waits for it.
    var bench = Bench([job("g", group: 2)])
    _ = bench.hello(1, at: 0)
    let token = bench.hello(2, at: 0).assigned[0].assign.token
    for id in 1...2 as ClosedRange<UInt64> { _ = bench.hear(id, Group.join(token, id, view: 1), at: 10) }
    var said: [String] = []
    for second in 1...800 {
      for id in 1...2 as ClosedRange<UInt64> {
        let progress = JobProgress(phase: id == 1 ? "train" : "validate", step: id == 1 ? 5 : second)
        let held = [HeldLease(job: "g", token: token, progress: progress)]
        _ = bench.hear(id, .heartbeat(Heartbeat(held: held, draining: false)), at: second * 1_000)
      }
      said += bench.machine.handle(.tick, now: second * 1_000 + 500).map(\.reason).filter { $0.contains("not moved") }
    }
    #expect(said.isEmpty && bench.machine.status(800_000).stuck.isEmpty)
  }

  @Test func `of the only worker that is left for a job does not keep the job from the one on which it failed`() throws
  {
    var bench = Bench([job("a"), job("y", attempts: 3)])
    let hung = bench.hello(1, at: 0).assigned[0].assign
    let first = bench.hello(2, at: 0).assigned[0].assign
    #expect([hung.job.id, first.job.id] == ["a", "y"])
    _ = bench.hear(2, .jobFailed(JobFailed(job: "y", token: first.token, code: .failed, sentence: "s")), at: 500)
    #expect(bench.machine.status(600).jobs[1].why.contains("waits for another worker than w2, where it failed"))
    var assigned: [(UInt64, String, Int)] = []
    for second in 1...700 {
      let now = second * 1_000
      var actions = bench.beat(1, [("a", hung.token)], at: now)
      let own = assigned.filter { $0.0 == 2 }.compactMap { entry in
        bench.machine.jobs[entry.1]!.token.map { (entry.1, $0) }
      }
      actions += bench.beat(2, own, at: now)
      actions += bench.machine.handle(.tick, now: now + 500).map(\.action)
      assigned += actions.assigned.map { ($0.peer, $0.assign.job.id, second) }
    }
    // `a` comes to the second worker as soon as it is taken from the first, and `y` after it.
    #expect(assigned.map(\.1) == ["a"] && assigned.map(\.0) == [2])
    let token = try #require(bench.machine.jobs["a"]?.token)
    let done = bench.hear(2, .jobFinished(JobFinished(job: "a", token: token, outputs: [])), at: 700_600)
    #expect(done.commits == ["a"])
    let next = bench.machine.handle(.committed(token: token), now: 700_600).map(\.action).assigned
    #expect(next.map(\.assign.job.id) == ["y"] && next.map(\.peer) == [2])
  }

  @Test func `of a job of the coordinator is named, and nothing is taken away`() {
    let spec = JobSpec(id: "merge", kind: "k", outputs: ["merged"], runsOn: .coordinator)
    var bench = Bench([spec])
    #expect(
      bench.machine.handle(.tick, now: 0).map(\.action).contains { if case .runHere = $0 { true } else { false } })
    bench.machine.noteProgress(1, JobProgress(phase: "fit", step: 3), now: 1_000)
    var said: [String] = []
    for second in 1...900 { said += bench.machine.handle(.tick, now: second * 1_000).map(\.reason).filter { $0 != "" } }
    #expect(said == ["job merge on the coordinator has not moved for 120 s: phase fit, epoch 0, step 3"])
    #expect(
      bench.machine.status(900_000).stuck == [
        "job merge on the coordinator has not moved for 899 s: phase fit, epoch 0, step 3"
      ])
    bench.machine.noteProgress(1, JobProgress(phase: "fit", step: 4), now: 900_000)
    #expect(bench.machine.status(900_000).stuck.isEmpty)
    for second in 901...1_021 {
      said += bench.machine.handle(.tick, now: second * 1_000).map(\.reason).filter { $0 != "" }
    }
    #expect(said.count == 2)
  }
}
