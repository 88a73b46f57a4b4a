/// Intervals of several metrics from the same resamples of groups: what follows from all thresholds, and what from the
/// decisions that were made.
///
/// Metrics whose definition leans on the order of tied items (`eer`) or on probabilities have none.
public enum ResampledMetrics {
  /// Of the scores, counted anew in each resample.
  private static let ranked: [(name: String, value: @Sendable (RankedScores) -> Double?)] = [
    ("average_precision", { $0.averagePrecision.value }),
    ("eer_interp", { $0.interpolatedEqualErrorRate?.rate }),
    ("tpr_at_fpr_1", { $0.truePositiveRate(atFalsePositiveRate: 0.01).value }),
    ("tpr_at_fpr_10", { $0.truePositiveRate(atFalsePositiveRate: 0.1).value }),
  ]
  /// Of the decisions, at thresholds that do not move.
  private static let decided: [(name: String, value: @Sendable (ConfusionMatrix) -> Double?)] = [
    ("accuracy", { $0.accuracy.value }), ("balanced_accuracy", { $0.balancedAccuracy.value }),
    ("precision", { $0.precision().value }), ("recall", { $0.recall().value }),
    ("false_positive_rate", { $0.falsePositiveRate.value }), ("f1", { $0.f1().value }),
    ("mcc", { $0.matthewsCorrelation.value }),
  ]

  /// The interval of each metric that has one, by its name.
  ///
  /// - Parameters:
  ///   - called: what was called fake.
  ///   - groups: group index of each item, from 0; nil when each item is its own group.
  /// - Cost: two passes over the items a resample, after one sort.
  public static func intervals(
    _ bootstrap: Bootstrap, scores: [Double], fake: [Bool], called: [Bool], groups: [Int]? = nil
  ) -> [String: Interval] {
    let order = scores.indices.sorted { scores[$0] > scores[$1] }
    var thresholds: [Double] = []
    // For each item the row of its score, and whether it is fake; for decisions the cell of the matrix.
    var (places, cells) = ([Int32](), [Int](repeating: 0, count: scores.count))
    for item in order {
      if thresholds.last != scores[item] { thresholds.append(scores[item]) }
      places.append(Int32(thresholds.count - 1))
    }
    for item in scores.indices { cells[item] = (fake[item] ? 2 : 0) + (called[item] ? 1 : 0) }
    let names = ranked.map(\.name) + decided.map(\.name)
    let found = bootstrap.intervals(count: scores.count, groups: groups, statistics: names.count) { times in
      var above = (
        fakes: [Int](repeating: 0, count: thresholds.count), reals: [Int](repeating: 0, count: thresholds.count)
      )
      var matrix = [0, 0, 0, 0]
      for (position, item) in order.enumerated() {
        let weight = Int(times[item])
        if weight == 0 { continue }
        if fake[item] {
          above.fakes[Int(places[position])] += weight
        } else {
          above.reals[Int(places[position])] += weight
        }
        matrix[cells[item]] += weight
      }
      // Scores that were not drawn are no rows.
      var (levels, fakes, reals) = ([Double](), [Int](), [Int]())
      for row in thresholds.indices where above.fakes[row] + above.reals[row] > 0 {
        levels.append(thresholds[row])
        fakes.append((fakes.last ?? 0) + above.fakes[row])
        reals.append((reals.last ?? 0) + above.reals[row])
      }
      let scored = RankedScores(thresholds: levels, truePositives: fakes, falsePositives: reals)
      let confusion = ConfusionMatrix(
        truePositives: matrix[3], falsePositives: matrix[1], trueNegatives: matrix[0], falseNegatives: matrix[2])
      return ranked.map { scored.oneClass == nil ? $0.value(scored) : nil } + decided.map { $0.value(confusion) }
    }
    return Dictionary(uniqueKeysWithValues: zip(names, found).compactMap { name, found in found.map { (name, $0) } })
  }
}
