/// Several models' score rows, compared pair by pair on the samples that both scored.
public struct ScoreComparison: Sendable, Encodable {
  /// The models, in order.
  public let models: [Model]
  /// All pairs, p-values adjusted by Holm over them.
  public let pairs: [PairedComparison]
  /// Friedman's test over folds with Nemenyi's differences, with three or more models and folds.
  public let friedman: FriedmanResult?

  /// One model.
  public struct Model: Sendable, Encodable {
    /// Its name.
    public let name: String
    /// Test rows with a score.
    public let items: Int
    /// AUC over pairs of one fold: another fold's model has a scale of its own. With one fold the same as `pooledAUC`.
    public let auc: Measure
    /// Its DeLong interval.
    public let delong: Interval?
    /// AUC of all rows together, whatever their folds' scales.
    public let pooledAUC: Measure
  }

  /// Friedman's test as numbers.
  public struct FriedmanResult: Sendable, Encodable {
    /// The models' mean ranks; 1 is the best.
    public let ranks: [String: Double]
    /// p of the chi-squared form.
    public let p: Measure
    /// p of Iman and Davenport's form.
    public let imanDavenportP: Measure
    /// Models differ when their ranks differ by more than this, at 0.05.
    public let criticalDifference: Double
  }

  /// Compares.
  ///
  /// - Parameters:
  ///   - truth: the samples' own labels; where it is missing, the files must agree.
  ///   - groups: each sample's group, for the bootstrap.
  /// - Throws: `EvaluationError` for fewer than two models, labels that disagree, or no common samples.
  public init(
    _ models: [(name: String, rows: [ScoreRow])], truth: [SampleID: Truth] = [:], groups: [SampleID: Int]? = nil,
    rule: ThresholdRule = .f1, bootstrap: Bootstrap = Bootstrap()
  ) throws {
    guard models.count > 1 else {
      throw EvaluationError("a comparison needs two models; give two score files, or one with two models in it")
    }
    struct Side {
      let name: String
      let scores: [SampleID: Double], decisions: [SampleID: Bool], folds: [Int: [SampleID]], foldOf: [SampleID: Int]
    }
    var labels = truth
    var sides: [Side] = []
    for (name, rows) in models {
      let evaluated = try ScoreEvaluation(model: name, rows: rows, rule: rule, bootstrap: nil)
      let thresholds = Dictionary(uniqueKeysWithValues: evaluated.thresholds.map { ($0.fold, $0.threshold) })
      let test = rows.filter { $0.part == .test && $0.score != nil }
      for row in test {
        let label = labels[row.id] ?? row.label
        guard truth[row.id] != nil || label == row.label else {
          throw EvaluationError(
            "the score files disagree on whether sample \(row.id) is fake; name a table with the samples' own labels "
              + "(--labels samples.csv)")
        }
        labels[row.id] = label
      }
      sides.append(
        Side(
          name: name, scores: Dictionary(uniqueKeysWithValues: test.map { ($0.id, $0.score!) }),
          decisions: Dictionary(uniqueKeysWithValues: test.map { ($0.id, $0.score! >= thresholds[$0.fold]!) }),
          folds: Dictionary(grouping: test, by: \.fold).mapValues { $0.map(\.id) },
          foldOf: Dictionary(uniqueKeysWithValues: test.map { ($0.id, $0.fold) })))
    }
    let known = labels
    func ranked(_ side: Side, _ ids: [SampleID]) -> RankedScores {
      RankedScores(scores: ids.map { side.scores[$0]! }, fake: ids.map { known[$0] == .fake })
    }
    let order = models.map { $0.rows.filter { $0.part == .test && $0.score != nil }.map(\.id) }
    self.models = zip(sides, order).map { side, ids in
      let folds = side.folds.sorted { $0.key < $1.key }.map { ranked(side, $0.value) }
      return Model(
        name: side.name, items: ids.count, auc: areaWithin(folds), delong: DeLong(folds)?.interval(),
        pooledAUC: ranked(side, ids).areaUnderCurve)
    }
    let foldNames = Set(sides.flatMap { $0.folds.keys }).sorted()
    let areas = sides.map { side in foldNames.map { ranked(side, side.folds[$0] ?? []).areaUnderCurve.value } }
    var pairs: [PairedComparison] = []
    for i in sides.indices {
      for j in sides.indices where j > i {
        let shared = order[i].filter { sides[j].scores[$0] != nil }
        guard !shared.isEmpty else {
          throw EvaluationError(
            "\(sides[i].name) and \(sides[j].name) have no sample in common; give scores of one data set")
        }
        let side = { (k: Int) in
          PairedComparison.Model(
            name: sides[k].name, scores: shared.map { sides[k].scores[$0]! },
            decisions: shared.map { sides[k].decisions[$0]! }, foldAreas: foldNames.count > 2 ? areas[k] : [])
        }
        // Pairs of one fold, where both files have the same folds.
        let folds = shared.map { sides[i].foldOf[$0]! }
        let isDivided = folds.contains { $0 != folds[0] } && folds == shared.map { sides[j].foldOf[$0]! }
        let pair = PairedComparison(
          side(i), side(j), fake: shared.map { known[$0] == .fake }, strata: isDivided ? folds : nil,
          groups: groups.map { ScoreEvaluation.dense(shared, $0) }, bootstrap: bootstrap)
        guard let pair else {
          throw EvaluationError(
            "\(sides[i].name) and \(sides[j].name) share fewer than two real or two fake samples; give more scores")
        }
        pairs.append(pair)
      }
    }
    self.pairs = PairedComparison.adjust(pairs)
    let table = foldNames.indices.compactMap { fold -> [Double]? in
      let row = areas.compactMap { $0[fold] }
      return row.count == areas.count ? row : nil
    }
    friedman =
      sides.count > 2 && table.count > 2
      ? Friedman(table).map { test in
        FriedmanResult(
          ranks: Dictionary(uniqueKeysWithValues: zip(sides.map(\.name), test.averageRanks)), p: test.p,
          imanDavenportP: test.imanDavenportP, criticalDifference: test.criticalDifference())
      } : nil
  }
}
