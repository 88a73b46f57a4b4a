import Foundation

/// How far probabilities are from frequencies.
public enum Calibration {
  /// Mean of (p - y)².
  public static func brier(_ probabilities: [Double], fake: [Bool]) -> Measure {
    guard !probabilities.isEmpty else { return .undefined("there are no items") }
    return .defined(mean(zip(probabilities, fake).map { p, y in (p - (y ? 1 : 0)) * (p - (y ? 1 : 0)) }))
  }

  /// The multi-class form: mean over samples of the sum over classes of (p - one-hot)².
  public static func brier(_ probabilities: [[Double]], labels: [Int]) -> Measure {
    guard !probabilities.isEmpty else { return .undefined("there are no items") }
    return .defined(
      mean(
        zip(probabilities, labels).map { row, label in
          row.enumerated().reduce(0) { sum, entry in
            let error = entry.element - (entry.offset == label ? 1 : 0)
            return sum + error * error
          }
        }))
  }

  /// Mean of -ln p(label), probabilities clipped to [2⁻⁵², 1 - 2⁻⁵²] as scikit-learn does.
  public static func logLoss(_ probabilities: [Double], fake: [Bool]) -> Measure {
    guard !probabilities.isEmpty else { return .undefined("there are no items") }
    return .defined(mean(zip(probabilities, fake).map { p, y in -log(clipped(y ? p : 1 - p)) }))
  }

  /// The multi-class form.
  public static func logLoss(_ probabilities: [[Double]], labels: [Int]) -> Measure {
    guard !probabilities.isEmpty else { return .undefined("there are no items") }
    return .defined(mean(zip(probabilities, labels).map { row, label in -log(clipped(row[label] / row.reduce(0, +))) }))
  }

  private static func clipped(_ p: Double) -> Double { min(max(p, .ulpOfOne), 1 - .ulpOfOne) }

  /// A row of a reliability table.
  public struct Bin: Sendable, Hashable, Codable {
    /// Position of the bin, from 0.
    public let index: Int
    /// How many items fall in it.
    public let count: Int
    /// Their mean confidence.
    public let confidence: Double
    /// The share of them where it was right.
    public let accuracy: Double
  }

  /// A reliability table and its summaries.
  public struct Reliability: Sendable, Hashable, Codable {
    /// The non-empty bins.
    public let bins: [Bin]
    /// Expected calibration error: Σ n_b / n · |accuracy - confidence|. Biased up for few items.
    public let expected: Double
    /// The largest |accuracy - confidence|.
    public let maximum: Double
  }

  /// Confidence against frequency in bins of equal width, ((k-1)/count, k/count], 0 in the first.
  ///
  /// - Parameter right: for the positive form whether the item is fake; for the top-label form whether the answer is right.
  public static func reliability(_ confidences: [Double], right: [Bool], bins count: Int = 15) -> Reliability? {
    guard !confidences.isEmpty else { return nil }
    let edges = (0...count).map { Double($0) / Double(count) }
    return table(confidences, right, count) { value in
      var bin = min(max(Int((value * Double(count)).rounded(.up)) - 1, 0), count - 1)
      // The product rounds: let the edge itself decide.
      if bin > 0, value <= edges[bin] { bin -= 1 } else if bin + 1 < count, value > edges[bin + 1] { bin += 1 }
      return bin
    }
  }

  /// The same with bins of (nearly) equal numbers of items: a check of the other.
  public static func equalMassReliability(_ confidences: [Double], right: [Bool], bins count: Int = 15) -> Reliability?
  {
    guard !confidences.isEmpty else { return nil }
    let falling = descending(confidences)
    let edges = (1..<count).map { falling[confidences.count - 1 - $0 * confidences.count / count] }
    return table(confidences, right, count) { value in
      var (low, high) = (0, edges.count)  // the first edge above the value
      while low < high {
        let middle = (low + high) / 2
        if value < edges[middle] { high = middle } else { low = middle + 1 }
      }
      return low
    }
  }

  private static func table(
    _ confidences: [Double], _ right: [Bool], _ count: Int, bin: (Double) -> Int
  ) -> Reliability {
    var items = [Int](repeating: 0, count: count)
    var sums = [Double](repeating: 0, count: count)
    var hits = [Int](repeating: 0, count: count)
    for (value, isRight) in zip(confidences, right) {
      let place = bin(value)
      items[place] += 1
      sums[place] += value
      if isRight { hits[place] += 1 }
    }
    let bins = items.indices.filter { items[$0] > 0 }.map { index in
      Bin(
        index: index, count: items[index], confidence: sums[index] / Double(items[index]),
        accuracy: Double(hits[index]) / Double(items[index]))
    }
    let gaps = bins.map { abs($0.accuracy - $0.confidence) }
    let expected = zip(bins, gaps).reduce(0) { $0 + Double($1.0.count) / Double(confidences.count) * $1.1 }
    return Reliability(bins: bins, expected: expected, maximum: gaps.max()!)
  }

  /// Area under the risk-coverage curve: the mean error rate over all shares of the items, the least sure ones left out.
  /// Equal confidences count with their mean error.
  public static func riskCoverageArea(_ confidences: [Double], right: [Bool]) -> Measure {
    guard !confidences.isEmpty else { return .undefined("there are no items") }
    let ranked = RankedScores(scores: confidences, fake: right)
    var (area, items, errors) = (0.0, 0, 0.0)
    for index in ranked.thresholds.indices {
      let (rightSoFar, wrongSoFar) = (ranked.truePositives[index], ranked.falsePositives[index])
      let fresh = rightSoFar + wrongSoFar - items
      let share = (Double(wrongSoFar) - errors) / Double(fresh)
      for step in 1...fresh { area += (errors + share * Double(step)) / Double(items + step) }
      (items, errors) = (rightSoFar + wrongSoFar, Double(wrongSoFar))
    }
    return .defined(area / Double(items))
  }

  /// Cost of the log-likelihood ratio in bits: ½ [mean log₂(1 + e^-target) + mean log₂(1 + e^nontarget)]. The scores are
  /// natural log-likelihood ratios that rise with the target class; 1 is what no information gives.
  public static func cllr(target: [Double], nontarget: [Double]) -> Measure {
    guard !target.isEmpty, !nontarget.isEmpty else { return .undefined("only one class occurs") }
    let cost = { (scores: [Double], sign: Double) in mean(scores.map { softplus(sign * $0) }) / log(2) }
    return .defined((cost(target, -1) + cost(nontarget, 1)) / 2)
  }
}

/// Reliability of P(fake) in bins of equal width and, as a check, of equal counts.
public struct ReliabilityTables: Sendable, Hashable, Encodable {
  /// 15 bins of equal width; the non-empty ones.
  public let equalWidth: Calibration.Reliability
  /// 15 bins of nearly equal counts.
  public let equalMass: Calibration.Reliability

  enum CodingKeys: String, CodingKey {
    case equalWidth = "equal_width", equalMass = "equal_mass"
  }

  /// - Returns: nil without items.
  public init?(_ probabilities: [Double], fake: [Bool]) {
    guard let width = Calibration.reliability(probabilities, right: fake),
      let mass = Calibration.equalMassReliability(probabilities, right: fake)
    else { return nil }
    (equalWidth, equalMass) = (width, mass)
  }
}

/// ln(1 + eˣ) without overflow.
func softplus(_ x: Double) -> Double { max(x, 0) + log1p(exp(-abs(x))) }

/// 1 / (1 + e⁻ˣ) without overflow.
public func sigmoid(_ x: Double) -> Double {
  if x >= 0 { return 1 / (1 + exp(-x)) }
  let e = exp(x)
  return e / (1 + e)
}

/// The inverse of `sigmoid`, with probabilities kept 1e-12 away from 0 and 1 so that it stays finite.
public func logit(_ p: Double) -> Double {
  let p = min(max(p, 1e-12), 1 - 1e-12)
  return log(p) - log1p(-p)
}
