/// What an experiment wants chosen on validation scores.
public struct DecisionSettings: Sendable, Hashable, Codable {
  /// How the threshold is chosen.
  public var rule: ThresholdRule
  /// The error rate of either class that an undecided band keeps; nil decides every item.
  public var undecided: Double?
  /// How predictions are calibrated.
  public var calibration: ScoreCalibration.Method

  /// Settings; by default the largest F1, no band, and a temperature.
  public init(
    rule: ThresholdRule = .f1, undecided: Double? = nil, calibration: ScoreCalibration.Method = .temperature
  ) {
    (self.rule, self.undecided, self.calibration) = (rule, undecided, calibration)
  }

  /// All of it as one text, for hashes of configurations.
  public var text: String {
    "\(rule.text), undecided \(undecided.map { "\($0)" } ?? "none"), calibration \(calibration.rawValue)"
  }
}

/// The decision that goes with a model: its threshold, its undecided band, and its calibration, chosen on the validation
/// part of the model's fold and never changed afterwards.
public struct OperatingPoint: Sendable, Hashable, Codable {
  /// Scores at or above it are called fake.
  public let threshold: Double
  /// How it was chosen, or why it was not.
  public let rule: String
  /// Scores in it are called undecided.
  public let band: DecisionBand?
  /// What makes probabilities of scores.
  public let calibration: ScoreCalibration

  /// A known operating point.
  public init(threshold: Double, rule: String, band: DecisionBand? = nil, calibration: ScoreCalibration = .none) {
    (self.threshold, self.rule, self.band, self.calibration) = (threshold, rule, band, calibration)
  }

  /// Chooses on validation scores. A rule without an answer there, as with one class only, leaves 0.5 and says so.
  public init(_ settings: DecisionSettings, validation scores: [Double], logits: [Double], fake: [Bool]) {
    let ranked = RankedScores(scores: scores, fake: fake)
    let choice = ranked.threshold(by: settings.rule)
    threshold = choice?.operatingPoint ?? 0.5
    rule = choice == nil ? "fixed, as \(settings.rule.text) has no answer on validation" : settings.rule.text
    band = settings.undecided.flatMap { DecisionBand(ranked, errorRate: $0) }
    calibration = ScoreCalibration(settings.calibration, fitting: logits, fake: fake)
  }

  /// The answer to a score. In a band it is undecided; outside of it the threshold decides.
  public func answer(_ score: Double) -> DecisionBand.Answer {
    if let band { return band.answer(score) }
    return score >= threshold ? .fake : .real
  }
}

/// Files that no fold has seen are scored by all folds.
extension OperatingPoint {
  /// P(fake) from the folds' logits: the mean of the calibrated ones; nil without any.
  public static func ensemble(_ logits: [(logit: Double, point: OperatingPoint)]) -> Double? {
    logits.isEmpty ? nil : sigmoid(mean(logits.map { $0.point.calibration.apply(logit: $0.logit) }))
  }

  /// The decision that goes with such a probability: each fold's own threshold and band, put on the common scale alike.
  ///
  /// - Traps: without folds.
  public static func ensemble(_ points: [OperatingPoint]) -> OperatingPoint {
    func common(_ end: (OperatingPoint) -> Double) -> Double {
      ensemble(points.map { (logit: logit(end($0)), point: $0) })!
    }
    let bands = points.compactMap(\.band)
    let band =
      bands.count < points.count
      ? nil : DecisionBand(lower: common { $0.band!.lower }, upper: common { $0.band!.upper })
    return OperatingPoint(threshold: common(\.threshold), rule: points[0].rule, band: band)
  }
}
