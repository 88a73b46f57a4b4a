/// Whether k models differ over n data sets or folds (Friedman), and which pairs do (Nemenyi).
///
/// - Source: Demšar 2006; the critical difference uses the studentised range with infinitely many degrees of freedom.
public struct Friedman: Sendable, Hashable, Codable {
  /// The mean rank of each model; 1 is the best.
  public let averageRanks: [Double]
  /// The statistic without correction for ties.
  public let chiSquaredUncorrected: Double
  /// The statistic corrected for ties; undefined when every row is constant.
  public let chiSquared: Measure
  /// p of `chiSquared`.
  public let p: Measure
  /// Iman and Davenport's F of the uncorrected statistic.
  public let imanDavenport: Measure
  /// p of `imanDavenport`.
  public let imanDavenportP: Measure
  private let rows: Int

  /// Ranks each row's models; larger scores are better, ties share the mean rank.
  ///
  /// - Returns: nil with fewer than two rows or two models.
  public init?(_ scores: [[Double]]) {
    guard scores.count >= 2, let models = scores.first?.count, models >= 2 else { return nil }
    let (n, k) = (Double(scores.count), Double(models))
    var sums = [Double](repeating: 0, count: models)
    var tied = 0.0
    for row in scores {
      precondition(row.count == models, "Friedman: a row has \(row.count) scores, the first \(models)")
      let ranks = midranks(row.map { -$0 })
      for model in row.indices { sums[model] += ranks.values[model] }
      tied += ranks.ties.reduce(0) { $0 + Double($1 * $1 * $1 - $1) }
    }
    let ranks = sums.map { $0 / n }
    averageRanks = ranks
    rows = scores.count
    let statistic = 12 * n / (k * (k + 1)) * (ranks.reduce(0) { $0 + $1 * $1 } - k * (k + 1) * (k + 1) / 4)
    chiSquaredUncorrected = statistic
    chiSquared = .ratio(statistic, 1 - tied / (n * (k * k * k - k)), "the models are equal on every row")
    p = chiSquared.map { ChiSquared.upperTail($0, degrees: k - 1) }
    imanDavenport = .ratio((n - 1) * statistic, n * (k - 1) - statistic, "the ranks are the same on every row")
    imanDavenportP = imanDavenport.map { FisherF.upperTail($0, k - 1, (k - 1) * (n - 1)) }
  }

  /// The factor of the critical difference: the studentised range's quantile / √2.
  public func criticalFactor(alpha: Double = 0.05) -> Double {
    StudentisedRange.quantile(upper: alpha, groups: averageRanks.count) / 2.0.squareRoot()
  }

  /// Two models differ when their mean ranks differ by more than this.
  public func criticalDifference(alpha: Double = 0.05) -> Double {
    criticalFactor(alpha: alpha) * standardError
  }

  /// Nemenyi's p for a pair of models.
  public func nemenyiP(_ first: Int, _ second: Int) -> Double {
    let gap = abs(averageRanks[first] - averageRanks[second])
    return StudentisedRange.upperTail(gap / standardError * 2.0.squareRoot(), groups: averageRanks.count)
  }

  private var standardError: Double {
    let k = Double(averageRanks.count)
    return (k * (k + 1) / (6 * Double(rows))).squareRoot()
  }
}
