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
  /// AUC over pairs of a fake and a real row of one fold; with one fold the pooled AUC. Folds' models have scales of their
  /// own: ranking all rows together (`pooled`) measures the scales too.
  public let area: Measure
  /// DeLong's interval of `area`.
  public let delong: Interval?
  /// The bootstrap's.
  public let bootstrap: Interval?
  /// The bootstrap's of other metrics of all test rows together, by name.
  public let intervals: [String: Interval]
  /// All metrics of all test rows together.
  public let pooled: MetricValues
  /// The same metrics of scores that were calibrated on each fold's validation rows, by method; without validation rows empty.
  public let calibrated: [String: MetricValues]
  /// What an undecided band does, when one was asked for.
  public let band: Band?
  /// Costs in front of a speaker verification system, when its scores were given.
  public private(set) var tandem: TandemCosts?
  /// Decisions, summed over folds.
  public let confusion: ConfusionMatrix
  /// Metrics of each fold; empty with one.
  public let folds: [Fold]
  /// Mean and standard deviation over folds, by metric; empty with one fold.
  public let spreads: [String: Spread]
  /// AUC of the real rows against each kind of fake.
  public let kinds: [Kind]
  /// Share of fakes by probability, as scored and after each calibration; empty where scores are no probabilities.
  public let reliability: [String: ReliabilityTables]
  /// The frames, windows or clips that the rows were made of, where they were.
  public var frames: FrameLevel?
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

  /// An undecided band, chosen on validation rows, and what it does to test rows.
  public struct Band: Sendable, Hashable, Encodable {
    /// The error rate of either class that it was chosen to keep.
    public let errorRate: Double
    /// The bands by fold, in the order of `thresholds`; nil where there was nothing to choose on.
    public let bands: [DecisionBand?]
    /// The counts over the folds that have one.
    public let outcome: DecisionBand.Outcome
    /// Share of decided rows.
    public let coverage: Measure
    /// Share of right answers among them.
    public let accuracy: Measure
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
    /// Equal error rate of all folds' rows together, ASVspoof's algorithm.
    public let equalErrorRate: Measure
    /// Costs in front of a speaker verification system, with the share of this attack that it lets in.
    public let tandem: TandemCosts?

    enum CodingKeys: String, CodingKey {
      case type, fakes, reals, auc, delong, tandem
      case equalErrorRate = "eer"
    }
  }

  /// Evaluates rows of one model.
  ///
  /// - Parameters:
  ///   - oracle: chooses on the test rows where there are no validation rows.
  ///   - undecided: the error rate of either class that an undecided band is to keep; nil for no band.
  ///   - verification: a speaker verification system's rates, for t-DCF.
  ///   - groups: each sample's group, for the bootstrap.
  ///   - bootstrap: nil leaves it out.
  /// - Throws: `EvaluationError` when there are no test rows or a sample is tested twice.
  public init(
    model: String, rows: [ScoreRow], rule: ThresholdRule = .f1, oracle: Bool = false, undecided: Double? = nil,
    verification: VerificationRates? = nil, groups: [SampleID: Int]? = nil,
    bootstrap settings: Bootstrap? = Bootstrap()
  ) throws {
    var parts: [Int: FoldRows] = [:]
    var (scored, reasons): ([Int], [String: Int]) = ([], [:])
    var tests: [Int] = []
    for index in rows.indices {
      let isTest = rows[index].part == .test
      if isTest { tests.append(index) }
      guard let score = rows[index].score else {
        if isTest {
          reasons[rows[index].reason, default: 0] += 1
          if parts[rows[index].fold] == nil { parts[rows[index].fold] = FoldRows() }
        }
        continue
      }
      let item = (score, rows[index].label == .fake, rows[index].logit)
      if isTest {
        scored.append(index)
        parts[rows[index].fold, default: FoldRows()].test.add(item)
      } else {
        parts[rows[index].fold, default: FoldRows()].validation.add(item)
      }
    }
    guard !tests.isEmpty else {
      throw EvaluationError("\(model) has no test rows; give a score file with part test, or without the column part")
    }
    if let twice = Self.firstDouble(rows, tests) {
      throw EvaluationError(
        "\(model) has two test rows of sample \(twice); give one score a sample, name a column frame, or choose folds with --fold"
      )
    }
    self.model = model
    failed = reasons
    let folds = Set(tests.map { rows[$0].fold }).sorted()
    let probabilities = folds.allSatisfy { parts[$0]!.test.scores.allSatisfy { 0...1 ~= $0 } }
    let standard = probabilities ? 0.5 : 0.0
    // A number is nobody's choice: it needs no validation rows.
    let given: Double? = if case .fixed(let value) = rule { value } else { nil }

    var notes: [String] = []
    var chosen: [FoldThreshold] = []
    var results: [(fold: Int, items: ScoredItems)] = []
    var sum = ConfusionMatrix(truePositives: 0, falsePositives: 0, trueNegatives: 0, falseNegatives: 0)
    var (bands, outcome): ([DecisionBand?], DecisionBand.Outcome) = ([], .init())
    for fold in folds {
      let part = parts[fold]!
      let tested = RankedScores(scores: part.test.scores, fake: part.test.fake)
      let basis =
        !part.validation.scores.isEmpty
        ? RankedScores(scores: part.validation.scores, fake: part.validation.fake) : oracle ? tested : nil
      let choice = given == nil ? basis?.threshold(by: rule) : nil
      let origin =
        given != nil
        ? "given" : choice == nil ? "default" : part.validation.scores.isEmpty ? "test (oracle)" : "validation"
      let threshold = given ?? choice?.operatingPoint ?? standard
      chosen.append(FoldThreshold(fold: fold, threshold: threshold, chosenOn: origin))
      let confusion = tested.confusion(at: threshold)
      sum += confusion
      results.append(
        (
          fold,
          ScoredItems(
            scores: part.test.scores, fake: part.test.fake, logits: part.test.allLogits, ranked: tested,
            confusion: confusion)
        ))
      if let undecided {
        let band = basis.flatMap { DecisionBand($0, errorRate: undecided) }
        bands.append(band)
        if let band { outcome.add(part.test.scores, fake: part.test.fake, band) }
      }
    }
    band = undecided.map {
      Band(
        errorRate: $0, bands: bands, outcome: outcome, coverage: outcome.coverage, accuracy: outcome.accuracy)
    }
    if chosen.contains(where: { $0.chosenOn == "default" }) {
      notes.append("no validation rows to choose a threshold on: decisions are at \(standard)")
    }
    if chosen.contains(where: { $0.chosenOn == "test (oracle)" }) {
      notes.append("the threshold was chosen on the scores that it is judged by: an oracle, not a result")
    }
    (thresholds, confusion) = (chosen, sum)
    // All test rows in the file's order.
    let single = results.count == 1
    let (scores, fake) =
      single
      ? (results[0].items.scores, results[0].items.fake)
      : (scored.map { rows[$0].score! }, scored.map { rows[$0].label == .fake })
    (items, fakes) = (scored.count, fake.count { $0 })
    let logits = scored.allSatisfy { rows[$0].logit != nil } ? scored.map { rows[$0].logit! } : nil
    let all = single ? results[0].items : ScoredItems(scores: scores, fake: fake, logits: logits, confusion: sum)
    pooled = MetricValues(all)
    let values =
      single ? [] : results.map { Fold(fold: $0.fold, items: $0.items.scores.count, metrics: .init($0.items)) }
    self.folds = values
    spreads = Dictionary(
      uniqueKeysWithValues: (single ? [] : Metric.all).map { metric in
        (metric.name, Spread(values.map { $0.metrics[metric.name] }))
      })
    let ranked = results.map(\.items.ranked)
    area = areaWithin(ranked)
    delong = DeLong(ranked)?.interval()
    let groups = groups.map { Self.dense(scored.map { rows[$0].id }, $0) }
    bootstrap = settings.flatMap {
      $0.areaUnderCurve(
        scores: scores, fake: fake, strata: single ? nil : scored.map { rows[$0].fold }, groups: groups)
    }
    let threshold = Dictionary(uniqueKeysWithValues: chosen.map { ($0.fold, $0.threshold) })
    intervals =
      settings.map {
        ResampledMetrics.intervals(
          $0, scores: scored.map { rows[$0].score! }, fake: scored.map { rows[$0].label == .fake },
          called: scored.map { rows[$0].score! >= threshold[rows[$0].fold]! }, groups: groups)
      } ?? [:]
    let maps = probabilities ? Self.calibrated(folds.map { parts[$0]! }) : (scores: [:], fake: [])
    // Decisions do not change: thresholds were chosen on the scores as they are.
    calibrated = maps.scores.mapValues { MetricValues(ScoredItems(scores: $0, fake: maps.fake, confusion: sum)) }
    var tables = maps.scores.compactMapValues { ReliabilityTables($0, fake: maps.fake) }
    if probabilities { tables[ScoreCalibration.Method.none.rawValue] = ReliabilityTables(scores, fake: fake) }
    reliability = tables
    if let verification { tandem = TandemCosts(all.ranked, verification) }
    let tied = all.ranked.tiedShare
    if tied > 0.1 {
      notes.append(
        "\(Int((tied * 100).rounded())) % of the scores are shared by real and fake items; eer counts "
          + "such ties as errors, eer_interp does not")
    }
    if let oneClass = all.ranked.oneClass { notes.append("\(oneClass): what compares the classes is undefined") }
    warnings = notes
    kinds = Self.kinds(rows, scored, verification)
  }

  /// Scores of one part of one fold.
  private struct Column {
    var scores: [Double] = [], fake: [Bool] = [], logits: [Double] = []
    /// The logits, where every row has one.
    var allLogits: [Double]? { logits.count == scores.count && !scores.isEmpty ? logits : nil }

    mutating func add(_ item: (score: Double, fake: Bool, logit: Double?)) {
      scores.append(item.score)
      fake.append(item.fake)
      if let logit = item.logit { logits.append(logit) }
    }
  }

  private struct FoldRows {
    var test = Column(), validation = Column()
  }

  /// Every kind of fake against the real rows, pairs of one fold only.
  private static func kinds(
    _ rows: [ScoreRow], _ scored: [Int], _ verification: VerificationRates?
  ) -> [Kind] {
    // Folds and kinds by number: rows of one kind lie together in most files.
    var names: [String: Int] = [:]
    var last = (type: "", number: 0)
    var byKind: [[Int: [Double]]] = []
    var reals: [Int: [Double]] = [:]
    for index in scored {
      let type = rows[index].type
      guard !type.isEmpty else {
        if rows[index].label == .real { reals[rows[index].fold, default: []].append(rows[index].score!) }
        continue
      }
      if byKind.isEmpty || last.type != type {
        last = (type, names[type] ?? names.count)
        if last.number == names.count {
          names[type] = names.count
          byKind.append([:])
        }
      }
      byKind[last.number][rows[index].fold, default: []].append(rows[index].score!)
    }
    let sorted = reals.mapValues(descending)
    return names.sorted { $0.key < $1.key }.map { name, number in
      let folds = Set(sorted.keys).union(byKind[number].keys).sorted().map { fold in
        RankedScores(falling: descending(byKind[number][fold] ?? []), reals: sorted[fold] ?? [])
      }
      let all =
        folds.count == 1
        ? folds[0] : RankedScores(fakes: byKind[number].values.flatMap(\.self), reals: reals.values.flatMap(\.self))
      return Kind(
        type: name, fakes: all.positives, reals: all.negatives, auc: areaWithin(folds),
        delong: DeLong(folds)?.interval(),
        equalErrorRate: all.referenceEqualErrorRate.map { .defined($0.rate) }
          ?? .undefined(all.oneClass ?? "there are no scores"),
        tandem: verification.map { TandemCosts(all, $0.against(name)) })
    }
  }

  /// Test scores after calibration, fold by fold on validation rows; only where every fold has both classes there.
  private static func calibrated(_ folds: [FoldRows]) -> (scores: [String: [Double]], fake: [Bool]) {
    var scores: [String: [Double]] = [:]
    for fold in folds {
      let validation = fold.validation
      guard validation.fake.contains(true), validation.fake.contains(false) else { return ([:], []) }
      let logits = validation.allLogits ?? validation.scores.map(logit)
      let tested = fold.test.allLogits ?? fold.test.scores.map(logit)
      for method in [ScoreCalibration.Method.temperature, .platt] {
        let map = ScoreCalibration(method, fitting: logits, fake: validation.fake)
        scores[method.rawValue, default: []] += tested.map { sigmoid(map.apply(logit: $0)) }
      }
      let isotonic = IsotonicCalibration(fitting: validation.scores, fake: validation.fake)!
      scores[ScoreCalibration.Method.isotonic.rawValue, default: []] += fold.test.scores.map(isotonic.apply)
    }
    return (scores, folds.flatMap(\.test.fake))
  }

  /// The first sample that two of these rows name.
  private static func firstDouble(_ rows: [ScoreRow], _ chosen: [Int]) -> SampleID? {
    var hashes = chosen.map { index -> UInt64 in
      var hasher = Hasher()
      hasher.combine(rows[index].sample)
      hasher.combine(rows[index].dataset)
      return UInt64(bitPattern: Int64(hasher.finalize()))
    }
    radixSort(&hashes)
    guard hashes.indices.dropFirst().contains(where: { hashes[$0] == hashes[$0 - 1] }) else { return nil }
    var seen: Set<SampleID> = []
    return chosen.lazy.map { rows[$0].id }.first { !seen.insert($0).inserted }
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
