import Files

/// What is done about unequal classes; the `balance` section of an experiment.
public struct BalanceSettings: Codable, Sendable, Hashable {
  /// The loss of a detector.
  public enum Loss: String, Codable, Sendable, CaseIterable {
    /// Binary cross-entropy.
    case bce
    /// Focal loss: easy samples count less.
    case focal
  }

  /// How often an epoch shows each sample.
  public enum Sampler: String, Codable, Sendable, CaseIterable {
    /// Each once.
    case none
    /// As many draws as samples, with replacement, both classes equally probable.
    case weighted
    /// Each of the larger class once, the smaller class repeated to the same number.
    case oversample
    /// Each of the smaller class once, as many of the larger, others every epoch.
    case undersample
    /// As many as samples, half of each class, in turns, so that every batch and shard has both.
    case balancedBatches = "balanced-batches"
  }

  /// The weights of the two classes in the loss.
  public enum ClassWeights: Codable, Sendable, Hashable {
    /// One each.
    case none
    /// The inverse of their frequency in what the sampler shows: n / (2 n_class).
    case balanced
    /// Given numbers.
    case given(real: Double, fake: Double)

    private enum Key: String, CodingKey { case real, fake }

    /// Reads `none`, `balanced` or `{real: …, fake: …}`.
    public init(from decoder: any Decoder) throws {
      if let keyed = try? decoder.container(keyedBy: Key.self) {
        self = .given(
          real: try keyed.decode(Double.self, forKey: .real), fake: try keyed.decode(Double.self, forKey: .fake))
        return
      }
      let container = try decoder.singleValueContainer()
      switch try container.decode(String.self) {
      case "none": self = .none
      case "balanced": self = .balanced
      case let other:
        throw DecodingError.dataCorruptedError(
          in: container,
          debugDescription: "\"\(other)\" is unknown; \(suggestion(other, among: ["none", "balanced"])), or write "
            + "{real: NUMBER, fake: NUMBER}")
      }
    }

    /// Writes the form that `init(from:)` reads.
    public func encode(to encoder: any Encoder) throws {
      switch self {
      case .none, .balanced:
        var container = encoder.singleValueContainer()
        try container.encode(self == .none ? "none" : "balanced")
      case .given(let real, let fake):
        var container = encoder.container(keyedBy: Key.self)
        try container.encode(real, forKey: .real)
        try container.encode(fake, forKey: .fake)
      }
    }
  }

  /// A whole answer to unequal classes by one name; it takes the place of loss, class weights and sampler.
  public enum Strategy: String, Codable, Sendable, CaseIterable {
    /// What loss, class weights and sampler say.
    case given
    /// Nothing: plain cross-entropy, each sample once.
    case none
    /// Cross-entropy with class weights.
    case classWeights = "class-weights"
    /// Cross-entropy, samples drawn with class weights.
    case weightedSampler = "weighted-sampler"
    /// Focal loss alone.
    case focal
    /// New points between neighbouring embeddings of the smaller class (SMOTE).
    case smote
    /// SMOTE from those points alone that lie among the other class.
    case borderlineSMOTE = "borderline-smote"
    /// The smaller class repeated.
    case oversample
    /// As much of the larger class as there is of the smaller, another part every epoch.
    case undersample
    /// Half of each class in every batch.
    case balancedBatches = "balanced-batches"
    /// By the training part's ratio: below 3:1 nothing, up to 5:1 class weights, beyond a weighted sampler and focal loss.
    case auto
  }

  /// A whole answer by one name.
  public var strategy: Strategy
  /// Larger class to smaller that sampling and weighting aim at: 1 is equal. Data that is nearer to equal stays as it is.
  public var targetRatio: Double
  /// The loss of a detector.
  public var loss: Loss
  /// How much less easy samples count; 0 makes focal loss the cross-entropy.
  public var focalGamma: Double
  /// The weights of the two classes in the loss.
  public var classWeights: ClassWeights
  /// How often an epoch shows each sample.
  public var sampler: Sampler

  private enum CodingKeys: String, CodingKey {
    case strategy, loss, sampler
    case targetRatio = "target_ratio"
    case focalGamma = "focal_gamma"
    case classWeights = "class_weights"
  }

  /// Settings from their parts; without any, each sample once and plain cross-entropy.
  public init(
    loss: Loss = .bce, focalGamma: Double = 0, classWeights: ClassWeights = .none, sampler: Sampler = .none,
    strategy: Strategy = .given, targetRatio: Double = 1
  ) {
    (self.loss, self.focalGamma, self.classWeights, self.sampler) = (loss, focalGamma, classWeights, sampler)
    (self.strategy, self.targetRatio) = (strategy, targetRatio)
  }

  /// Reads a whole section; `strategy` and `target_ratio` may be missing.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.container(keyedBy: CodingKeys.self)
    self.init(
      loss: try container.decode(Loss.self, forKey: .loss),
      focalGamma: try container.decode(Double.self, forKey: .focalGamma),
      classWeights: try container.decode(ClassWeights.self, forKey: .classWeights),
      sampler: try container.decode(Sampler.self, forKey: .sampler),
      strategy: try container.decodeIfPresent(Strategy.self, forKey: .strategy) ?? .given,
      targetRatio: try container.decodeIfPresent(Double.self, forKey: .targetRatio) ?? 1)
  }

  /// Whether new points are made between embeddings.
  public var isSynthetic: Bool { strategy == .smote || strategy == .borderlineSMOTE }

  /// What the strategy means for a training part of these counts, and why, as a clause; nil where the settings' own keys
  /// count.
  public func resolved(for counts: ClassCounts) -> (settings: BalanceSettings, reason: String?) {
    var result = self
    func set(_ loss: Loss = .bce, _ classWeights: ClassWeights = .none, _ sampler: Sampler = .none) {
      (result.loss, result.classWeights, result.sampler) = (loss, classWeights, sampler)
    }
    switch strategy {
    case .given: return (self, nil)
    case .none, .smote, .borderlineSMOTE: set()
    case .classWeights: set(.bce, .balanced)
    case .weightedSampler: set(.bce, .none, .weighted)
    case .focal: set(.focal)
    case .oversample: set(.bce, .none, .oversample)
    case .undersample: set(.bce, .none, .undersample)
    case .balancedBatches: set(.bce, .none, .balancedBatches)
    case .auto:
      let verdict = DatasetStatistics.Verdict(counts)
      switch verdict {
      case .good, .oneClass: set()
      case .moderate: set(.bce, .balanced)
      case .severe: set(.focal, .none, .weighted)
      }
      if result.loss == .focal && result.focalGamma == 0 { result.focalGamma = 2 }
      return (result, "auto \(result.automatic), as \(DatasetStatistics.Verdict.ratioText(counts)) is \(verdict.range)")
    }
    if result.loss == .focal && result.focalGamma == 0 { result.focalGamma = 2 }
    return (result, strategy.rawValue)
  }

  /// What `auto` decides for classes of these counts, for those who are only told of it.
  static func automatic(for counts: ClassCounts) -> String {
    BalanceSettings(strategy: .auto).resolved(for: counts).settings.automatic
  }

  // The answers of `auto` as a clause.
  private var automatic: String {
    switch (loss, classWeights, sampler) {
    case (.bce, .none, .none): "does nothing"
    case (.bce, .balanced, .none): "takes class weights"
    case (.focal, .none, .weighted): "takes a weighted sampler and focal loss"
    default: preconditionFailure("BalanceSettings: auto never decides so")
    }
  }

  /// Refuses values that no training can use.
  ///
  /// - Throws: `DatasetError` naming the key.
  public func validate() throws {
    guard focalGamma >= 0, focalGamma <= 10 else {
      throw DatasetError("balance.focal_gamma", "\(focalGamma) is not between 0 and 10; 2 is the usual value")
    }
    guard targetRatio >= 1, targetRatio <= 1000 else {
      throw DatasetError(
        "balance.target_ratio",
        "\(targetRatio) is not between 1 (equal classes) and 1000; it is larger class to smaller")
    }
    if case .given(let real, let fake) = classWeights {
      guard real > 0, fake > 0, real.isFinite, fake.isFinite else {
        throw DatasetError("balance.class_weights", "the weights \(real) and \(fake) must be positive numbers")
      }
    }
  }
}
