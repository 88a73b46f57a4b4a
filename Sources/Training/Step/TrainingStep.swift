import Autograd
import Foundation
public import Models
public import NN
public import ShardTree
public import Tensor

/// One shard of a batch, or one pass of it where gradients are accumulated, as the network sees it.
public struct ShardBatch: Sendable {
  /// `[n] + Preprocessing.partShape`
  public let input: Tensor
  /// For each view, how much of it is fake: 0 or 1, or between where two views are mixed.
  public let targets: [Double]
  /// For each view, its weight in the loss.
  public let weights: [Double]
  /// For each view, its sample's name, for error messages.
  public let names: [String]

  /// Makes a shard.
  public init(input: Tensor, targets: [Double], weights: [Double], names: [String]) {
    precondition(
      targets.count == input.shape[0] && weights.count == targets.count && names.count == targets.count,
      "ShardBatch: \(targets.count) labels, \(weights.count) weights, \(names.count) names for \(input.shape)")
    (self.input, self.targets, self.weights, self.names) = (input, targets, weights, names)
  }

  /// Makes a shard of views that are real or fake.
  public init(input: Tensor, isFake: [Bool], weights: [Double], names: [String]) {
    self.init(input: input, targets: isFake.map { $0 ? 1 : 0 }, weights: weights, names: names)
  }
}

/// One batch: the shards that this member computes, and what is known of the whole.
public struct StepBatch: Sendable {
  /// This member's shards, each in as many passes as gradients are accumulated over; empty where a shard is.
  public let shards: [[ShardBatch]]
  /// Views in the whole batch.
  public let count: Int
  /// Sum of the weights of the whole batch.
  public let weight: Double
  /// Names of all views' samples.
  public let names: [String]
  /// The tally of the views in this member's shards.
  public var used = SampleTally()

  /// Makes a batch.
  public init(shards: [[ShardBatch]], count: Int, weight: Double, names: [String]) {
    (self.shards, self.count, self.weight, self.names) = (shards, count, weight, names)
  }

  /// Makes a batch whose shards are computed in one pass each; nil where a shard is empty.
  public init(shards: [ShardBatch?], count: Int, weight: Double, names: [String]) {
    self.init(shards: shards.map { $0.map { [$0] } ?? [] }, count: count, weight: weight, names: names)
  }
}

/// What a step did.
public struct StepReport: Sendable, Equatable {
  /// Weighted mean loss of the batch.
  public let loss: Double
  /// Length of the gradient before clipping.
  public let gradientNorm: Double
  /// The views of all shards, by whichever members: added up as the gradient is.
  public let used: SampleTally
}

/// One training step under the numeric contract: a batch is split into V logical shards by position; each shard runs
/// forward and backward by itself, with its own batch statistics and a fixed number of threads; gradients, statistics and
/// losses are summed in the fixed tree; then one clipped step of the optimizer. The result has the same bits however
/// shards are spread over threads and over members of a group.
///
///     let step = TrainingStep(network, store, settings: settings, loss: loss, threads: 2)
///     let report = try step.run(batch, number: 0, rate: 1e-3, random: random)
public final class TrainingStep {
  private let network: any Network
  let state: FlatState
  private let settings: TrainSettings
  private let loss: ItemLoss
  private let threads: ShardThreads
  private let reducer: (any ShardReducer)?
  private var membership: Membership?
  private let keepsStatistics: Bool
  private let precision: ComputePrecision

  /// The shards that this member computes.
  public var ownShards: Range<Int> { membership?.ownShards ?? 0..<settings.logicalShards }
  /// Where the last step's time went.
  public private(set) var times = StepTimes()

  /// A step on a model. With a group, `join` comes before the first step.
  ///
  /// - Parameters:
  ///   - stages: prefixes of parameter names from the input to the output, for layer-wise learning rates.
  ///   - keepsStatistics: whether batch norm normalises with its running statistics.
  ///   - threads: shards that are computed side by side.
  ///   - reducer: the group that shares the batches, or nil when nobody may.
  public init(
    _ network: any Network, _ store: ParameterStore, settings: TrainSettings, loss: ItemLoss,
    stages: [[String]] = [], keepsStatistics: Bool = false, threads: Int, reducer: (any ShardReducer)? = nil
  ) {
    self.keepsStatistics = keepsStatistics
    (self.network, self.settings, self.loss, self.reducer) = (network, settings, loss, reducer)
    state = FlatState(store, ParameterGroups(settings, store, stages: stages))
    precision = settings.precision == .bf16 ? .bfloat16 : .float32
    self.threads = ShardThreads(
      count: max(1, min(threads, settings.logicalShards)), computeThreads: settings.threadsPerShard)
  }

  /// Computes this group's share from now on.
  func join(_ membership: Membership) { self.membership = membership }

  /// Runs one step and changes the model.
  ///
  /// - Parameters:
  ///   - number: the step's number since the beginning, which tells reductions apart.
  ///   - random: the step's own stream; shards key it further, for dropout.
  /// - Throws: when loss or gradient is not finite, and `GroupChanged`, before anything is changed.
  public func run(_ batch: StepBatch, number: Int, rate: Double, random: RandomStream) throws -> StepReport {
    precondition(batch.shards.count == ownShards.count, "\(batch.shards.count) shards where \(ownShards) were expected")
    if let reducer, reducer.hasChanged { throw GroupChanged() }
    let (own, begin) = (ownShards, now())
    let vectors = (0..<max(1, own.count)).map { _ in state.takeVector() }
    vectors[0].tally = batch.used
    let gate = BucketGate(state.buckets, shards: own.count)
    let reduction = StepReduction(
      state.buckets, gate, vectors: vectors, own: own, shards: settings.logicalShards,
      isFixed: settings.reduce == .fixed16, reducer: reducer, membership: membership)
    reduction.start()
    let factors = own.count > 1 ? PackedFactors() : nil
    let results = threads.map(own.count) { index in
      let work = {
        self.compute(
          batch.shards[index], of: batch, into: vectors[index], gate, reduction,
          random: random.keyed("shard", own.lowerBound + index))
      }
      return factors.map { $0.shared(work) } ?? work()
    }
    let computed = now()
    let total = vectors[0]
    // Everything outside the shards gives the same bits for any number of threads.
    var times = try reduction.finish { _ = self.threads.map($0, $1) }
    let norm = threads.together { state.gradientNorm(total) }
    let report = StepReport(loss: Double(total.loss), gradientNorm: norm, used: total.tally)
    guard report.loss.isFinite && report.gradientNorm.isFinite else {
      throw nonFinite(report, batch, results.flatMap(\.suspects), number)
    }
    let summed = now()
    times.compute = computed - begin
    try reducer?.commit(
      step: number, digest: digest(of: UnsafeRawBufferPointer(total.values)), seconds: own.isEmpty ? 0 : times.compute)
    let agreed = now()
    times.exposed += agreed - summed
    let scale = settings.clipNorm > 0 ? Clipping.scale(norm: norm, limit: settings.clipNorm) : 1
    threads.together { state.step(total, scale: scale, rate: rate) }
    if let reports = results.lazy.map(\.statistics).first(where: { !$0.isEmpty }) {
      state.store.apply(state.combined(total, like: reports))
    }
    state.reuse(vectors)
    times.optimizer = now() - agreed
    self.times = times
    return report
  }

  private func now() -> Double { Double(DispatchTime.now().uptimeNanoseconds) / 1e9 }

  private struct ShardResult {
    let statistics: [BatchStatistics]
    let suspects: [String]
  }

  /// Forward and backward of one shard, pass by pass. Its loss is the weighted sum over its views, divided by the whole batch's weight.
  private func compute(
    _ shard: [ShardBatch], of batch: StepBatch, into vector: ShardVector, _ gate: BucketGate,
    _ reduction: StepReduction,
    random: RandomStream
  ) -> ShardResult {
    var (suspects, statistics): ([String], [BatchStatistics]) = ([], [])
    if batch.weight > 0 && !reduction.hasFailed {
      ComputePrecision.with(precision) {
        fill(vector, gate, shard, of: batch, random: random, &suspects, &statistics)
      }
    }
    state.end(vector, gate)
    return ShardResult(statistics: statistics, suspects: suspects)
  }

  private func fill(
    _ vector: ShardVector, _ gate: BucketGate, _ shard: [ShardBatch], of batch: StepBatch, random: RandomStream,
    _ suspects: inout [String], _ statistics: inout [BatchStatistics]
  ) {
    var sum = 0.0
    for (number, part) in shard.enumerated() {
      // The first pass has the shard's own stream, so that one pass is what no accumulation is.
      let pass = Pass(training: true, random: number == 0 ? random : random.keyed("pass", number))
      (pass.recomputes, pass.keepsStatistics) = (settings.gradientCheckpointing, keepsStatistics)
      (pass.dropout, pass.dropPath) = (settings.dropout.rate.map(Float.init), settings.dropPath.rate.map(Float.init))
      let logits = network.logits(Variable(part.input), pass)
      var slopes: [Float] = []
      for (index, logit) in logits.value.floats().enumerated() {
        let (loss, slope) = loss.evaluate(logit: Double(logit), target: part.targets[index])
        let share = part.weights[index] / batch.weight
        if !loss.isFinite { suspects.append(part.names[index]) }
        sum += share * loss
        slopes.append(Float(share * slope))
      }
      pass.backward(from: logits, gradient: Tensor(slopes, shape: logits.shape)) { parameter, gradient in
        state.place(
          gradient, of: parameter, adding: number > 0, isLast: number + 1 == shard.count, in: vector, gate)
      }
      state.place(
        pass.statistics, share: Float(slopes.count) / Float(batch.count), adding: number > 0, in: vector)
      if statistics.isEmpty { statistics = pass.statistics }
    }
    vector.loss = Float(sum)
  }

  private func nonFinite(
    _ report: StepReport, _ batch: StepBatch, _ suspects: [String], _ number: Int
  ) -> TrainingError {
    var names: [String] = []
    for name in suspects.isEmpty ? batch.names : suspects where !names.contains(name) { names.append(name) }
    let shown = names.prefix(8).joined(separator: ", ") + (names.count > 8 ? " and \(names.count - 8) more" : "")
    let what = report.loss.isFinite ? "the gradient" : "the loss"
    return TrainingError(
      "step \(number): \(what) is not finite, with samples \(shown); lower train.learning_rate, or look at these files")
  }
}
