import Testing
import Wire

@testable import Coordination

@Suite struct `sharing of jobs` {
  func running(left: Int, members: Int = 1, most: Int = 4, paces: [Int: Double] = [:]) -> Sharing.Running {
    Sharing.Running(left: left, members: members, most: most, paces: paces)
  }

  @Test func `is worth it only for a job that is far from done`() {
    #expect(Sharing.grow(running(left: 60_000), idle: 1)?.members == 2)
    #expect(Sharing.grow(running(left: 8_000), idle: 1) == nil)
    #expect(Sharing.grow(running(left: 60_000), idle: 0) == nil)
  }

  @Test func `takes no worker that would only wait`() {
    // Of four shards, three members have two, one and one: no sooner done than two members with two each.
    #expect(Sharing.grow(running(left: 60_000), idle: 2)?.members == 2)
    #expect(Sharing.grow(running(left: 60_000), idle: 3)?.members == 4)
    #expect(Sharing.grow(running(left: 600_000, members: 2), idle: 1) == nil)
  }

  @Test func `goes by what was measured`() {
    #expect(Sharing.grow(running(left: 60_000, paces: [1: 100, 2: 98]), idle: 1) == nil)
    #expect(Sharing.grow(running(left: 60_000, paces: [1: 100, 2: 55]), idle: 1)?.saved == 24_000)
  }

  @Test func `ends when others wait, and moves from slow workers`() {
    #expect(Sharing.shrink(running(left: 60_000, members: 4), waiting: 2)?.members == 2)
    #expect(Sharing.shrink(running(left: 5_000, members: 4), waiting: 2) == nil)
    #expect(Sharing.replace(left: 60_000, pace: 400, others: [100, 110]) != nil)
    #expect(Sharing.replace(left: 60_000, pace: 150, others: [100, 110]) == nil)
    #expect(Sharing.replace(left: 3_000, pace: 400, others: [100]) == nil)
  }

  /// A bench whose jobs are shared as they go: `train/m/0`, and more if they are named.
  func bench(_ jobs: [JobSpec]) -> Bench { Bench(jobs, sharesJobs: true) }

  func training(_ id: String, after: [String] = [], priority: Int = 0) -> JobSpec {
    JobSpec(
      id: id, kind: "train", arguments: ["epochs": "10"], dependencies: after, groupSize: 4, priority: priority)
  }

  func beat(_ bench: inout Bench, _ id: UInt64, _ job: String, _ token: UInt64, step: Int, at now: Int)
    -> [CoordinatorAction]
  {
    let progress = JobProgress(phase: "train", epoch: 1, step: step, steps: 100)
    return bench.hear(
      id, .heartbeat(Heartbeat(held: [HeldLease(job: job, token: token, progress: progress)], draining: false)),
      at: now)
  }

  @Test func `gives an idle worker a part of the last job, without a new attempt`() {
    var bench = bench([training("train/m/0")])
    let first = bench.hello(1, at: 0).assigned
    #expect(first.map(\.assign.members) == [1])
    let token = first[0].assign.token
    #expect(bench.hello(2, at: 0).assigned.isEmpty)
    for second in 1...5 {
      _ = beat(&bench, 1, "train/m/0", token, step: second * 10, at: second * 1_000)
      _ = bench.beat(2, at: second * 1_000)
    }
    // 100 ms a step, 950 steps are left: sharing saves most of a minute.
    let asked = bench.machine.handle(.tick, now: 5_100)
    #expect(asked.contains { $0.reason.contains("idle workers can share it") })
    let actions = asked.map(\.action)
    #expect(actions.cancelled.isEmpty && actions.contains(.changeAttempt(token: token, members: [1, 2])))
    #expect(actions.assigned.map(\.assign.rank) == [1] && actions.assigned[0].assign.token == token)
    #expect(actions.regrouped.suffix(2).map(\.rank) == [0, 1])
    #expect(bench.machine.attempts[token]?.members.count == 2)
    #expect(bench.machine.status(5_300).jobs[0].failures == 0)
    #expect(bench.machine.inconsistency == nil)
  }

  @Test func `never happens while other jobs wait, and ends when they do`() {
    var bench = bench([training("train/m/0"), training("train/m/1"), training("train/m/2")])
    let first = bench.hello(1, at: 0).assigned[0].assign
    let second = bench.hello(2, at: 0).assigned[0].assign
    for step in 1...5 {
      _ = beat(&bench, 1, first.job.id, first.token, step: step * 10, at: step * 1_000)
      _ = beat(&bench, 2, second.job.id, second.token, step: step * 10, at: step * 1_000)
    }
    #expect(bench.machine.handle(.tick, now: 5_100).map(\.action).cancelled.isEmpty)
  }

  @Test func `moves a job from a worker that is much slower than others`() {
    var bench = bench([training("train/m/0"), training("train/m/1")])
    let slow = bench.hello(1, at: 0).assigned[0].assign
    let fast = bench.hello(2, at: 0).assigned[0].assign
    for step in 1...12 {
      _ = beat(&bench, 1, slow.job.id, slow.token, step: step * 2, at: step * 1_000)
      _ = beat(&bench, 2, fast.job.id, fast.token, step: step * 20, at: step * 1_000)
    }
    let done = bench.hear(2, .jobFinished(JobFinished(job: fast.job.id, token: fast.token, outputs: [])), at: 12_100)
    #expect(done.commits == [fast.job.id])
    _ = bench.machine.handle(.committed(token: fast.token), now: 12_100)
    let asked = bench.machine.handle(.tick, now: 13_200)
    #expect(asked.contains { $0.reason.contains("worker w1 is slow") })
    let failed = JobFailed(job: slow.job.id, token: slow.token, code: .cancelled, sentence: "another one goes on")
    #expect(bench.hear(1, .jobFailed(failed), at: 13_300).assigned.map(\.peer) == [2])
  }

  @Test func `leaves scores and fusion their turn`() {
    // A score is more urgent than a training: the next free worker gets it, whatever waits beside it.
    var bench = bench([
      training("train/m/0"), training("train/m/1"), job("score/m/0", after: ["train/m/0"], priority: 20),
    ])
    let first = bench.hello(1, at: 0).assigned[0].assign
    _ = bench.hear(1, .jobFinished(JobFinished(job: "train/m/0", token: first.token, outputs: [])), at: 10)
    let next = bench.machine.handle(.committed(token: first.token), now: 10).map(\.action).assigned
    #expect(next.isEmpty || next[0].assign.job.id == "score/m/0")
  }
}

@Suite struct `a queue of experiments` {
  @Test func `tells workers what follows, and lets operators take it out`() {
    var bench = Bench([job("a")], queue: ["second", "third"])
    let token = bench.hello(1, at: 0).assigned[0].assign.token
    #expect(bench.machine.status(0).queue == ["second", "third"])
    let reply = bench.hear(9, .operate(Operate(version: "1", operation: .cancel, target: "second")), at: 5, session: 0)
    #expect(
      reply == [
        .send(
          Peer(9),
          .operateReply(
            OperateReply(
              isAccepted: true, sentence: "experiment second will not follow; the same command begins it")))
      ])
    _ = bench.hear(1, .jobFinished(JobFinished(job: "a", token: token, outputs: [])), at: 10)
    let end = bench.machine.handle(.committed(token: token), now: 10).map(\.action)
    let told = end.compactMap { if case .send(_, .runEnded(let ended)) = $0 { ended.next } else { nil } }
    #expect(told == ["third"])
  }
}
