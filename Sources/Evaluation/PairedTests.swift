import Foundation

/// Whether two models' decisions on the same items differ. One training run each: it says nothing about retraining noise.
public struct McNemar: Sendable, Hashable, Codable {
  /// Items that only the first model got right.
  public let onlyFirst: Int
  /// Items that only the second got right.
  public let onlySecond: Int

  /// From the two counts.
  public init(onlyFirst: Int, onlySecond: Int) {
    (self.onlyFirst, self.onlySecond) = (onlyFirst, onlySecond)
  }

  /// From labels and the two models' answers.
  public init(labels: [Int], first: [Int], second: [Int]) {
    var (b, c) = (0, 0)
    for index in labels.indices {
      let (one, two) = (first[index] == labels[index], second[index] == labels[index])
      if one && !two { b += 1 } else if two && !one { c += 1 }
    }
    self.init(onlyFirst: b, onlySecond: c)
  }

  /// Exact two-sided binomial p; 1 when the models never differ.
  public var exactP: Double {
    let n = onlyFirst + onlySecond
    return n == 0 ? 1 : min(1, 2 * Binomial.fairLowerTail(min(onlyFirst, onlySecond), of: n))
  }

  /// (b - c)² / (b + c), or (|b - c| - 1)² / (b + c) with Edwards' correction; 0 when the models never differ.
  public func chiSquared(corrected: Bool) -> Double {
    let differing = onlyFirst + onlySecond
    guard differing > 0 else { return 0 }
    let gap = Double(abs(onlyFirst - onlySecond)) - (corrected ? 1 : 0)
    return gap * gap / Double(differing)
  }

  /// The p-value of `chiSquared(corrected:)`.
  public func chiSquaredP(corrected: Bool) -> Double {
    ChiSquared.upperTail(chiSquared(corrected: corrected), degrees: 1)
  }

  /// The usual choice: exact below 25 differing items, else chi-squared with correction.
  public var p: Double { onlyFirst + onlySecond < 25 ? exactP : chiSquaredP(corrected: true) }
}

/// Which differences a test looks for.
public enum Alternative: String, Sendable, Codable {
  /// Any difference.
  case twoSided = "two-sided"
  /// The first is greater.
  case greater
  /// The first is less.
  case less
}

/// Wilcoxon's signed-rank test of paired differences (folds, data sets).
public struct WilcoxonSignedRank: Sendable, Hashable, Codable {
  /// How the null distribution is had.
  public enum Method: String, Sendable, Codable {
    /// All sign patterns; without ties and zeros.
    case exact
    /// Normal, with the variance corrected for ties.
    case asymptotic
  }
  /// What happens to differences of 0.
  public enum Zeros: String, Sendable, Codable {
    /// Dropped before ranking.
    case wilcox
    /// Ranked, then dropped from the sums.
    case pratt
  }

  /// Sum of the ranks of the positive differences.
  public let positiveSum: Double
  /// Sum of the ranks of the negative differences.
  public let negativeSum: Double
  /// The smaller sum (two-sided) or the positive one.
  public let statistic: Double
  /// The p-value.
  public let p: Double

  /// Tests the differences.
  ///
  /// - Parameter method: nil chooses exact for at most 50 differences without ties and zeros.
  /// - Returns: nil when all differences are 0.
  public init?(
    differences: [Double], method: Method? = nil, zeros: Zeros = .wilcox, continuityCorrection: Bool = false,
    alternative: Alternative = .twoSided
  ) {
    let kept = zeros == .wilcox ? differences.filter { $0 != 0 } : differences
    guard kept.contains(where: { $0 != 0 }) else { return nil }
    let ranks = midranks(kept.map(abs))
    var (positive, negative) = (0.0, 0.0)
    for (difference, rank) in zip(kept, ranks.values) {
      if difference > 0 { positive += rank } else if difference < 0 { negative += rank }
    }
    (positiveSum, negativeSum) = (positive, negative)
    statistic = alternative == .twoSided ? min(positive, negative) : positive
    let n = kept.count
    let zeroCount = kept.count(where: { $0 == 0 })
    let plain = ranks.ties.allSatisfy { $0 == 1 } && zeroCount == 0 && differences.allSatisfy { $0 != 0 }
    switch method ?? (plain && n <= 50 ? .exact : .asymptotic) {
    case .exact:
      // counts[s]: sign patterns whose positive ranks sum to s, as shares of all.
      var shares = [1.0]
      for rank in 1...n {
        var next = [Double](repeating: 0, count: shares.count + rank)
        for (sum, share) in shares.enumerated() {
          next[sum] += share / 2
          next[sum + rank] += share / 2
        }
        shares = next
      }
      let upTo = { (s: Double) in shares.prefix(Int(s.rounded(.down)) + 1).reduce(0, +) }
      let from = { (s: Double) in shares.dropFirst(Int(s.rounded(.up))).reduce(0, +) }
      switch alternative {
      case .twoSided: p = min(1, 2 * upTo(min(positive, negative)))
      case .greater: p = from(positive)
      case .less: p = upTo(positive)
      }
    case .asymptotic:
      let (count, dropped) = (Double(n), zeros == .pratt ? Double(zeroCount) : 0)
      let middle = (count * (count + 1) - dropped * (dropped + 1)) / 4
      var spread = count * (count + 1) * (2 * count + 1) - dropped * (dropped + 1) * (2 * dropped + 1)
      // Ties among the zeros are gone already.
      let ties = zeros == .pratt && zeroCount > 0 ? Array(ranks.ties.dropFirst()) : ranks.ties
      spread -= ties.reduce(0.0) { $0 + Double($1 * $1 * $1 - $1) } / 2
      var gap = statistic - middle
      if continuityCorrection {
        switch alternative {
        case .twoSided: gap += gap < 0 ? 0.5 : gap > 0 ? -0.5 : 0
        case .greater: gap -= 0.5
        case .less: gap += 0.5
        }
      }
      let z = gap / (spread / 24).squareRoot()
      switch alternative {
      case .twoSided: p = Normal.twoSided(z)
      case .greater: p = Normal.upperTail(z)
      case .less: p = Normal.lowerTail(z)
      }
    }
  }
}

/// Mean ranks from 1, and the sizes of the groups of equal values from the smallest value on.
func midranks(_ values: [Double]) -> (values: [Double], ties: [Int]) {
  let order = values.indices.sorted { values[$0] < values[$1] }
  var ranks = [Double](repeating: 0, count: values.count)
  var ties: [Int] = []
  var start = 0
  while start < order.count {
    var end = start
    while end < order.count, values[order[end]] == values[order[start]] { end += 1 }
    for position in start..<end { ranks[order[position]] = Double(start + 1 + end) / 2 }
    ties.append(end - start)
    start = end
  }
  return (ranks, ties)
}

/// Student's t of paired differences, plain or corrected for overlapping training parts.
public struct PairedT: Sendable, Hashable, Codable {
  /// The mean difference.
  public let difference: Double
  /// The statistic; undefined when all differences are equal.
  public let t: Measure
  /// Degrees of freedom.
  public let degrees: Int
  /// Two-sided p.
  public let p: Measure
  /// Interval of the mean difference.
  public let interval: Interval

  /// Tests differences of independent pairs.
  ///
  /// - Returns: nil with fewer than two.
  public init?(differences: [Double], confidence: Double = 0.95) {
    self.init(differences, inflation: 1 / Double(differences.count), confidence, "paired t")
  }

  /// The corrected resampled t-test for k-fold or repeated cross-validation, whose training parts overlap: variance times
  /// (1/J + n_test / n_train) instead of 1/J.
  ///
  /// - Source: Nadeau and Bengio 2003.
  public init?(differences: [Double], train: Double, test: Double, confidence: Double = 0.95) {
    self.init(differences, inflation: 1 / Double(differences.count) + test / train, confidence, "Nadeau-Bengio")
  }

  private init?(_ differences: [Double], inflation: Double, _ confidence: Double, _ method: String) {
    guard differences.count >= 2 else { return nil }
    let deviation = (variance(differences) * inflation).squareRoot()
    let freedom = differences.count - 1
    difference = mean(differences)
    degrees = freedom
    t = .ratio(difference, deviation, "all differences are equal")
    p = t.map { StudentT.twoSided($0, degrees: Double(freedom)) }
    let reach = StudentT.quantile((1 + confidence) / 2, degrees: Double(freedom)) * deviation
    interval = Interval(
      lower: difference - reach, upper: difference + reach, confidence: confidence, method: method)
  }
}

/// Holm's step-down adjustment of many p-values, in their order: running maximum of (m - i) p₍ᵢ₎, at most 1.
public func holm(_ values: [Double]) -> [Double] {
  var adjusted = values
  var running = 0.0
  for (position, index) in values.indices.sorted(by: { values[$0] < values[$1] }).enumerated() {
    running = max(running, Double(values.count - position) * values[index])
    adjusted[index] = min(1, running)
  }
  return adjusted
}
