/// How the scores of a sample's frames, windows or clips become the sample's one score. Tables of the field differ in this
/// more than their authors say, so that all rules stand beside the one that was chosen.
public enum FrameRule: String, Sendable, Hashable, Codable, CaseIterable {
  /// The mean.
  case mean
  /// The middle one.
  case median
  /// The largest.
  case max
  /// The smallest.
  case min
  /// The mean of the largest quarter, at least one.
  case topK = "top-k"
  /// P(at least one is fake), if frames were independent; for probabilities only.
  case noisyOr = "noisy-or"

  /// The sample's score.
  ///
  /// - Traps: without scores.
  public func score(of frames: [Double]) -> Double {
    switch self {
    case .mean: return Evaluation.mean(frames)
    case .median: return quantile(frames.sorted(), 0.5)
    case .max: return frames.max()!
    case .min: return frames.min()!
    case .topK: return Evaluation.mean(Array(frames.sorted(by: >).prefix(Swift.max(1, frames.count / 4))))
    case .noisyOr: return 1 - frames.reduce(1) { $0 * (1 - $1) }
    }
  }
}

/// Rows of frames as rows of samples.
public enum FrameScores {
  /// One row a sample, fold and part, in the order of their first frames. A sample is fake where one of its frames is; it has
  /// no score where none of its frames has one.
  public static func samples(of rows: [ScoreRow], by rule: FrameRule) -> [ScoreRow] {
    struct Key: Hashable { let id: SampleID, fold: Int, part: Part, model: String }
    var places: [Key: Int] = [:]
    var found: [(row: ScoreRow, scores: [Double])] = []
    for row in rows {
      let key = Key(id: row.id, fold: row.fold, part: row.part, model: row.model)
      let place = places[key] ?? found.count
      if place == found.count {
        places[key] = place
        found.append((row, []))
      } else if row.isFake, !found[place].row.isFake {
        (found[place].row.label, found[place].row.type) = (.fake, row.type)
      }
      if let score = row.score { found[place].scores.append(score) }
    }
    return found.map { row, scores in
      var row = row
      (row.frame, row.logit) = (nil, nil)
      row.score = scores.isEmpty ? nil : rule.score(of: scores)
      if row.score != nil { row.reason = "" }
      return row
    }
  }
}

/// One model's test frames, each judged for itself, and its samples under every rule.
public struct FrameLevel: Sendable, Encodable {
  /// Frames, windows or clips with a score.
  public let items: Int
  /// Of them in fakes.
  public let fakes: Int
  /// Samples that they are of.
  public let samples: Int
  /// AUC over pairs of a fake and a real frame of one fold: the field's "frame AUC". Long samples weigh more.
  public let area: Measure
  /// Its interval by drawing samples or groups: frames of one sample are alike.
  public let bootstrap: Interval?
  /// All metrics of all frames together, decided at the sample's thresholds.
  public let metrics: MetricValues
  /// AUC and interpolated EER of the samples by each rule.
  public let rules: [Rule]

  /// Samples under one rule.
  public struct Rule: Sendable, Hashable, Encodable {
    /// The rule.
    public let rule: FrameRule
    /// AUC within folds.
    public let area: Measure
    /// EER of all samples together, interpolated.
    public let equalErrorRate: Measure

    enum CodingKeys: String, CodingKey {
      case rule, area
      case equalErrorRate = "eer_interp"
    }
  }

  /// Judges rows of frames; those of part validation are left out.
  ///
  /// - Parameters:
  ///   - thresholds: the samples' threshold by fold.
  ///   - groups: each sample's group; without, each sample is its own.
  public init(
    _ rows: [ScoreRow], thresholds: [Int: Double], groups: [SampleID: Int]? = nil, bootstrap settings: Bootstrap?
  ) {
    let test = rows.filter { $0.part == .test && $0.score != nil }
    let (scores, fake, folds) = (test.map { $0.score! }, test.map(\.isFake), test.map(\.fold))
    var numbers: [SampleID: Int] = [:]
    for row in test where numbers[row.id] == nil { numbers[row.id] = numbers.count }
    (items, fakes, samples) = (test.count, fake.count { $0 }, numbers.count)
    area = areaUnderCurve(scores: scores, fake: fake, strata: folds)
    bootstrap = settings.flatMap {
      $0.areaUnderCurve(
        scores: scores, fake: fake, strata: folds, groups: ScoreEvaluation.dense(test.map(\.id), groups ?? numbers))
    }
    var confusion = ConfusionMatrix(truePositives: 0, falsePositives: 0, trueNegatives: 0, falseNegatives: 0)
    let byFold = Dictionary(grouping: test.indices) { folds[$0] }
    for (fold, places) in byFold {
      confusion += ConfusionMatrix(
        scores: places.map { scores[$0] }, fake: places.map { fake[$0] }, threshold: thresholds[fold] ?? 0.5)
    }
    metrics = MetricValues(ScoredItems(scores: scores, fake: fake, confusion: confusion))
    let areProbabilities = scores.allSatisfy { 0...1 ~= $0 }
    rules = FrameRule.allCases.filter { areProbabilities || $0 != .noisyOr }.map { rule in
      let rows = FrameScores.samples(of: test, by: rule)
      let (scores, fake) = (rows.map { $0.score! }, rows.map(\.isFake))
      let ranked = RankedScores(scores: scores, fake: fake)
      return Rule(
        rule: rule, area: areaUnderCurve(scores: scores, fake: fake, strata: rows.map(\.fold)),
        equalErrorRate: ranked.interpolatedEqualErrorRate.map { .defined($0.rate) } ?? .undefined(ranked.oneClass!))
    }
  }
}
