import Evaluation

// Everything the report says about scores, computed once from the score rows and the facts of the run: per fold, over
// folds, pooled, per kind of fake, and pairwise. CSV files, figures and the page only format it.

/// The results of a run.
struct RunAnalysis: Sendable {
  /// Models first, then fusions, then baselines, each in the order of the experiment.
  let entries: [Entry]
  /// Kinds of fake, in order of their names.
  let kinds: [String]
  /// Kinds that some model can see: its own label calls them fake.
  let visibleKinds: [String]
  /// Paired tests on all fakes, then on each kind.
  let comparisons: [Comparison]
  /// Friedman's test over folds; nil with fewer than three entries or folds.
  let ranking: Ranking?
  /// Frames, windows and clips of the models that see several of a sample.
  let frames: [FrameResult]
  /// Shortcut probes.
  let probes: [ProbeResult]
  /// How many groups the samples have.
  let groups: Int
  /// Each entry's results by what it was trained and tested on; empty for one cross-validation of one data set.
  let cross: [CrossResult]
  /// Each entry's results by seed; empty with one.
  let seeds: [SeedResult]
  /// What was chosen on validation parts, and how often.
  let selections: [Selection]
  /// Models that differ only in what they do about unequal classes.
  let balance: [BalanceComparison]
  /// Where models are most wrong, and where they disagree.
  let failures: [FailureCase]

  /// What an entry is.
  enum Role: String, Sendable {
    case model, fusion, baseline
  }

  /// One model's, fusion's or baseline's results.
  struct Entry: Sendable {
    let name: String
    let role: Role
    let modality: String
    let architecture: String
    let facts: RunReport.Model?
    let rule: FusionRule?
    /// Whether it looks at nothing: see `constants`.
    let isConstant: Bool
    /// One result a fold, in order.
    let folds: [FoldResult]
    /// All folds' test scores together, decided at each fold's own threshold; judged by the entry's own label.
    let pooled: MetricValues
    /// The same, decided at 0.5.
    let pooledAtHalf: MetricValues
    let confusion: ConfusionMatrix
    /// ROC curve of each fold that has both classes.
    let curves: [ROCCurve]
    /// AUC over pairs of one fold, judged by the entry's own label: folds' models have scales of their own, so that ranking
    /// their scores together (`pooled`) measures the scales too.
    let area: Measure
    /// Its intervals.
    let delong: Interval?
    let bootstrap: Interval?
    /// AUC on validation parts by the sample's own label, mean over folds: what the summary's choice is made by.
    let validationArea: Double?
    /// AUC of real samples against each kind of fake, by the sample's own label.
    let kinds: [Slice]
    /// The same against all fakes, and against all kinds that some modality can see.
    let allFakes: Slice
    let visibleFakes: Slice
    /// The fold that tested each sample.
    let foldOf: [SampleID: Int]
    /// Scores by sample, test only.
    let scores: [SampleID: Double]
    /// Test samples by fold.
    let foldMembers: [Int: [SampleID]]
    /// Decisions by sample, at each fold's threshold.
    let decisions: [SampleID: Bool]
    /// Rows without a score, by reason.
    let failed: [String: Int]
    let warnings: [String]
    /// Pooled metrics after calibration on each fold's validation part, by method.
    let calibrated: [String: MetricValues]
    /// Share of fakes by probability, as scored (`none`) and after calibration.
    let reliability: [String: ReliabilityTables]
    /// What the undecided band does, where the experiment asked for one.
    let band: ScoreEvaluation.Band?
    /// F1, recall and specificity on validation by threshold from 0 to 1 in hundredths, mean over folds.
    let thresholdCurves: [ThresholdPoint]

    /// Mean and standard deviation of a metric over folds.
    func spread(_ metric: String) -> Spread { Spread(folds.map { $0.metrics[metric] }) }
    /// The interval of the pooled AUC; a constant answer has none.
    var interval: Interval? { isConstant ? nil : RunAnalysis.interval(bootstrap, delong) }
  }

  /// Decisions on validation at one threshold.
  struct ThresholdPoint: Sendable {
    let threshold: Double
    let f1, recall, specificity: Double
  }

  /// An entry's AUC on one data set, by the model of one fold (nil: by all, within folds).
  struct CrossResult: Sendable {
    let model: String
    let fold: Int?
    let name: String
    let trainedOn: String
    let testedOn: String
    let slice: Slice
  }

  /// An entry's metrics by seed.
  struct SeedResult: Sendable {
    let model: String
    let seeds: [(seed: UInt64, area: Measure, metrics: MetricValues)]
    var area: Spread { Spread(seeds.map(\.area)) }
    func spread(_ metric: String) -> Spread { Spread(seeds.map { $0.metrics[metric] }) }
  }

  /// Something that was chosen on validation.
  struct Selection: Sendable {
    let what: String
    let count: Int
    let among: String
  }

  /// One fold's test result.
  struct FoldResult: Sendable {
    let fold: Int
    let items: Int
    let fakes: Int
    let failed: Int
    let threshold: Double
    /// Why the threshold is 0.5 instead of a chosen one, if so.
    let thresholdNote: String?
    /// How many validation scores chose it.
    let validationItems: Int
    let metrics: MetricValues
    let atHalf: MetricValues
  }

  /// AUC of real samples against some fakes.
  struct Slice: Sendable {
    let name: String
    let fakes: Int
    let reals: Int
    /// Over pairs of one fold.
    let area: Measure
    /// Over all pairs, whatever their folds' scales.
    var pooled = Measure.undefined("not computed")
    let delong: Interval?
    let bootstrap: Interval?
    /// Whether the model was taught that this kind is fake: its own rows say so.
    var seen = true
    var interval: Interval? { RunAnalysis.interval(bootstrap, delong) }
  }

  /// A paired comparison of two entries on the samples that both scored: all fakes, or one kind.
  struct Comparison: Sendable {
    let scope: String
    var pair: PairedComparison
    /// Difference of balanced accuracy at each fold's chosen thresholds, and at 0.5; on all fakes only.
    var chosen, atHalf: DecisionDifference?
  }

  /// How two entries' decisions differ: balanced accuracy, first less second.
  struct DecisionDifference: Sendable {
    let difference: Double
    let interval: Interval?
  }

  /// A probe's AUC.
  struct ProbeResult: Sendable {
    let name: String
    let unit: String
    let items: Int
    let area: Measure
    let delong: Interval?
    let bootstrap: Interval?
    var isOneSided = false
    var interval: Interval? { RunAnalysis.interval(bootstrap, delong) }
    /// Warned of when its interval does not reach 0.5 and its distance from it is more than 0.1.
    var isShortcut: Bool {
      guard let area = area.value, let interval else { return false }
      return !interval.contains(0.5) && (isOneSided ? area - 0.5 : abs(area - 0.5)) > 0.1
    }
  }

  /// The interval to show: over groups, or that of the area alone where resampling cannot vary (perfect separation).
  static func interval(_ bootstrap: Interval?, _ delong: Interval?) -> Interval? {
    guard let bootstrap, bootstrap.upper > bootstrap.lower else { return delong ?? bootstrap }
    return bootstrap
  }

  func entry(_ name: String) -> Entry? { entries.first { $0.name == name } }

  /// The model or fusion with the highest validation AUC: the one to use, chosen without a look at test scores.
  var chosen: Entry? {
    entries.filter { $0.role != .baseline && $0.validationArea != nil }.max { $0.validationArea! < $1.validationArea! }
  }

  /// The single model with the highest validation AUC by the sample's own label, which a fusion has to beat.
  var bestSingle: Entry? {
    entries.filter { $0.role == .model && $0.validationArea != nil }.max { $0.validationArea! < $1.validationArea! }
  }

  /// The slice that the summary speaks of: all visible kinds where that differs from all fakes.
  func headline(_ entry: Entry) -> Slice { visibleKinds.count < kinds.count ? entry.visibleFakes : entry.allFakes }
}
