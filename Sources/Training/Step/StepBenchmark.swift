import Datasets
import Foundation
public import Models
import NN
import Tensor

/// Measures the trainer's own step on made-up input: what `unmask benchmark train` runs.
///
///     let report = try StepBenchmark(architecture: architecture, batch: 32, threads: 2).run(steps: 8)
///     print(try report.line())
public struct StepBenchmark: Sendable {
  /// One line of results, with the fields of all of Unmask's benchmarks.
  public struct Report: Encodable, Sendable {
    /// Name of the architecture.
    public let model: String
    /// Views in one step.
    public let batch: Int
    /// Compute threads.
    public let threads: Int
    /// Arithmetic.
    public let precision: String
    /// `train`: forward, loss, backward and optimizer.
    public let mode: String
    /// Median time of a step.
    public let stepMilliseconds: Double
    /// Views a second at that time.
    public let samplesPerSecond: Double
    /// Trained values.
    public let parameters: Int
    /// Parts into which a batch is split.
    public let logicalShards: Int

    enum CodingKeys: String, CodingKey {
      case model, batch, threads, precision, mode, parameters
      case stepMilliseconds = "step_ms", samplesPerSecond = "samples_per_s", logicalShards = "logical_shards"
    }

    /// The results as one line of JSON.
    public func line() throws -> String { try canonicalJSON(self) }
  }

  /// The architecture, with its usual input.
  public var architecture: Architecture
  /// Views in one step.
  public var batch: Int
  /// Compute threads: all of them work on the one shard, or one on each shard.
  public var threads: Int
  /// Parts into which a batch is split.
  public var logicalShards: Int

  /// A benchmark.
  public init(architecture: Architecture, batch: Int, threads: Int, logicalShards: Int = 1) {
    (self.architecture, self.batch, self.threads, self.logicalShards) = (architecture, batch, threads, logicalShards)
  }

  /// Runs two steps to warm up, then `steps` measured ones; the median counts.
  ///
  /// - Throws: `TrainingError` when the architecture has no steps, or shards are too small for it.
  public func run(steps: Int) throws -> Report {
    guard architecture.fitting == .gradient else {
      throw TrainingError("\(architecture.name) is fitted in closed form and has no training step to measure")
    }
    guard batch / logicalShards >= architecture.recipe.minimumShard else {
      throw TrainingError(
        "a batch of \(batch) over \(logicalShards) logical shards leaves \(batch / logicalShards) for one, and "
          + "\(architecture.name) needs \(architecture.recipe.minimumShard); raise --batch or lower --logical-shards")
    }
    var settings = TrainSettings()
    settings.logicalShards = logicalShards
    settings.threadsPerShard = max(1, threads / logicalShards)
    let store = ParameterStore(seed: 0)
    let network = try architecture.build(store.root, architecture.preprocessing)
    let step = TrainingStep(
      network, store, settings: settings, loss: ItemLoss(BalanceSettings()), threads: min(threads, logicalShards))
    let input = makeBatch()
    var times: [Double] = []
    for number in 0..<(steps + 2) {
      let start = ContinuousClock.now
      _ = try step.run(input, number: number, rate: 1e-4, random: RandomStream(seed: 0, "step", number))
      let time = ContinuousClock.now - start
      if number >= 2 { times.append(Double(time.components.attoseconds) / 1e18 + Double(time.components.seconds)) }
    }
    times.sort()
    let middle = times.count / 2
    let time = times.count % 2 == 1 ? times[middle] : (times[middle - 1] + times[middle]) / 2
    return Report(
      model: architecture.name, batch: batch, threads: threads, precision: settings.precision.rawValue, mode: "train",
      stepMilliseconds: (time * 1e5).rounded() / 100, samplesPerSecond: (Double(batch) / time * 100).rounded() / 100,
      parameters: store.parameterCount, logicalShards: logicalShards)
  }

  private func makeBatch() -> StepBatch {
    let writer = PartWriter(input: architecture.preprocessing)
    var random = RandomStream(seed: 0, "benchmark")
    let shards = (0..<logicalShards).map { shard -> ShardBatch? in
      let count = EpochPlan.run(shard, of: logicalShards, over: batch).count
      let input = writer.batch(count) { _, out in for index in out.indices { out[index] = Float(random.normal()) } }
      return ShardBatch(
        input: input, isFake: (0..<count).map { _ in random.chance(0.5) },
        weights: [Double](repeating: 1, count: count), names: [String](repeating: "noise", count: count))
    }
    return StepBatch(shards: shards, count: batch, weight: Double(batch), names: ["noise"])
  }
}
