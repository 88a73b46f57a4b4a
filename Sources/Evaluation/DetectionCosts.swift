import Foundation

// Costs of errors as the speech field reports them: of the detector alone (minDCF, actDCF) and of the detector in front of
// a speaker verification system (t-DCF, a-DCF). "Miss" is a real item called fake, "false alarm" a fake that passes.

/// What errors of a detector cost, and how often fakes come.
public struct DetectionCosts: Sendable, Hashable, Codable {
  /// Cost of calling a real item fake.
  public var miss: Double
  /// Cost of letting a fake pass.
  public var falseAlarm: Double
  /// Share of fakes to be expected.
  public var prevalence: Double

  /// Costs from their parts.
  public init(miss: Double, falseAlarm: Double, prevalence: Double) {
    (self.miss, self.falseAlarm, self.prevalence) = (miss, falseAlarm, prevalence)
  }

  /// Those of ASVspoof 5, track 1.
  public static let asvspoof5 = DetectionCosts(miss: 1, falseAlarm: 10, prevalence: 0.05)

  var weights: (miss: Double, falseAlarm: Double) { (miss * (1 - prevalence), falseAlarm * prevalence) }

  /// The score of "fake" from which on a calibrated logit, whose training data was balanced, is called fake.
  public var calibratedThreshold: Double { log(weights.miss / weights.falseAlarm) }
}

extension RankedScores {
  /// minDCF: the least cost over all thresholds as a share of the better of always and never alarming.
  public func minimumDetectionCost(_ costs: DetectionCosts = .asvspoof5) -> Measure {
    if let oneClass { return .undefined(oneClass) }
    let (miss, alarm) = costs.weights
    return .defined(leastCost(miss: miss, falseAlarm: alarm).cost / min(miss, alarm))
  }

  /// The least of `constant + miss · (share of real items called fake) + falseAlarm · (share of fakes that pass)`. Among
  /// equal scores the cost is linear, so that distinct scores are enough.
  func leastCost(constant: Double = 0, miss: Double, falseAlarm: Double) -> (cost: Double, threshold: Double) {
    let (n, p) = (Double(negatives), Double(positives))
    var best = (cost: constant + falseAlarm, threshold: Double.infinity)
    for index in thresholds.indices {
      let cost =
        constant + miss * (Double(falsePositives[index]) / n) + falseAlarm
        * (Double(positives - truePositives[index]) / p)
      if cost < best.cost { best = (cost, thresholds[index]) }
    }
    return best
  }
}

/// actDCF: the cost at the threshold that the costs ask of log-likelihood ratios, normalised as `minimumDetectionCost`.
///
/// - Parameter evidence: natural log-likelihood ratios that rise with "fake".
public func actualDetectionCost(
  evidence: [Double], fake: [Bool], _ costs: DetectionCosts = .asvspoof5
) -> Measure {
  let threshold = costs.calibratedThreshold
  var (real, rejected, fakes, passed) = (0, 0, 0, 0)
  for (value, isFake) in zip(evidence, fake) {
    // As the reference: a fake passes when its bona fide score is at or above the threshold.
    let alarm = value > threshold
    if isFake {
      fakes += 1
      if !alarm { passed += 1 }
    } else {
      real += 1
      if alarm { rejected += 1 }
    }
  }
  guard real > 0, fakes > 0 else { return .undefined("only one class occurs") }
  let (miss, alarm) = costs.weights
  let cost = miss * Double(rejected) / Double(real) + alarm * Double(passed) / Double(fakes)
  return .defined(cost / min(miss, alarm))
}
