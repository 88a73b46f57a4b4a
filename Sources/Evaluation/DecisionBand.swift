/// Two thresholds with "undecided" between them: a detector that may answer "cannot tell" and leave an item to a person.
public struct DecisionBand: Sendable, Hashable, Codable {
  /// Real below it.
  public let lower: Double
  /// Fake at or above it.
  public let upper: Double

  /// What a detector answers.
  public enum Answer: String, Sendable, Codable {
    /// Below the band.
    case real
    /// In it.
    case undecided
    /// Above it.
    case fake
  }

  /// A known band.
  ///
  /// - Traps: if it is turned around.
  public init(lower: Double, upper: Double) {
    precondition(lower <= upper, "DecisionBand: \(lower) is above \(upper)")
    (self.lower, self.upper) = (lower, upper)
  }

  /// The narrowest band on validation scores that calls at most `rate` of the real items fake and at most `rate` of the
  /// fakes real. Where one threshold can do both, the band is empty.
  ///
  /// - Returns: nil with one class only.
  public init?(_ validation: RankedScores, errorRate rate: Double) {
    guard validation.oneClass == nil else { return nil }
    let (n, p) = (Double(validation.negatives), Double(validation.positives))
    let ranks = validation.thresholds
    let allowed = validation.falsePositives.prefix { Double($0) / n <= rate }.count
    let upper =
      allowed == 0 ? ranks[0].nextUp : Self.between(ranks[allowed - 1], allowed < ranks.count ? ranks[allowed] : nil)
    // The strictest threshold that still finds all but `rate` of the fakes.
    let missed = { (index: Int) in Double(validation.positives - validation.truePositives[index]) / p }
    let first = ranks.indices.first { missed($0) <= rate }!  // the last one misses none
    let lower = Self.between(ranks[first], first + 1 < ranks.count ? ranks[first + 1] : nil)
    // Overlap: any threshold between obeys both.
    self =
      lower <= upper ? Self(lower: lower, upper: upper) : Self(lower: (lower + upper) / 2, upper: (lower + upper) / 2)
  }

  private static func between(_ score: Double, _ next: Double?) -> Double {
    ThresholdChoice(threshold: score, nextLower: next, value: 0).operatingPoint
  }

  /// The answer to a score.
  public func answer(_ score: Double) -> Answer { score >= upper ? .fake : score < lower ? .real : .undecided }

  /// What a band does to test scores.
  public struct Outcome: Sendable, Hashable, Codable {
    /// Items in all.
    public private(set) var items = 0
    /// Items in the band.
    public private(set) var undecided = 0
    /// Of the others, those answered rightly.
    public private(set) var right = 0
    /// Real items called fake.
    public private(set) var accused = 0
    /// Fakes called real.
    public private(set) var missed = 0

    /// Nothing yet.
    public init() {}

    /// Share of items that were decided.
    public var coverage: Measure { .ratio(Double(items - undecided), Double(items), "there are no items") }
    /// Share of the decided items that were answered rightly.
    public var accuracy: Measure { .ratio(Double(right), Double(items - undecided), "every item is undecided") }

    /// Counts scores.
    public mutating func add(_ scores: [Double], fake: [Bool], _ band: DecisionBand) {
      for (score, isFake) in zip(scores, fake) {
        items += 1
        switch (band.answer(score), isFake) {
        case (.undecided, _): undecided += 1
        case (.fake, true), (.real, false): right += 1
        case (.fake, false): accused += 1
        case (.real, true): missed += 1
        }
      }
    }
  }
}
