/// Scores with labels, sorted once: the counts of fakes and of real items at or above each distinct score, from which
/// every threshold-free metric and every threshold follows. The rule is "fake when score >= threshold".
///
/// - Units: any score that rises with the belief in "fake": probability or logit.
/// - Cost: two sorts; everything else is one pass over the distinct scores.
public struct RankedScores: Sendable {
  /// How many fakes.
  public let positives: Int
  /// How many real items.
  public let negatives: Int
  /// The distinct scores, from high to low.
  public let thresholds: [Double]
  /// Fakes with a score at or above each threshold.
  public let truePositives: [Int]
  /// Real items with a score at or above each threshold.
  public let falsePositives: [Int]

  /// Sorts and counts.
  ///
  /// - Traps: if the lengths differ or a score is not a number; whoever reads files refuses such rows first.
  public init(scores: [Double], fake: [Bool]) {
    precondition(scores.count == fake.count, "RankedScores: \(scores.count) scores, \(fake.count) labels")
    var high: [Double] = []
    var low: [Double] = []
    high.reserveCapacity(scores.count)
    low.reserveCapacity(scores.count)
    for index in scores.indices {
      precondition(!scores[index].isNaN, "RankedScores: score \(index) is not a number")
      if fake[index] { high.append(scores[index]) } else { low.append(scores[index]) }
    }
    self.init(fakes: high, reals: low)
  }

  /// From the two classes' scores.
  public init(fakes: [Double], reals: [Double]) { self.init(falling: descending(fakes), reals: descending(reals)) }

  /// From counts: `thresholds` fall, the counts of what lies at or above each do not.
  init(thresholds: [Double], truePositives: [Int], falsePositives: [Int]) {
    (self.thresholds, self.truePositives, self.falsePositives) = (thresholds, truePositives, falsePositives)
    (positives, negatives) = (truePositives.last ?? 0, falsePositives.last ?? 0)
  }

  /// From the two classes' scores, each sorted from high to low.
  init(falling high: [Double], reals low: [Double]) {
    (positives, negatives) = (high.count, low.count)
    var distinct: [Double] = []
    var above: (fakes: [Int], reals: [Int]) = ([], [])
    distinct.reserveCapacity(high.count + low.count)
    above.fakes.reserveCapacity(high.count + low.count)
    above.reals.reserveCapacity(high.count + low.count)
    var (i, j) = (0, 0)
    while i < high.count || j < low.count {
      let score = i == high.count ? low[j] : j == low.count ? high[i] : max(high[i], low[j])
      while i < high.count, high[i] == score { i += 1 }
      while j < low.count, low[j] == score { j += 1 }
      distinct.append(score)
      above.fakes.append(i)
      above.reals.append(j)
    }
    (thresholds, truePositives, falsePositives) = (distinct, above.fakes, above.reals)
  }

  /// Why nothing that compares the classes exists, if so.
  public var oneClass: String? {
    positives == 0 && negatives == 0
      ? "there are no scores" : positives == 0 ? "there are no fakes" : negatives == 0 ? "there are no real items" : nil
  }

  /// Area under the ROC curve: P(fake scores above real) + half of P(equal).
  public var areaUnderCurve: Measure {
    if let oneClass { return .undefined(oneClass) }
    return .defined(Double(doubledWins) / 2 / (Double(positives) * Double(negatives)))
  }

  /// Twice the number of pairs that a fake wins against a real item, a draw being half a win.
  var doubledWins: Int {
    var doubled = 0  // counts are whole numbers: exact up to 3·10⁹ items a class
    var (fakes, reals) = (0, 0)
    for index in thresholds.indices {
      let fresh = falsePositives[index] - reals
      doubled += fresh * (fakes + truePositives[index])
      (fakes, reals) = (truePositives[index], falsePositives[index])
    }
    return doubled
  }

  /// Sum over thresholds from high to low of (gain in recall) × precision, without interpolation.
  public var averagePrecision: Measure {
    if positives == 0 { return .undefined("there are no fakes") }
    var sum = 0.0
    var found = 0
    for index in thresholds.indices {
      let hits = truePositives[index]
      sum += Double(hits - found) / Double(positives) * Double(hits) / Double(hits + falsePositives[index])
      found = hits
    }
    return .defined(sum)
  }

  /// The ROC curve: (0, 0) at threshold infinity, then one point per distinct score from high to low.
  public var curve: ROCCurve? {
    guard oneClass == nil else { return nil }
    return ROCCurve(
      thresholds: [.infinity] + thresholds,
      falsePositiveRate: [0] + falsePositives.map { Double($0) / Double(negatives) },
      truePositiveRate: [0] + truePositives.map { Double($0) / Double(positives) })
  }

  /// The same line with fewer points, for drawing: a point whose step in both counts repeats the step before it is left
  /// out, as scikit-learn does.
  public var sparseCurve: ROCCurve? {
    guard let curve else { return nil }
    let (f, t) = (falsePositives, truePositives)
    var kept = [0]
    for i in thresholds.indices {
      let inner = i > 0 && i + 1 < thresholds.count
      let straight = inner && f[i + 1] - f[i] == f[i] - f[i - 1] && t[i + 1] - t[i] == t[i] - t[i - 1]
      if !straight { kept.append(i + 1) }
    }
    return ROCCurve(
      thresholds: kept.map { curve.thresholds[$0] }, falsePositiveRate: kept.map { curve.falsePositiveRate[$0] },
      truePositiveRate: kept.map { curve.truePositiveRate[$0] })
  }

  /// Precision and recall for rising thresholds, ended by precision 1 at recall 0.
  public var precisionRecall: (precision: [Double], recall: [Double], thresholds: [Double])? {
    guard positives > 0 else { return nil }
    var precision: [Double] = []
    var recall: [Double] = []
    for index in thresholds.indices.reversed() {
      precision.append(Double(truePositives[index]) / Double(truePositives[index] + falsePositives[index]))
      recall.append(Double(truePositives[index]) / Double(positives))
    }
    return (precision + [1], recall + [0], thresholds.reversed())
  }

  /// Area under the precision-recall curve by trapezoids. Optimistic; average precision is the honest summary.
  public var precisionRecallArea: Measure {
    guard let (precision, recall, _) = precisionRecall else { return .undefined("there are no fakes") }
    var area = 0.0
    for index in 1..<recall.count {
      area += (recall[index - 1] - recall[index]) * (precision[index - 1] + precision[index]) / 2
    }
    return .defined(area)
  }

  /// The largest share of fakes found while at most `rate` of the real items are called fake.
  public func truePositiveRate(atFalsePositiveRate rate: Double) -> Measure {
    if let oneClass { return .undefined(oneClass) }
    let allowed = falsePositives.prefix { Double($0) / Double(negatives) <= rate }.count
    return .defined(allowed == 0 ? 0 : Double(truePositives[allowed - 1]) / Double(positives))
  }

  /// Share of items whose score another item of the other class has too; large for a saturated or constant model.
  public var tiedShare: Double {
    var tied = 0
    var (fakes, reals) = (0, 0)
    for index in thresholds.indices {
      let (f, r) = (truePositives[index] - fakes, falsePositives[index] - reals)
      if f > 0 && r > 0 { tied += f + r }
      (fakes, reals) = (truePositives[index], falsePositives[index])
    }
    return thresholds.isEmpty ? 0 : Double(tied) / Double(positives + negatives)
  }

  /// The decisions that a threshold gives.
  public func confusion(at threshold: Double) -> ConfusionMatrix {
    var (low, high) = (0, thresholds.count)  // thresholds fall: find how many are at or above
    while low < high {
      let middle = (low + high) / 2
      if thresholds[middle] >= threshold { low = middle + 1 } else { high = middle }
    }
    let (found, wrong) = low == 0 ? (0, 0) : (truePositives[low - 1], falsePositives[low - 1])
    return ConfusionMatrix(
      truePositives: found, falsePositives: wrong, trueNegatives: negatives - wrong, falseNegatives: positives - found)
  }
}

/// Points of a receiver operating characteristic, from the strictest threshold to the laxest.
public struct ROCCurve: Sendable, Hashable, Codable {
  /// The thresholds, falling, the first infinite.
  public let thresholds: [Double]
  /// Share of real items called fake.
  public let falsePositiveRate: [Double]
  /// Share of fakes called fake.
  public let truePositiveRate: [Double]
}

/// The area under the ROC curve over pairs of a fake and a real item of the same fold; see
/// `areaUnderCurve(scores:fake:strata:)`.
public func areaWithin(_ folds: [RankedScores]) -> Measure {
  let pairs = folds.reduce(0) { $0 + $1.positives * $1.negatives }
  if pairs > 0 { return .defined(Double(folds.reduce(0) { $0 + $1.doubledWins }) / 2 / Double(pairs)) }
  let (positives, negatives) = (folds.reduce(0) { $0 + $1.positives }, folds.reduce(0) { $0 + $1.negatives })
  return .undefined(
    positives == 0 && negatives == 0
      ? "there are no scores"
      : positives == 0
        ? "there are no fakes" : negatives == 0 ? "there are no real items" : "no fold has both real items and fakes")
}
