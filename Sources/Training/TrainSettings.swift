import Models

/// The `train:` part of an experiment: the same keys in the same words.
///
///     var settings = TrainSettings()
///     settings.epochs = 3
///     try settings.validate(model: "voice")
public struct TrainSettings: Codable, Hashable, Sendable {
  /// The arithmetic of the forward and backward pass.
  public enum Precision: String, Codable, Sendable, CaseIterable {
    /// float32 throughout.
    case fp32
    /// bfloat16 inside products and convolutions, sums and all that is kept in float32.
    case bf16
  }
  /// The rule that turns gradients into steps.
  public enum Optimizer: String, Codable, Sendable, CaseIterable { case adamw }
  /// How the learning rate goes on after the warm-up.
  public enum Schedule: String, Codable, Sendable, CaseIterable { case constant, linear, cosine }

  /// What batch norm normalises with in training.
  public enum BatchNormMode: String, Codable, Sendable, CaseIterable {
    /// `running` for backbones with outside weights, `batch` for what is trained from scratch.
    case auto
    /// Each shard's own statistics; the running ones follow.
    case batch
    /// The running statistics, which stay as they are: shards of fine-tuning are too small for better ones.
    case running
  }

  /// How the gradients of a batch's shards are added up.
  public enum Reduction: String, Codable, Sendable {
    /// As float32, in a fixed order.
    case exact
    /// As integers of 16 bits in all: half the bytes between workers, rounded, in any order.
    case fixed16
  }

  /// A rate that an architecture decides itself unless it is given.
  public enum Rate: Codable, Hashable, Sendable {
    case auto
    case given(Double)

    /// The given rate.
    public var rate: Double? { if case .given(let rate) = self { rate } else { nil } }

    /// Reads `auto` or a number.
    public init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if let rate = try? container.decode(Double.self) {
        self = .given(rate)
      } else if try container.decode(String.self) == "auto" {
        self = .auto
      } else {
        throw DecodingError.dataCorruptedError(in: container, debugDescription: "write auto or a number")
      }
    }

    /// Writes what `init(from:)` reads.
    public func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      if case .given(let rate) = self { try container.encode(rate) } else { try container.encode("auto") }
    }
  }

  /// Most passes over the training samples.
  public var epochs = 12
  /// Views (frames, windows, clips) that are computed together, at least; an epoch is cut into parts of equal size.
  public var batch = 32
  /// Batches whose gradients are added up for one step of the optimizer: a step's views are `batch` times this.
  public var accumulate = 1
  /// The arithmetic of the forward and backward pass.
  public var precision = Precision.fp32
  /// The rule that turns gradients into steps.
  public var optimizer = Optimizer.adamw
  /// The largest learning rate, reached at the end of the warm-up.
  public var learningRate = 1e-3
  /// What a stage's learning rate is of that of the stage above it; 1 gives all the same. For backbones with stages.
  public var layerDecay = 1.0
  /// Share of each weight that a step of learning rate 1 would take away; norms, biases and tokens are left alone.
  public var weightDecay = 0.05
  /// How the learning rate goes on after the warm-up.
  public var schedule = Schedule.cosine
  /// Epochs over which the learning rate rises from 0; parts of one are allowed.
  public var warmupEpochs = 1.0
  /// The largest norm of the whole gradient, longer ones are scaled down to it; 0 leaves all as they are.
  public var clipNorm = 1.0
  /// Share by which each label is moved towards the other.
  public var labelSmoothing = 0.0
  /// What batch norm normalises with.
  public var batchNorm = BatchNormMode.auto
  /// Rate of dropout; `auto` leaves it to the architecture.
  public var dropout = Rate.auto
  /// Largest rate of stochastic depth, for architectures that have it; `auto` leaves it to the architecture.
  public var dropPath = Rate.auto
  /// Whether training samples are changed at random (flip, shift, noise; masks over time and frequency).
  public var augment = true
  /// MixUp of pictures and clips: α of the Beta distribution that shares are drawn from; 0 switches it off.
  public var mixup = 0.0
  /// CutMix of pictures and clips: α of the Beta distribution that areas are drawn from; 0 switches it off. With both, a
  /// view gets one or the other.
  public var cutmix = 0.0
  /// Decay of an exponential moving average of the weights, which is then what is validated and kept; 0 keeps none.
  public var ema = 0.0
  /// Whether blocks are computed again in backward instead of kept: a third more time for much less memory, same bits.
  public var gradientCheckpointing = false
  /// Training ends after this many epochs without a better validation result; 0 never ends early.
  public var earlyStoppingEpochs = 4
  /// Parts into which each batch is split for computing; they fix the result, the number of workers does not.
  public var logicalShards = 4
  /// How the shards' gradients are added up; it fixes the result too.
  public var reduce = Reduction.exact
  /// Threads that compute one shard; they fix the result too.
  public var threadsPerShard = 1

  /// The defaults of the product.
  public init() {}

  enum CodingKeys: String, CodingKey {
    case epochs, batch, accumulate, precision, optimizer, schedule, dropout, mixup, cutmix, ema, reduce
    case layerDecay = "layer_decay", dropPath = "drop_path", gradientCheckpointing = "gradient_checkpointing"
    case batchNorm = "batch_norm"
    case learningRate = "learning_rate", weightDecay = "weight_decay", warmupEpochs = "warmup_epochs"
    case clipNorm = "clip_norm", labelSmoothing = "label_smoothing", augment
    case earlyStoppingEpochs = "early_stopping_epochs", logicalShards = "logical_shards"
    case threadsPerShard = "threads_per_shard"
  }

  /// Checks every value's range.
  ///
  /// - Throws: `TrainingError` naming the key and what it may be.
  public func validate(model: String) throws {
    func check(_ isValid: Bool, _ key: CodingKeys, _ value: some CustomStringConvertible, _ range: String) throws {
      guard !isValid else { return }
      throw TrainingError("model \(model): train.\(key.rawValue) is \(value), but must be \(range)")
    }
    try check((1...100_000).contains(epochs), .epochs, epochs, "1 to 100000")
    try check((1...65_536).contains(batch), .batch, batch, "1 to 65536")
    try check((1...4096).contains(accumulate), .accumulate, accumulate, "1 (none) to 4096")
    try check(layerDecay > 0 && layerDecay <= 1, .layerDecay, layerDecay, "above 0, up to 1 (none)")
    for (key, rate) in [(CodingKeys.dropout, dropout), (.dropPath, dropPath)] {
      if let rate = rate.rate { try check((0..<1).contains(rate), key, rate, "auto, or 0 to below 1") }
    }
    try check((0...16).contains(mixup), .mixup, mixup, "0 (off) to 16; 0.8 is usual")
    try check((0...16).contains(cutmix), .cutmix, cutmix, "0 (off) to 16; 1 is usual")
    try check((0..<1).contains(ema), .ema, ema, "0 (off) to below 1; 0.999 is usual")
    try check(learningRate > 0 && learningRate.isFinite, .learningRate, learningRate, "above 0")
    try check((0...1).contains(weightDecay), .weightDecay, weightDecay, "0 to 1")
    try check(warmupEpochs >= 0 && warmupEpochs <= Double(epochs), .warmupEpochs, warmupEpochs, "0 to train.epochs")
    try check(clipNorm >= 0 && clipNorm.isFinite, .clipNorm, clipNorm, "0 (no clipping) or more")
    try check((0..<0.5).contains(labelSmoothing), .labelSmoothing, labelSmoothing, "0 to below 0.5")
    try check(earlyStoppingEpochs >= 0, .earlyStoppingEpochs, earlyStoppingEpochs, "0 (never) or more")
    try check((1...1024).contains(logicalShards), .logicalShards, logicalShards, "1 to 1024")
    try check(
      reduce == .exact || logicalShards <= 256, .logicalShards, logicalShards, "at most 256 with train.reduce: fixed16")
    try check((1...256).contains(threadsPerShard), .threadsPerShard, threadsPerShard, "1 to 256")
  }
}
