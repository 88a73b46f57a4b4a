import Autograd
import Datasets
import Foundation
public import Models
import NN
public import ShardTree
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
    /// `train`: forward, loss, backward and optimizer; `infer`: forward as in prediction.
    public let mode: String
    /// Median time of a step.
    public let stepMilliseconds: Double
    /// The least processor time of a step, over all threads: what other programs on the machine disturb least.
    public let processorMilliseconds: Double
    /// Views a second at that time.
    public let samplesPerSecond: Double
    /// Trained values.
    public let parameters: Int
    /// Parts into which a batch is split.
    public let logicalShards: Int
    /// Workers that shared the batch.
    public var workers: Int?
    /// Median time of forward and backward, with several workers.
    public var computeMilliseconds: Double?
    /// Median time of waiting for the slowest worker.
    public var waitingMilliseconds: Double?
    /// Median time of exchange that backward did not hide.
    public var exposedMilliseconds: Double?
    /// Median time of all exchange.
    public var exchangeMilliseconds: Double?
    /// The exchange that was not hidden, as a share of a step's time.
    public var exposedShare: Double?
    /// The most memory that the process had so far, in MiB.
    public let peakMemory: Double

    enum CodingKeys: String, CodingKey {
      case model, batch, threads, precision, mode, parameters, workers
      case computeMilliseconds = "compute_ms", waitingMilliseconds = "waiting_ms"
      case exposedMilliseconds = "exposed_ms", exchangeMilliseconds = "exchange_ms", exposedShare = "exposed_share"
      case stepMilliseconds = "step_ms", processorMilliseconds = "cpu_ms", samplesPerSecond = "samples_per_s"
      case logicalShards = "logical_shards"
      case peakMemory = "peak_memory_mib"
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

  /// Numbers that products multiply; float32 on processors without bfloat16.
  public var precision: TrainSettings.Precision
  /// Measures the forward pass of prediction instead of a step.
  public var infers: Bool
  /// How gradients are added up.
  public var reduction = TrainSettings.Reduction.exact
  /// The group that shares the batch; nil when alone.
  public var reducer: (any ShardReducer)?
  /// Shape of one view, where the architecture's preprocessing does not say it.
  public var inputShape: [Int]?

  /// A benchmark.
  public init(
    architecture: Architecture, batch: Int, threads: Int, logicalShards: Int = 1,
    precision: TrainSettings.Precision = .fp32, infers: Bool = false, inputShape: [Int]? = nil
  ) {
    (self.architecture, self.batch, self.threads, self.logicalShards) = (architecture, batch, threads, logicalShards)
    self.precision = precision == .bf16 && !ComputePrecision.hasBFloat16 ? .fp32 : precision
    (self.infers, self.inputShape) = (infers, inputShape)
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
    settings.precision = precision
    settings.reduce = reduction
    let store = ParameterStore(seed: 0)
    let network = try architecture.build(store.root, architecture.preprocessing)
    var input = makeBatch()
    let membership = try reducer?.gather(shards: logicalShards, steps: 0)
    let work: (Int) throws -> Void
    var parts: [StepTimes] = []
    if infers {
      work = { _ in forward(network, input) }
    } else {
      let step = TrainingStep(
        network, store, settings: settings, loss: ItemLoss(BalanceSettings()), threads: min(threads, logicalShards),
        reducer: reducer)
      if let membership {
        step.join(membership)
        input = StepBatch(
          shards: Array(input.shards[membership.ownShards]), count: input.count, weight: input.weight,
          names: input.names)
      }
      let input = input
      work = { number in
        defer { if number >= 2 { parts.append(step.times) } }
        _ = try step.run(input, number: number, rate: 1e-4, random: RandomStream(seed: 0, "step", number))
      }
    }
    var times: [Double] = []
    var processor = Double.infinity
    for number in 0..<(steps + 2) {
      let (start, used) = (ContinuousClock.now, Self.processorTime())
      try work(number)
      let time = ContinuousClock.now - start
      if number >= 2 { processor = min(processor, Self.processorTime() - used) }
      if number >= 2 { times.append(Double(time.components.attoseconds) / 1e18 + Double(time.components.seconds)) }
    }
    func median(_ values: [Double]) -> Double {
      let sorted = values.sorted()
      let middle = sorted.count / 2
      return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
    }
    func milliseconds(_ seconds: Double) -> Double { (seconds * 1e5).rounded() / 100 }
    let time = median(times)
    var report = Report(
      model: architecture.name, batch: batch, threads: threads, precision: precision.rawValue,
      mode: infers ? "infer" : "train",
      stepMilliseconds: (time * 1e5).rounded() / 100,
      processorMilliseconds: (processor * 1e5).rounded() / 100,
      samplesPerSecond: (Double(batch) / time * 100).rounded() / 100,
      parameters: store.parameterCount, logicalShards: logicalShards, peakMemory: Self.peakMemory())
    if let membership {
      report.workers = membership.count
      report.computeMilliseconds = milliseconds(median(parts.map(\.compute)))
      report.waitingMilliseconds = milliseconds(median(parts.map(\.waiting)))
      report.exposedMilliseconds = milliseconds(median(parts.map(\.exposed)))
      report.exchangeMilliseconds = milliseconds(median(parts.map(\.exchange)))
      report.exposedShare = (median(parts.map(\.exposed)) / time * 10_000).rounded() / 10_000
    }
    return report
  }

  private func forward(_ network: any Network, _ batch: StepBatch) {
    ComputeThreads.with(threads) {
      ComputePrecision.with(precision == .bf16 ? .bfloat16 : .float32) {
        for part in batch.shards.joined() { _ = network.logits(Variable(part.input), Pass(training: false)) }
      }
    }
  }

  private static func processorTime() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
  }

  private static func peakMemory() -> Double {
    var usage = rusage()
    getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
    return (Double(usage.ru_maxrss) / 102.4).rounded() / 10  // KiB
  }

  private func makeBatch() -> StepBatch {
    let writer = PartWriter(input: architecture.preprocessing)
    var random = RandomStream(seed: 0, "benchmark")
    let shards = (0..<logicalShards).map { shard -> ShardBatch? in
      let count = EpochPlan.run(shard, of: logicalShards, over: batch).count
      let fill = { (out: UnsafeMutableBufferPointer<Float>) in
        for index in out.indices { out[index] = Float(random.normal()) }
      }
      let input =
        inputShape.map { Tensor([count] + $0, fill: fill) } ?? writer.batch(count) { _, out in fill(out) }
      return ShardBatch(
        input: input, isFake: (0..<count).map { _ in random.chance(0.5) },
        weights: [Double](repeating: 1, count: count), names: [String](repeating: "noise", count: count))
    }
    return StepBatch(shards: shards, count: batch, weight: Double(batch), names: ["noise"])
  }
}
