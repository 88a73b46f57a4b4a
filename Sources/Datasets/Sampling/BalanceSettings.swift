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
          debugDescription: "class_weights \"\(other)\" is neither none nor balanced nor {real: NUMBER, fake: NUMBER}")
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

  /// The loss of a detector.
  public var loss: Loss
  /// How much less easy samples count; 0 makes focal loss the cross-entropy.
  public var focalGamma: Double
  /// The weights of the two classes in the loss.
  public var classWeights: ClassWeights
  /// How often an epoch shows each sample.
  public var sampler: Sampler

  private enum CodingKeys: String, CodingKey {
    case loss, sampler
    case focalGamma = "focal_gamma"
    case classWeights = "class_weights"
  }

  /// Settings from their parts; without any, each sample once and plain cross-entropy.
  public init(
    loss: Loss = .bce, focalGamma: Double = 0, classWeights: ClassWeights = .none, sampler: Sampler = .none
  ) {
    (self.loss, self.focalGamma, self.classWeights, self.sampler) = (loss, focalGamma, classWeights, sampler)
  }

  /// Refuses values that no training can use.
  ///
  /// - Throws: `DatasetError` naming the key.
  public func validate() throws {
    guard focalGamma >= 0, focalGamma <= 10 else {
      throw DatasetError("balance.focal_gamma", "\(focalGamma) is not between 0 and 10; 2 is the usual value")
    }
    if case .given(let real, let fake) = classWeights {
      guard real > 0, fake > 0, real.isFinite, fake.isFinite else {
        throw DatasetError("balance.class_weights", "the weights \(real) and \(fake) must be positive numbers")
      }
    }
  }
}
