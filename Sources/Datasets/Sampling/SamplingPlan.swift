/// Which samples an epoch shows, in which order and with which weights in the loss. A pure function of (labels, weights,
/// settings, seed, fold, epoch): every worker and every resumed run computes the same order.
public struct SamplingPlan: Sendable {
  /// The labels that it was made for.
  public let labels: [Label]
  /// The settings that it was made with, a strategy by name put in their own words.
  public let settings: BalanceSettings
  /// Samples that every epoch shows.
  public let epochLength: Int
  /// How many real and fake samples every epoch shows; expected numbers under the weighted sampler.
  public let shown: ClassCounts
  /// The weight of each class in the loss.
  public let classWeights: (real: Double, fake: Double)

  /// The strategy and why, where one was named.
  public let reason: String?

  private let ratio: Double
  private let seed: UInt64
  private let fold: Int
  private let members: [[Int]]
  private let sampleWeights: [Double]

  /// A plan over samples with these labels (of the model's own modality); positions in the list are what `order`
  /// returns.
  ///
  /// - Parameter weights: the samples' own weights in the loss; empty for 1 each.
  /// - Throws: `DatasetError` when there is no sample, or one class only and the settings need both.
  public init(
    labels: [Label], weights: [Double] = [], settings given: BalanceSettings, seed: UInt64, fold: Int
  ) throws {
    precondition(weights.isEmpty || weights.count == labels.count, "SamplingPlan: weights and labels differ in number")
    try given.validate()
    let members = Label.allCases.map { label in labels.indices.filter { labels[$0] == label } }
    let counts = ClassCounts(real: members[0].count, fake: members[1].count)
    let (settings, reason) = given.resolved(for: counts)
    // Nothing is ever made more unequal than it is.
    let ratio = counts.smaller == 0 ? 1 : min(settings.targetRatio, Double(counts.larger) / Double(counts.smaller))
    (self.reason, self.ratio) = (reason, ratio)
    func shares(_ total: Int) -> ClassCounts {
      let larger = ratio == 1 ? total - total / 2 : Int((Double(total) * ratio / (1 + ratio)).rounded())
      // Of equal classes fakes get the odd sample.
      return counts.real > counts.fake && ratio > 1
        ? ClassCounts(real: larger, fake: total - larger) : ClassCounts(real: total - larger, fake: larger)
    }
    func limited(_ larger: Int, _ smaller: Int) -> ClassCounts {
      counts.real > counts.fake ? ClassCounts(real: larger, fake: smaller) : ClassCounts(real: smaller, fake: larger)
    }
    guard !labels.isEmpty else { throw DatasetError("fold \(fold)", "there is no sample to train on") }
    guard counts.smaller > 0 || (settings.sampler == .none && settings.classWeights != .balanced) else {
      throw DatasetError(
        "fold \(fold)",
        "the training part has \(counts.real) real and \(counts.fake) fake samples; the sampler and the "
          + "class weights need both, so use fewer folds or other groups")
    }
    switch settings.sampler {
    case .none: shown = counts
    case .weighted, .balancedBatches: shown = shares(labels.count)
    case .oversample: shown = limited(counts.larger, Int((Double(counts.larger) / ratio).rounded()))
    case .undersample: shown = limited(Int((Double(counts.smaller) * ratio).rounded()), counts.smaller)
    }
    epochLength = shown.total
    switch settings.classWeights {
    case .none: classWeights = (1, 1)
    case .given(let real, let fake): classWeights = (real, fake)
    case .balanced where settings.sampler != .none: classWeights = (1, 1)  // the sampler has balanced them already
    case .balanced:
      let weight = { [shown] (label: Label) in
        let share = (shown[label] == shown.larger ? ratio : 1) / (1 + ratio)
        return Double(shown.total) * share / Double(shown[label])
      }
      classWeights =
        ratio == 1
        ? (Double(shown.total) / Double(2 * shown.real), Double(shown.total) / Double(2 * shown.fake))
        : (weight(.real), weight(.fake))
    }
    (self.labels, self.settings, self.seed, self.fold, self.members) = (labels, settings, seed, fold, members)
    sampleWeights = weights
  }

  /// The weight of a sample in the loss: its class's times its own.
  public func lossWeight(_ index: Int) -> Double {
    let own = sampleWeights.isEmpty ? 1 : sampleWeights[index]
    return own * (labels[index] == .real ? classWeights.real : classWeights.fake)
  }

  /// The samples of an epoch, in order; `epochLength` of them.
  ///
  /// - Cost: linear in the number of samples.
  public func order(epoch: Int) -> [Int] {
    var random = KeyedRandom(seed: seed, purpose: "epoch order", fold, epoch)
    switch settings.sampler {
    case .none:
      return random.permuted(Array(labels.indices))
    case .weighted:
      return (0..<epochLength).map { _ in
        let isReal =
          ratio == 1 ? random.below(2) == 0 : random.unit() * Double(epochLength) < Double(shown.real)
        let group = members[isReal ? 0 : 1]
        return group[random.below(group.count)]
      }
    case .oversample, .undersample:
      let chosen = Self.draw(shown.real, of: members[0], &random) + Self.draw(shown.fake, of: members[1], &random)
      return random.permuted(chosen)
    case .balancedBatches:
      let real = Self.draw(shown.real, of: members[0], &random)
      let fake = Self.draw(shown.fake, of: members[1], &random)
      if ratio == 1 { return (0..<epochLength).map { $0 % 2 == 0 ? fake[$0 / 2] : real[$0 / 2] } }
      // Evenly spread: the place of a real sample is where the count of those due goes up.
      return (0..<epochLength).map { place in
        let due = place * shown.real / epochLength
        return (place + 1) * shown.real / epochLength > due ? real[due] : fake[place - due]
      }
    }
  }

  /// One line for the user: what an epoch shows, and with which weights.
  public var summary: String {
    let counts = ClassCounts(real: members[0].count, fake: members[1].count)
    let shows = settings.sampler == .weighted ? "shows about" : "shows"
    return
      (reason.map { "balance \($0): " } ?? "")
      + "training part: real \(counts.real), fake \(counts.fake); sampler \(settings.sampler.rawValue) \(shows) real "
      + "\(shown.real), fake \(shown.fake) an epoch; class weights real \(classWeights.real.rounded(to: 3)), fake "
      + "\(classWeights.fake.rounded(to: 3)); loss \(settings.loss.rawValue)"
      + (settings.loss == .focal ? " with gamma \(settings.focalGamma.rounded(to: 3))" : "")
  }

  // `count` of the items: each as often as any other, give or take one, in random order.
  private static func draw(_ count: Int, of items: [Int], _ random: inout KeyedRandom) -> [Int] {
    var result: [Int] = []
    result.reserveCapacity(count)
    while result.count < count { result += random.permuted(items).prefix(count - result.count) }
    return result
  }
}

/// How many samples of each class there are.
public struct ClassCounts: Codable, Sendable, Hashable {
  /// Real samples.
  public var real: Int
  /// Fake samples.
  public var fake: Int

  /// Counts from their parts.
  public init(real: Int = 0, fake: Int = 0) { (self.real, self.fake) = (real, fake) }

  /// Both together.
  public var total: Int { real + fake }
  /// The smaller of the two.
  public var smaller: Int { min(real, fake) }
  /// The larger of the two.
  public var larger: Int { max(real, fake) }

  /// Counts one more sample.
  public mutating func add(_ label: Label) {
    if label == .real { real += 1 } else { fake += 1 }
  }

  /// Counts one sample less.
  public mutating func remove(_ label: Label) {
    if label == .real { real -= 1 } else { fake -= 1 }
  }

  /// The count of one class.
  public subscript(_ label: Label) -> Int { label == .real ? real : fake }
}

extension Double {
  /// As text with so many decimals, trailing zeros left out.
  func rounded(to decimals: Int) -> String {
    let scale = (0..<decimals).reduce(1.0) { value, _ in value * 10 }
    let value = (self * scale).rounded() / scale
    return value == value.rounded() && abs(value) < 1e15 ? "\(Int(value))" : "\(value)"
  }
}
