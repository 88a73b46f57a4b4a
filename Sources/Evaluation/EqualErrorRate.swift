/// An equal error rate and the threshold it belongs to.
public struct EqualErrorRate: Sendable, Hashable, Codable {
  /// The error rate.
  public let rate: Double
  /// The score at which it is read off.
  public let threshold: Double
}

extension RankedScores {
  /// Equal error rate on the piecewise linear ROC curve: the false-positive rate where it equals the miss rate,
  /// interpolated between the two neighbouring points. The threshold is interpolated alike where both ends are finite.
  public var interpolatedEqualErrorRate: EqualErrorRate? {
    guard let curve else { return nil }
    let gap = curve.thresholds.indices.map { curve.falsePositiveRate[$0] - (1 - curve.truePositiveRate[$0]) }
    let after = gap.firstIndex { $0 >= 0 }!  // the last point has gap 1
    let before = after - 1  // the first has gap -1
    let share = -gap[before] / (gap[after] - gap[before])
    let (x0, x1) = (curve.falsePositiveRate[before], curve.falsePositiveRate[after])
    let (t0, t1) = (curve.thresholds[before], curve.thresholds[after])
    return EqualErrorRate(
      rate: x0 + share * (x1 - x0), threshold: t0.isFinite && t1.isFinite ? t0 + share * (t1 - t0) : t1)
  }

  /// Equal error rate without interpolation: (FPR + FNR) / 2 at the ROC point with the smallest |FPR - FNR|, of equal
  /// ones that with the highest threshold.
  public var nearestEqualErrorRate: EqualErrorRate? {
    guard let curve else { return nil }
    var best: (gap: Double, index: Int) = (.infinity, 0)
    for index in curve.thresholds.indices {
      let gap = abs(curve.falsePositiveRate[index] - (1 - curve.truePositiveRate[index]))
      if gap < best.gap { best = (gap, index) }
    }
    let rate = (curve.falsePositiveRate[best.index] + 1 - curve.truePositiveRate[best.index]) / 2
    return EqualErrorRate(rate: rate, threshold: curve.thresholds[best.index])
  }
}

/// The equal error rate exactly as the ASVspoof challenges compute it (their `compute_det_curve` and `compute_eer`): higher scores mean
/// target, equal scores are not grouped, and among them targets come first, so that ties count against the system. A
/// constant score gives 1, not 0.5: look at `RankedScores.tiedShare` too.
///
/// - Source: asvspoof5 `calculate_modules.py`; the same code in the 2021 kit and in AASIST.
public func referenceEqualErrorRate(target: [Double], nontarget: [Double]) -> EqualErrorRate? {
  guard !target.isEmpty, !nontarget.isEmpty else { return nil }
  let ranked = RankedScores(fakes: nontarget, reals: target)
  return reference(ranked, falling: false)
}

extension RankedScores {
  /// The reference equal error rate of P(fake): real is the target class, its score -P(fake), as ASVspoof tables are made.
  public var referenceEqualErrorRate: EqualErrorRate? {
    guard oneClass == nil else { return nil }
    return reference(self, falling: true).map { EqualErrorRate(rate: $0.rate, threshold: -$0.threshold) }
  }
}

/// Walks the scores in the reference's order. `falling`: the target's score is the negated one, so that its rising order is
/// ours; else the target (here "real") has the higher scores and the groups are walked from the lowest.
private func reference(_ ranked: RankedScores, falling: Bool) -> EqualErrorRate? {
  let count = ranked.thresholds.count
  let (targets, nontargets) = (Double(ranked.negatives), Double(ranked.positives))
  var rejected = 0  // targets below the threshold
  var accepted = ranked.positives  // nontargets above it
  var best = (gap: Double.infinity, rate: 0.0, threshold: 0.0)
  func visit(_ threshold: Double) {
    let (frr, far) = (Double(rejected) / targets, Double(accepted) / nontargets)
    if abs(frr - far) < best.gap { best = (abs(frr - far), (frr + far) / 2, threshold) }
  }
  func group(_ step: Int) -> (score: Double, targets: Int, nontargets: Int) {
    let index = falling ? step : count - 1 - step
    let (reals, fakes) = (
      ranked.falsePositives[index] - (index > 0 ? ranked.falsePositives[index - 1] : 0),
      ranked.truePositives[index] - (index > 0 ? ranked.truePositives[index - 1] : 0)
    )
    return ((falling ? -1 : 1) * ranked.thresholds[index], reals, fakes)
  }
  visit(group(0).score - 0.001)
  for step in 0..<count {
    let (score, reals, fakes) = group(step)
    for _ in 0..<reals {
      rejected += 1
      visit(score)
    }
    for _ in 0..<fakes {
      accepted -= 1
      visit(score)
    }
  }
  return EqualErrorRate(rate: best.rate, threshold: best.threshold)
}
