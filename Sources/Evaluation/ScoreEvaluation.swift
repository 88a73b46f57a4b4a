/// Everything that can be said of one model's score rows: metrics pooled and per fold, intervals, kinds of fake.
///
/// Thresholds are chosen on each fold's validation rows and applied to its test rows. Where there are none, decisions are at
/// 0.5 (0 for scores that are no probabilities), or, marked as oracle, at what would have been best on the test rows.
public struct ScoreEvaluation: Sendable, Encodable {
  /// The model's name.
  public let model: String
  /// Test rows with a score.
  public let items: Int
  /// Fakes among them.
  public let fakes: Int
  /// Test rows without a score, by reason.
  public let failed: [String: Int]
  /// How decisions were made in each fold.
  public let thresholds: [FoldThreshold]
  /// All metrics of all test rows together.
  public let pooled: MetricValues
  /// DeLong's interval of the pooled AUC.
  public let delong: Interval?
  /// The bootstrap's.
  public let bootstrap: Interval?
  /// Decisions, summed over folds.
  public let confusion: ConfusionMatrix
  /// Metrics of each fold; empty with one.
  public let folds: [Fold]
  /// Mean and standard deviation over folds, by metric; empty with one fold.
  public let spreads: [String: Spread]
  /// AUC of the real rows against each kind of fake.
  public let kinds: [Kind]
  /// What a reader should know.
  public let warnings: [String]

  /// A fold's threshold.
  public struct FoldThreshold: Sendable, Hashable, Encodable {
    /// The fold.
    public let fold: Int
    /// The threshold.
    public let threshold: Double
    /// `validation`, `test (oracle)` or `default`.
    public let chosenOn: String
  }

  /// A fold's metrics.
  public struct Fold: Sendable, Encodable {
    /// The fold.
    public let fold: Int
    /// Test rows with a score.
    public let items: Int
    /// Metrics of its test rows.
    public let metrics: MetricValues
  }

  /// One kind of fake.
  public struct Kind: Sendable, Encodable {
    /// Its name.
    public let type: String
    /// How many fakes.
    public let fakes: Int
    /// How many real rows they are compared with.
    public let reals: Int
    /// The area.
    public let auc: Measure
    /// Its interval.
    public let delong: Interval?
  }

  /// Evaluates rows of one model.
  ///
  /// - Parameters:
  ///   - oracle: chooses on the test rows where there are no validation rows.
  ///   - groups: each sample's group, for the bootstrap.
  ///   - bootstrap: nil leaves it out.
  /// - Throws: `EvaluationError` when there are no test rows or a sample is tested twice.
  public init(
    model: String, rows: [ScoreRow], rule: ThresholdRule = .f1, oracle: Bool = false, groups: [SampleID: Int]? = nil,
    bootstrap settings: Bootstrap? = Bootstrap()
  ) throws {
    let test = rows.filter { $0.part == .test }
    guard !test.isEmpty else {
      throw EvaluationError("\(model) has no test rows; give a score file with part test, or without the column part")
    }
    var seen: Set<SampleID> = []
    for row in test where !seen.insert(row.id).inserted {
      throw EvaluationError("\(model) has two test rows of sample \(row.id); give one score a sample")
    }
    self.model = model
    let scored = test.filter { $0.score != nil }
    failed = Dictionary(grouping: test.filter { $0.score == nil }, by: \.reason).mapValues(\.count)
    let (scores, fake) = (scored.map { $0.score! }, scored.map(\.isFake))
    (items, fakes) = (scored.count, fake.count { $0 })
    let standard = scores.allSatisfy { 0...1 ~= $0 } ? 0.5 : 0.0

    var notes: [String] = []
    var chosen: [FoldThreshold] = []
    var parts: [Fold] = []
    var sum = ConfusionMatrix(truePositives: 0, falsePositives: 0, trueNegatives: 0, falseNegatives: 0)
    let byFold = Dictionary(grouping: rows.filter { $0.score != nil }, by: \.fold)
    for fold in Set(test.map(\.fold)).sorted() {
      let part = { (part: Part) in (byFold[fold] ?? []).filter { $0.part == part } }
      let tested = part(.test)
      let validation = part(.validation)
      let basis = !validation.isEmpty ? validation : oracle ? tested : []
      let choice = RankedScores(scores: basis.map { $0.score! }, fake: basis.map(\.isFake)).threshold(by: rule)
      let origin = choice == nil ? "default" : validation.isEmpty ? "test (oracle)" : "validation"
      chosen.append(FoldThreshold(fold: fold, threshold: choice?.operatingPoint ?? standard, chosenOn: origin))
      let found = Self.items(tested, chosen.last!.threshold)
      sum += found.confusion
      parts.append(Fold(fold: fold, items: tested.count, metrics: MetricValues(found)))
    }
    if chosen.contains(where: { $0.chosenOn == "default" }), rule != .fixed(standard) {
      notes.append("no validation rows to choose a threshold on: decisions are at \(standard)")
    }
    if chosen.contains(where: { $0.chosenOn == "test (oracle)" }) {
      notes.append("the threshold was chosen on the scores that it is judged by: an oracle, not a result")
    }
    (thresholds, confusion, folds) = (chosen, sum, parts.count > 1 ? parts : [])
    spreads =
      parts.count > 1
      ? Dictionary(
        uniqueKeysWithValues: Metric.all.map { metric in (metric.name, Spread(parts.map { $0.metrics[metric.name] })) })
      : [:]
    let logits = scored.allSatisfy { $0.logit != nil } ? scored.map { $0.logit! } : nil
    let all = ScoredItems(scores: scores, fake: fake, logits: logits, confusion: sum)
    pooled = MetricValues(all)
    delong = DeLong(scores: [scores], fake: fake)?.interval()
    bootstrap = settings.flatMap {
      $0.areaUnderCurve(scores: scores, fake: fake, groups: groups.map { Self.dense(scored.map(\.id), $0) })
    }
    if all.ranked.tiedShare > 0.1 {
      notes.append(
        "\(Int((all.ranked.tiedShare * 100).rounded())) % of the scores are shared by real and fake items; eer counts "
          + "such ties as errors, eer_interp does not")
    }
    if let oneClass = all.ranked.oneClass { notes.append("\(oneClass): what compares the classes is undefined") }
    warnings = notes

    let real = scored.filter { $0.type.isEmpty && !$0.isFake }
    kinds = Set(scored.map(\.type)).filter { !$0.isEmpty }.sorted().map { type in
      let both = real + scored.filter { $0.type == type }
      let (scores, fake) = (both.map { $0.score! }, both.map { !$0.type.isEmpty })
      let ranked = RankedScores(scores: scores, fake: fake)
      return Kind(
        type: type, fakes: ranked.positives, reals: ranked.negatives, auc: ranked.areaUnderCurve,
        delong: DeLong(scores: [scores], fake: fake)?.interval())
    }
  }

  private static func items(_ rows: [ScoreRow], _ threshold: Double) -> ScoredItems {
    ScoredItems(
      scores: rows.map { $0.score! }, fake: rows.map(\.isFake),
      logits: rows.allSatisfy { $0.logit != nil } ? rows.map { $0.logit! } : nil, threshold: threshold)
  }

  /// Group indices from 0 without gaps; a sample without a group is its own.
  static func dense(_ ids: [SampleID], _ groups: [SampleID: Int]) -> [Int] {
    var numbers: [Int: Int] = [:]
    var next = 0
    return ids.map { id in
      guard let group = groups[id] else {
        next += 1
        return next - 1
      }
      if let number = numbers[group] { return number }
      numbers[group] = next
      next += 1
      return next - 1
    }
  }
}
