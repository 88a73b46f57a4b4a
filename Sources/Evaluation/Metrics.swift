/// Scores with labels, ranked once, and the decisions of one threshold: what every metric is computed from.
public struct ScoredItems: Sendable {
  /// P(fake), or another score that rises with it.
  public let scores: [Double]
  /// Whether each item is fake.
  public let fake: [Bool]
  /// Logits, where every item has one.
  public let logits: [Double]?
  /// The scores, sorted and counted.
  public let ranked: RankedScores
  /// Decisions, at one threshold or summed over folds with one each.
  public let confusion: ConfusionMatrix

  /// Why the scores are not probabilities, if they are not.
  let notProbabilities: String?
  /// Natural log-likelihood ratios: the logits, or those that the probabilities give, or the scores themselves.
  let evidence: [Double]

  /// Ranks scores and decides at a threshold.
  public init(scores: [Double], fake: [Bool], logits: [Double]? = nil, threshold: Double) {
    let ranked = RankedScores(scores: scores, fake: fake)
    self.init(scores: scores, fake: fake, logits: logits, ranked: ranked, confusion: ranked.confusion(at: threshold))
  }

  /// Ranks scores whose decisions are known already.
  public init(scores: [Double], fake: [Bool], logits: [Double]? = nil, confusion: ConfusionMatrix) {
    self.init(
      scores: scores, fake: fake, logits: logits, ranked: RankedScores(scores: scores, fake: fake),
      confusion: confusion)
  }

  /// From scores that are ranked already.
  init(scores: [Double], fake: [Bool], logits: [Double]?, ranked: RankedScores, confusion: ConfusionMatrix) {
    (self.scores, self.fake, self.logits, self.ranked) = (scores, fake, logits, ranked)
    self.confusion = confusion
    // The highest and the lowest score decide for all.
    let areProbabilities = ranked.thresholds.first.map { $0 <= 1 && ranked.thresholds.last! >= 0 }
    notProbabilities = areProbabilities.map { $0 ? nil : "the scores are not probabilities" } ?? "there are no items"
    evidence = logits ?? (notProbabilities == nil ? scores.map(logit) : scores)
  }
}

/// One number that sums up scores: its name in files, its title, and how it is computed.
///
/// A new metric is one entry of `all`: it then stands in `unmask evaluate`, in `Results/complete_results.csv` and in the
/// fold table of the report.
public struct Metric: Sendable {
  /// The name of its column, lower_snake_case.
  public let name: String
  /// What people call it.
  public let title: String
  /// What it is, in half a sentence.
  public let explanation: String
  /// Its value; undefined with a reason where it has none.
  public let compute: @Sendable (ScoredItems) -> Measure

  /// Every metric, in the order of the tables.
  public static let all: [Metric] = [
    Metric(name: "auc", title: "AUC", explanation: "P(fake scores above real), ties one half") {
      $0.ranked.areaUnderCurve
    },
    Metric(name: "average_precision", title: "AP", explanation: "area under precision-recall without interpolation") {
      $0.ranked.averagePrecision
    },
    Metric(
      name: "pr_auc", title: "PR AUC",
      explanation: "the same area by trapezoids, which flatters; prefer average_precision"
    ) {
      $0.ranked.precisionRecallArea
    },
    Metric(
      name: "eer", title: "EER", explanation: "equal error rate, ASVspoof's algorithm; ties count against the model"
    ) {
      rate($0.ranked.referenceEqualErrorRate, $0)
    },
    Metric(name: "eer_interp", title: "EER (interp.)", explanation: "equal error rate, interpolated on the ROC curve") {
      rate($0.ranked.interpolatedEqualErrorRate, $0)
    },
    Metric(name: "eer_nearest", title: "EER (nearest)", explanation: "equal error rate at the nearest ROC point") {
      rate($0.ranked.nearestEqualErrorRate, $0)
    },
    Metric(
      name: "tpr_at_fpr_0_1", title: "TPR at 0.1 % FPR",
      explanation: "fakes found when 0.1 % of real items are called fake"
    ) {
      $0.ranked.truePositiveRate(atFalsePositiveRate: 0.001)
    },
    Metric(
      name: "tpr_at_fpr_1", title: "TPR at 1 % FPR", explanation: "fakes found when 1 % of real items are called fake"
    ) {
      $0.ranked.truePositiveRate(atFalsePositiveRate: 0.01)
    },
    Metric(name: "tpr_at_fpr_10", title: "TPR at 10 % FPR", explanation: "the same at 10 %") {
      $0.ranked.truePositiveRate(atFalsePositiveRate: 0.1)
    },
    Metric(name: "accuracy", title: "Accuracy", explanation: "share of right decisions") { $0.confusion.accuracy },
    Metric(name: "balanced_accuracy", title: "Balanced accuracy", explanation: "mean of both classes' recall") {
      $0.confusion.balancedAccuracy
    },
    Metric(name: "precision", title: "Precision", explanation: "share of fakes among what was called fake") {
      $0.confusion.precision()
    },
    Metric(name: "recall", title: "Recall", explanation: "share of fakes found") { $0.confusion.recall() },
    Metric(name: "false_positive_rate", title: "FPR", explanation: "share of real items called fake") {
      $0.confusion.falsePositiveRate
    },
    Metric(name: "f1", title: "F1", explanation: "harmonic mean of precision and recall") { $0.confusion.f1() },
    Metric(name: "mcc", title: "MCC", explanation: "Matthews correlation of labels and decisions") {
      $0.confusion.matthewsCorrelation
    },
    Metric(name: "kappa", title: "Kappa", explanation: "Cohen's agreement beyond chance") { $0.confusion.kappa },
    Metric(name: "brier", title: "Brier", explanation: "mean squared error of the probability") {
      probability($0) { Calibration.brier($0.scores, fake: $0.fake) }
    },
    Metric(name: "log_loss", title: "Log loss", explanation: "mean -ln p of the label") {
      probability($0) { Calibration.logLoss($0.scores, fake: $0.fake) }
    },
    Metric(name: "ece", title: "ECE", explanation: "expected calibration error of P(fake), 15 bins of equal width") {
      probability($0) { .defined(Calibration.reliability($0.scores, right: $0.fake)!.expected) }
    },
    Metric(name: "ece_equal_mass", title: "ECE (equal mass)", explanation: "the same, 15 bins of equal counts") {
      probability($0) { .defined(Calibration.equalMassReliability($0.scores, right: $0.fake)!.expected) }
    },
    Metric(name: "mce", title: "MCE", explanation: "the largest error of a bin of ece") {
      probability($0) { .defined(Calibration.reliability($0.scores, right: $0.fake)!.maximum) }
    },
    Metric(
      name: "ece_top_label", title: "ECE (top label)",
      explanation: "calibration error of the likelier class's probability, as multi-class tools print"
    ) {
      probability($0) { items in
        .defined(
          Calibration.reliability(items.scores.map { max($0, 1 - $0) }, right: topLabelRight(items))!.expected)
      }
    },
    Metric(
      name: "aurc", title: "AURC",
      explanation: "mean error rate at 0.5 when the least sure share of the items is left to a person, over all shares"
    ) {
      probability($0) { items in
        Calibration.riskCoverageArea(items.scores.map { max($0, 1 - $0) }, right: topLabelRight(items))
      }
    },
    Metric(
      name: "min_dcf", title: "minDCF",
      explanation: "least cost of misses (1) and passed fakes (10) at 5 % fakes, over all thresholds (ASVspoof 5)"
    ) {
      $0.ranked.minimumDetectionCost()
    },
    Metric(
      name: "act_dcf", title: "actDCF",
      explanation: "the same at the threshold that log-likelihood ratios ask for; far above min_dcf means uncalibrated"
    ) {
      actualDetectionCost(evidence: $0.evidence, fake: $0.fake)
    },
    Metric(
      name: "cllr", title: "Cllr", explanation: "cost of the log-likelihood ratio in bits; 1 carries no information"
    ) {
      let (evidence, fake) = ($0.evidence, $0.fake)
      return Calibration.cllr(
        target: evidence.indices.filter { fake[$0] }.map { evidence[$0] },
        nontarget: evidence.indices.filter { !fake[$0] }.map { evidence[$0] })
    },
  ]

  private static func rate(_ found: EqualErrorRate?, _ items: ScoredItems) -> Measure {
    found.map { .defined($0.rate) } ?? .undefined(items.ranked.oneClass!)
  }

  private static func topLabelRight(_ items: ScoredItems) -> [Bool] {
    zip(items.scores, items.fake).map { ($0 > 0.5) == $1 }
  }

  private static func probability(_ items: ScoredItems, _ measure: (ScoredItems) -> Measure) -> Measure {
    items.notProbabilities.map(Measure.undefined) ?? measure(items)
  }
}

/// The values of all metrics, by name.
public struct MetricValues: Sendable, Hashable, Codable {
  private let values: [String: Measure]

  /// Computes every metric.
  ///
  /// - Cost: below a second for a million items.
  public init(_ items: ScoredItems) {
    values = Dictionary(uniqueKeysWithValues: Metric.all.map { ($0.name, $0.compute(items)) })
  }

  /// A metric's value.
  ///
  /// - Traps: if there is no metric of that name.
  public subscript(_ name: String) -> Measure {
    guard let value = values[name] else { preconditionFailure("there is no metric \"\(name)\"") }
    return value
  }

  /// An object of names and values.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(values)
  }

  /// Reads what `encode` wrote.
  public init(from decoder: any Decoder) throws {
    values = try decoder.singleValueContainer().decode([String: Measure].self)
  }
}
