import Foundation
import Models
import Synchronization
import Testing

@testable import Training

@Suite struct `what training used` {
  /// Everything that members told of.
  private final class Uses: Sendable {
    private let all = Mutex<[EpochUse]>([])
    func add(_ use: EpochUse) { all.withLock { $0.append(use) } }
    /// What every one of so many members said about an epoch; nil if they differ.
    func tally(epoch: Int, members: Int = 1) -> SampleTally? {
      let said = all.withLock { $0.filter { $0.epoch == epoch }.map(\.tally) }
      return said.count == members && Set(said.map(\.sum)).count == 1 ? said[0] : nil
    }
  }

  private struct Stopped: Error {}

  private func run(
    _ folder: TemporaryFolder, _ job: TrainingJob, name: String = "model", resuming: URL? = nil,
    change: (inout Trainer) -> Void
  ) throws {
    var trainer = Trainer(job, cache: folder.cache)
    change(&trainer)
    _ = try trainer.run(
      checkpoint: folder.url.appending(path: "\(name).checkpoint"), resuming: resuming,
      output: folder.url.appending(path: name))
  }

  /// The plan as somebody else would make it, who knows how many parts each file has.
  private func schedule(_ job: TrainingJob, _ folder: TemporaryFolder) throws -> EpochSchedule {
    let items = try job.training.compactMap { sample -> EpochSchedule.Item? in
      guard case .ready(let prepared) = try folder.cache.sample(of: sample, input: job.input) else { return nil }
      return EpochSchedule.Item(sample, parts: job.input.parts(of: prepared), in: job)
    }
    return try EpochSchedule(checking: job, files: items)
  }

  @Test(arguments: [1, 2, 3]) func `adds up to the plan, for members that share each step`(members: Int) throws {
    let (folder, uses, job) = (try TemporaryFolder(), Uses(), TinyTask.job())
    let group = LocalGroup(members: members)
    onThreads(members) { rank in
      do {
        try run(folder, job, name: "member-\(rank)") {
          if members > 1 { $0.reducer = group.member(rank) }
          $0.onUse = { uses.add($0) }
        }
      } catch { Issue.record(error) }
    }
    let plan = try schedule(job, folder)
    for epoch in 0..<3 {
      #expect(plan.tally(epoch: epoch).count > 0)
      #expect(uses.tally(epoch: epoch, members: members) == plan.tally(epoch: epoch), "epoch \(epoch)")
    }
    #expect(plan.tally(epoch: 0).sum != plan.tally(epoch: 1).sum)
  }

  @Test func `goes with checkpoints, so that going on from one leaves nothing out and repeats nothing`() throws {
    let (folder, job) = (try TemporaryFolder(), TinyTask.job())
    let uses = Uses()
    var kept = 0
    let last = folder.url.appending(path: "last")
    #expect(throws: Stopped.self) {
      try run(folder, job) {
        $0.checkpointSteps = 2
        $0.onUse = { uses.add($0) }
        $0.onCheckpoint = { file in
          try? FileManager.default.removeItem(at: last)
          try FileManager.default.copyItem(at: file, to: last)
          kept += 1
          if kept == 3 { throw Stopped() }
        }
      }
    }
    try run(folder, job, name: "again", resuming: last) { $0.onUse = { uses.add($0) } }
    let plan = try schedule(job, folder)
    for epoch in 0..<3 { #expect(uses.tally(epoch: epoch) == plan.tally(epoch: epoch), "epoch \(epoch)") }
  }

  @Test func `adds up exactly as numbers of a vector`() {
    let tallies = (0..<1024).map {
      SampleTally(count: $0, sum: UInt64($0) &* 0x9E37_79B9_7F4A_7C15 | 0xFF00_0000_0000_00FF)
    }
    let parts = tallies.map(\.parts)
    let sums = (0..<SampleTally.partCount).map { place in parts.reduce(Float(0)) { $0 + $1[place] } }
    #expect(SampleTally(parts: sums) == tallies.reduce(SampleTally(), +))
    #expect(SampleTally(parts: [Float](repeating: .nan, count: SampleTally.partCount)) == SampleTally())
  }

  @Test func `differs when a sample is left out, used twice, or used in another's place`() throws {
    let (folder, job) = (try TemporaryFolder(), TinyTask.job())
    let data = try TrainingData(
      job, writer: PartWriter(input: job.input), threads: 1,
      first: { try folder.cache.sample(of: $0, input: job.input) },
      load: { try folder.cache.sample(of: $0, input: job.input) }, progress: { _, _ in })
    let steps = data.epoch(0).steps
    func used(_ steps: [[EpochPlan.View]]) throws -> SampleTally {
      try steps.map { try data.batch($0, epoch: 0, shards: 0..<job.settings.logicalShards).used }
        .reduce(SampleTally(), +)
    }
    let plan = try schedule(job, folder).tally(epoch: 0)
    #expect(try used(steps) == plan)
    var wrong = steps
    wrong[1].removeLast()
    #expect(try used(wrong) != plan)
    wrong = steps
    wrong[0].append(steps[1][0])
    #expect(try used(wrong) != plan)
    wrong = steps
    wrong[0][0] = steps[1][0]
    #expect(try used(wrong).count == plan.count)
    #expect(try used(wrong) != plan)
    // A member that computes another's shard too.
    let twice = try [0..<2, 1..<4].map { try data.batch(steps[0], epoch: 0, shards: $0).used }
    #expect(try twice[0] + twice[1] != used([steps[0]]))
  }

  @Test func `of a fit in closed form is every sample once`() throws {
    let (folder, uses) = (try TemporaryFolder(), Uses())
    let job = TinyTask.job(architecture: try ModelRegistry.find("thumbnail-logistic"))
    try run(folder, job) { $0.onUse = { uses.add($0) } }
    #expect(uses.tally(epoch: 0) == (try schedule(job, folder).tally(epoch: 0)))
    #expect(uses.tally(epoch: 0)?.count == job.training.count)
  }
}
