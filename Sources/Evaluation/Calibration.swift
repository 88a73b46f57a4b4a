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
    return table(confidences, right) { value in
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
    let sorted = confidences.sorted()
    let edges = (1..<count).map { sorted[$0 * sorted.count / count] }
    return table(confidences, right) { value in edges.firstIndex { value < $0 } ?? count - 1 }
  }

  private static func table(_ confidences: [Double], _ right: [Bool], bin: (Double) -> Int) -> Reliability {
    var sums: [Int: (count: Int, confidence: Double, right: Int)] = [:]
    for (value, isRight) in zip(confidences, right) {
      sums[bin(value), default: (0, 0, 0)].count += 1
      sums[bin(value)]!.confidence += value
      if isRight { sums[bin(value)]!.right += 1 }
    }
    let bins = sums.sorted { $0.key < $1.key }.map { index, sum in
      Bin(
        index: index, count: sum.count, confidence: sum.confidence / Double(sum.count),
        accuracy: Double(sum.right) / Double(sum.count))
    }
    let gaps = bins.map { abs($0.accuracy - $0.confidence) }
    let expected = zip(bins, gaps).reduce(0) { $0 + Double($1.0.count) / Double(confidences.count) * $1.1 }
    return Reliability(bins: bins, expected: expected, maximum: gaps.max()!)
  }

  /// Cost of the log-likelihood ratio in bits: ½ [mean log₂(1 + e^-target) + mean log₂(1 + e^nontarget)]. The scores are
  /// natural log-likelihood ratios that rise with the target class; 1 is what no information gives.
  public static func cllr(target: [Double], nontarget: [Double]) -> Measure {
    guard !target.isEmpty, !nontarget.isEmpty else { return .undefined("only one class occurs") }
    let cost = { (scores: [Double], sign: Double) in mean(scores.map { softplus(sign * $0) }) / log(2) }
    return .defined((cost(target, -1) + cost(nontarget, 1)) / 2)
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
