import Models

/// The `train:` part of an experiment: the same keys in the same words.
///
///     var settings = TrainSettings()
///     settings.epochs = 3
///     try settings.validate(model: "voice")
public struct TrainSettings: Codable, Hashable, Sendable {
  /// The arithmetic of the forward and backward pass.
  public enum Precision: String, Codable, Sendable { case fp32 }
  /// The rule that turns gradients into steps.
  public enum Optimizer: String, Codable, Sendable { case adamw }
  /// How the learning rate goes on after the warm-up.
  public enum Schedule: String, Codable, Sendable { case constant, linear, cosine }

  /// Most passes over the training samples.
  public var epochs = 12
  /// Views (frames, windows, clips) in one step, at least; an epoch is cut into steps of equal size.
  public var batch = 32
  /// The arithmetic of the forward and backward pass.
  public var precision = Precision.fp32
  /// The rule that turns gradients into steps.
  public var optimizer = Optimizer.adamw
  /// The largest learning rate, reached at the end of the warm-up.
  public var learningRate = 1e-3
  /// Share of each weight that a step of learning rate 1 would take away; norms and biases are left alone.
  public var weightDecay = 0.05
  /// How the learning rate goes on after the warm-up.
  public var schedule = Schedule.cosine
  /// Epochs over which the learning rate rises from 0; parts of one are allowed.
  public var warmupEpochs = 1.0
  /// The largest norm of the whole gradient, longer ones are scaled down to it; 0 leaves all as they are.
  public var clipNorm = 1.0
  /// Share by which each label is moved towards the other.
  public var labelSmoothing = 0.0
  /// Whether training samples are changed at random (flip, shift, noise; masks over time and frequency).
  public var augment = true
  /// Training ends after this many epochs without a better validation result; 0 never ends early.
  public var earlyStoppingEpochs = 4
  /// Parts into which each batch is split for computing; they fix the result, the number of workers does not.
  public var logicalShards = 4
  /// Threads that compute one shard; they fix the result too.
  public var threadsPerShard = 1

  /// The defaults of the product.
  public init() {}

  enum CodingKeys: String, CodingKey {
    case epochs, batch, precision, optimizer, schedule
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
    try check(learningRate > 0 && learningRate.isFinite, .learningRate, learningRate, "above 0")
    try check((0...1).contains(weightDecay), .weightDecay, weightDecay, "0 to 1")
    try check(warmupEpochs >= 0 && warmupEpochs <= Double(epochs), .warmupEpochs, warmupEpochs, "0 to train.epochs")
    try check(clipNorm >= 0 && clipNorm.isFinite, .clipNorm, clipNorm, "0 (no clipping) or more")
    try check((0..<0.5).contains(labelSmoothing), .labelSmoothing, labelSmoothing, "0 to below 0.5")
    try check(earlyStoppingEpochs >= 0, .earlyStoppingEpochs, earlyStoppingEpochs, "0 (never) or more")
    try check((1...1024).contains(logicalShards), .logicalShards, logicalShards, "1 to 1024")
    try check((1...256).contains(threadsPerShard), .threadsPerShard, threadsPerShard, "1 to 256")
  }
}
