import Datasets
import Foundation
import Models
import Tensor

/// The usable samples of a job and how its batches are made: reading from the cache, cutting, augmenting. Batches are
/// pure functions of (epoch, step); a `Prefetcher` makes them ahead of the compute threads.
struct TrainingData: Sendable {
  /// A sample that is decoded and has a label.
  struct Item: Sendable {
    let sample: ModelSample
    let isFake: Bool
    let parts: Int
  }

  let training: [Item]
  let validation: [Item]
  let failures: [SampleFailure]
  private let job: TrainingJob
  private let cache: SampleCache
  private let writer: PartWriter
  private let plan: SamplingPlan

  /// Visits every sample once, so that undecodable ones are known before the first step.
  ///
  /// - Throws: when no usable sample of a class is left, or a file is missing.
  init(_ job: TrainingJob, cache: SampleCache, threads: Int, progress: (Int, Int) throws -> Void) throws {
    (self.job, self.cache, writer) = (job, cache, PartWriter(input: job.input))
    let samples = job.training + job.validation
    let crew = ShardThreads(count: threads, computeThreads: 1)
    var entries: [SampleCache.Entry] = []
    let (input, writer) = (job.input, self.writer)
    while entries.count < samples.count {
      let chunk = samples[entries.count..<min(samples.count, entries.count + 4 * max(1, threads))]
      let found = crew.map(chunk.count) { index in
        Result { try cache.sample(of: chunk[chunk.startIndex + index], input: input) }
      }
      for result in found { entries.append(try result.get()) }
      try progress(entries.count, samples.count)
    }
    var (training, validation): ([Item], [Item]) = ([], [])
    var failures: [SampleFailure] = []
    for (index, (sample, entry)) in zip(samples, entries).enumerated() {
      guard let label = sample.label else { continue }
      switch entry {
      case .failed(let reason):
        failures.append(SampleFailure(dataset: sample.dataset, sample: sample.id, reason: reason))
      case .ready(let prepared):
        let isTraining = index < job.training.count
        let parts = isTraining ? writer.views(of: prepared, wanted: job.architecture.recipe.views) : 0
        let item = Item(sample: sample, isFake: label == .fake, parts: parts)
        if isTraining { training.append(item) } else { validation.append(item) }
      }
    }
    (self.training, self.validation, self.failures) = (training, validation, failures)
    let fakes = training.count { $0.isFake }
    guard fakes > 0, fakes < training.count else {
      throw TrainingError(
        "model \(job.model), fold \(job.fold): of the training part's \(training.count) usable samples \(fakes) are fake; "
          + "both classes are needed, so check the labels, or use fewer folds")
    }
    plan = try SamplingPlan(
      labels: training.map { $0.isFake ? .fake : .real }, weights: training.map(\.sample.weight),
      settings: job.balance, seed: job.seed, fold: job.fold)
  }

  /// The steps of an epoch.
  func epoch(_ epoch: Int) -> EpochPlan {
    let rounds = training.map(\.parts).max()!
    return EpochPlan(
      rounds: (0..<rounds).map { plan.order(epoch: epoch * rounds + $0) }, views: { training[$0].parts },
      batch: job.settings.batch)
  }

  /// The part of a step's batch that belongs to these shards.
  func batch(_ views: [EpochPlan.View], epoch: Int, shards: Range<Int>) throws -> StepBatch {
    let weights = views.map { plan.lossWeight($0.sample) }
    let names = views.map { training[$0.sample].sample.id }
    let made = try shards.map { shard -> ShardBatch? in
      let run = EpochPlan.run(shard, of: job.settings.logicalShards, over: views.count)
      guard !run.isEmpty else { return nil }
      let prepared = try run.map { try self.prepared(training[views[$0].sample]) }
      let input = writer.batch(run.count) { index, out in
        let view = views[run.lowerBound + index]
        write(prepared[index], view: view, epoch: epoch, to: out)
      }
      return ShardBatch(
        input: input, isFake: run.map { training[views[$0].sample].isFake }, weights: Array(weights[run]),
        names: Array(names[run]))
    }
    return StepBatch(shards: made, count: views.count, weight: weights.reduce(0, +), names: names)
  }

  /// A validation sample, or any other, from the cache.
  func prepared(_ item: Item) throws -> PreparedSample {
    switch try cache.sample(of: item.sample, input: job.input) {
    case .ready(let sample): return sample
    case .failed(let reason):
      throw TrainingError(
        "\(item.sample.file.path): it could be read at first and cannot be now (\(reason)); do not change files while a "
          + "job runs")
    }
  }

  /// Weight of a training sample in the loss; closed-form fitting asks for it.
  func lossWeight(_ index: Int) -> Double { plan.lossWeight(index) }

  private func write(
    _ prepared: PreparedSample, view: EpochPlan.View, epoch: Int, to out: UnsafeMutableBufferPointer<Float>
  ) {
    let sample = training[view.sample].sample
    let random = RandomStream(seed: job.seed, "fold", job.fold, "epoch", epoch, "sample", sample.key)
    let parts = writer.parts(of: prepared)
    var choice = random.keyed("parts")
    let part = choice.permutation(parts)[view.visit % parts]
    writer.write(
      prepared, part: part, random: job.settings.augment ? random.keyed("view", view.visit) : nil, to: out)
  }
}
