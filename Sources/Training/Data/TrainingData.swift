import Datasets
import Evaluation
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
    /// A point between two embeddings, which stands for no file.
    var synthetic: PreparedSample?
  }

  let training: [Item]
  let validation: [Item]
  let failures: [SampleFailure]
  private let synthetic: ClassCounts
  private let job: TrainingJob
  private let load: @Sendable (ModelSample) throws -> SampleCache.Entry
  let writer: PartWriter
  private let mixing: Mixing?
  private let schedule: EpochSchedule

  /// Visits every sample once, so that undecodable ones are known before the first step.
  ///
  /// - Parameters:
  ///   - writer: how prepared samples become input: pictures and sounds, or features of a frozen backbone.
  ///   - first: gives a sample at this first visit, and may take its time.
  ///   - load: gives it at every later one.
  /// - Throws: when no usable sample of a class is left, or a file is missing.
  init(
    _ job: TrainingJob, writer: PartWriter, threads: Int,
    first: @escaping @Sendable (ModelSample) throws -> SampleCache.Entry,
    load: @escaping @Sendable (ModelSample) throws -> SampleCache.Entry, progress: (Int, Int) throws -> Void
  ) throws {
    (self.job, self.load, self.writer) = (job, load, writer)
    mixing = job.tuning == .frozen ? nil : Mixing(job.settings, job.input)
    let samples = job.training + job.validation
    let crew = ShardThreads(count: threads, computeThreads: 1)
    var entries: [SampleCache.Entry] = []
    while entries.count < samples.count {
      let chunk = samples[entries.count..<min(samples.count, entries.count + 4 * max(1, threads))]
      let found = crew.map(chunk.count) { index in
        Result { try first(chunk[chunk.startIndex + index]) }
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
        var parts = isTraining ? writer.views(of: prepared, wanted: job.architecture.recipe.views) : 0
        // Parts that are never changed are not worth a second visit.
        if job.tuning == .frozen { parts = min(parts, writer.parts(of: prepared)) }
        let item = Item(sample: sample, isFake: label == .fake, parts: parts)
        if isTraining { training.append(item) } else { validation.append(item) }
      }
    }
    let fakes = training.count { $0.isFake }
    guard fakes > 0, fakes < training.count else {
      let reasons = ReasonCount.of(failures.map(\.reason)).prefix(3).map { "\($0.reason) \($0.count)" }
      throw TrainingError(
        "model \(job.model), fold \(job.fold): of the training part's \(training.count) usable samples \(fakes) are fake"
          + (reasons.isEmpty ? "" : " (not usable: \(reasons.joined(separator: ", ")))")
          + "; both classes are needed, so check the labels, or use fewer folds")
    }
    if job.balance.isSynthetic && job.architecture.fitting == .gradient {
      guard let width = writer.featureCount else {
        throw TrainingError(
          "model \(job.model): balance \(job.balance.strategy.rawValue) makes points between embeddings; give the model "
            + "`weights` and tune: frozen, or another strategy")
      }
      let made = try Self.synthetic(training, job, width) { item in
        guard case .ready(let sample) = try load(item.sample) else { return [] }
        return sample.floats
      }
      synthetic = ClassCounts(real: made.count { !$0.isFake }, fake: made.count { $0.isFake })
      training += made
    } else {
      synthetic = ClassCounts()
    }
    (self.training, self.validation, self.failures) = (training, validation, failures)
    schedule = try EpochSchedule(
      training.map {
        EpochSchedule.Item(key: $0.sample.key, isFake: $0.isFake, weight: $0.sample.weight, views: $0.parts)
      }, of: job)
  }

  private var plan: SamplingPlan { schedule.plan }

  /// What is done about unequal classes, in the settings' own words.
  var balance: BalanceSettings { plan.settings }

  /// One line on the classes of this training part: what is shown, with which weights, what was made.
  var balanceSummary: String {
    plan.summary
      + (synthetic.total > 0
        ? "; among them points between embeddings: real \(synthetic.real), fake \(synthetic.fake)" : "")
  }

  /// New items between the embeddings of the smaller class: one for each missing row (frame, window, clip).
  private static func synthetic(
    _ items: [Item], _ job: TrainingJob, _ width: Int, features: (Item) throws -> [Float]
  ) throws -> [Item] {
    var (rows, labels): ([[Double]], [Int]) = ([], [])
    for item in items {
      let values = try features(item).map(Double.init)
      for part in 0..<item.parts {
        rows.append(Array(values[(part * width)..<((part + 1) * width)]))
        labels.append(item.isFake ? 1 : 0)
      }
    }
    let grown = Oversampling(
      rows, labels: labels, start: job.balance.strategy == .smote ? .all : .borderline, ratio: job.balance.targetRatio,
      seed: RandomStream.seed(job, "smote"))
    return (grown.originals..<grown.rows.count).map { index in
      let name = "between-\(index - grown.originals)"
      return Item(
        sample: ModelSample(id: name, file: URL(filePath: "/dev/null")), isFake: grown.labels[index] == 1, parts: 1,
        synthetic: PreparedSample(grown.rows[index].map(Float.init), shape: [1, width]))
    }
  }

  /// The steps of an epoch.
  func epoch(_ epoch: Int) -> EpochPlan { schedule.epoch(epoch) }

  /// The tally of a fit that uses every sample once.
  var tallyOfFit: SampleTally {
    schedule.tally(training.indices.map { EpochPlan.View(sample: $0, visit: 0) }, epoch: 0)
  }

  /// The part of a step's batch that belongs to these shards.
  func batch(_ views: [EpochPlan.View], epoch: Int, shards: Range<Int>) throws -> StepBatch {
    // Labels and weights of all shards, as the step needs the whole batch's weight; pictures of this member's alone.
    let passes = (0..<job.settings.logicalShards).map { shard in
      let own = EpochPlan.run(shard, of: job.settings.logicalShards, over: views.count)
      return (0..<job.settings.accumulate).compactMap { number -> ShardPass? in
        let part = EpochPlan.run(number, of: job.settings.accumulate, over: own.count)
        let run = (own.lowerBound + part.lowerBound)..<(own.lowerBound + part.upperBound)
        return run.isEmpty ? nil : pass(Array(views[run]), epoch: epoch)
      }
    }
    var batch = StepBatch(
      shards: try passes[shards].map { try $0.map { try shardBatch($0, epoch: epoch) } }, count: views.count,
      weight: passes.joined().flatMap(\.weights).reduce(0, +), names: views.map(name))
    batch.used = schedule.tally(passes[shards].joined().flatMap(\.views), epoch: epoch)
    return batch
  }

  /// One forward pass: all of a shard, or a part of it where gradients are accumulated.
  private struct ShardPass {
    let views: [EpochPlan.View]
    let draws: [Mixing.Draw]
    let targets: [Double]
    let weights: [Double]
  }

  private func pass(_ views: [EpochPlan.View], epoch: Int) -> ShardPass {
    let targets = views.map { training[$0.sample].isFake ? 1.0 : 0 }
    let weights = views.map { plan.lossWeight($0.sample) }
    guard let mixing else { return ShardPass(views: views, draws: [], targets: targets, weights: weights) }
    let draws = mixing.draws(views.map { random($0, epoch: epoch).keyed("view", $0.visit) })
    // The loss is the mixture of both labels' losses, each with its own weight: one label of the weights' mixture.
    let mixed = draws.enumerated().map { own, draw -> (target: Double, weight: Double) in
      let (a, b) = (draw.share * weights[own], (1 - draw.share) * weights[draw.partner])
      return ((a * targets[own] + b * targets[draw.partner]) / (a + b), a + b)
    }
    return ShardPass(views: views, draws: draws, targets: mixed.map(\.target), weights: mixed.map(\.weight))
  }

  private func shardBatch(_ pass: ShardPass, epoch: Int) throws -> ShardBatch {
    let prepared = try pass.views.map { try self.prepared(training[$0.sample]) }
    let writePlain = { (index: Int, out: UnsafeMutableBufferPointer<Float>) in
      write(prepared[index], view: pass.views[index], epoch: epoch, to: out)
    }
    let input: Tensor
    if let mixing {
      let size = writer.partShape.reduce(1, *)
      let plain = [Float](unsafeUninitializedCapacity: size * prepared.count) { all, count in
        for index in prepared.indices {
          writePlain(index, UnsafeMutableBufferPointer(rebasing: all[(index * size)..<((index + 1) * size)]))
        }
        count = size * prepared.count
      }
      input = plain.withUnsafeBufferPointer { plain in
        writer.batch(prepared.count) { mixing.write(pass.draws[$0], of: $0, from: plain, to: $1) }
      }
    } else {
      input = writer.batch(prepared.count, writePlain)
    }
    return ShardBatch(input: input, targets: pass.targets, weights: pass.weights, names: pass.views.map(name))
  }

  private func name(_ view: EpochPlan.View) -> String { training[view.sample].sample.id }

  /// A validation sample, or any other, from the cache.
  func prepared(_ item: Item) throws -> PreparedSample {
    if let synthetic = item.synthetic { return synthetic }
    switch try load(item.sample) {
    case .ready(let sample): return sample
    case .failed(let reason):
      throw TrainingError(
        "\(item.sample.file.path): it could be read at first and cannot be now (\(reason)); do not change files while a "
          + "job runs")
    }
  }

  /// Weight of a training sample in the loss; closed-form fitting asks for it.
  func lossWeight(_ index: Int) -> Double { plan.lossWeight(index) }

  /// The stream that all chance of a sample in an epoch comes from.
  private func random(_ view: EpochPlan.View, epoch: Int) -> RandomStream {
    RandomStream(seed: job.seed, "fold", job.fold, "epoch", epoch, "sample", training[view.sample].sample.key)
  }

  private func write(
    _ prepared: PreparedSample, view: EpochPlan.View, epoch: Int, to out: UnsafeMutableBufferPointer<Float>
  ) {
    let random = random(view, epoch: epoch)
    let parts = writer.parts(of: prepared)
    var choice = random.keyed("parts")
    let part = choice.permutation(parts)[view.visit % parts]
    writer.write(
      prepared, part: part, random: job.augments ? random.keyed("view", view.visit) : nil, to: out)
  }
}
