import Foundation

/// Scores of a speaker verification system on trials of three kinds; higher means "the same speaker".
public struct VerificationScores: Sendable {
  /// Trials of the right speaker.
  public var target: [Double]
  /// Trials of another person.
  public var nontarget: [Double]
  /// Spoofed trials.
  public var spoof: [Double]
  /// The attack of each spoofed trial, where they are known; else empty.
  public var attacks: [String]

  /// Scores by kind of trial.
  public init(target: [Double], nontarget: [Double], spoof: [Double], attacks: [String] = []) {
    (self.target, self.nontarget, self.spoof, self.attacks) = (target, nontarget, spoof, attacks)
  }

  /// The least a-DCF of these scores alone: one score has to keep out other people and fakes alike.
  ///
  /// - Source: Shim et al. 2024, arXiv:2403.01355, with ASVspoof 5's costs 1, 10, 20 and priors .9, .05, .05.
  public var minimumArchitectureAgnosticCost: Measure {
    guard !target.isEmpty, !nontarget.isEmpty, !spoof.isEmpty else { return .undefined("a kind of trial is missing") }
    let weights = (miss: 0.9, nontarget: 10 * 0.05, spoof: 20 * 0.05)
    let columns = [target, nontarget, spoof].map { $0.sorted() }
    var below = [0, 0, 0]
    var best = weights.nontarget + weights.spoof  // everybody is let in
    for threshold in Set(target + nontarget + spoof).sorted() {
      for kind in columns.indices {
        while below[kind] < columns[kind].count, columns[kind][below[kind]] <= threshold { below[kind] += 1 }
      }
      let rejected = columns.indices.map { Double(below[$0]) / Double(columns[$0].count) }
      best = min(
        best, weights.miss * rejected[0] + weights.nontarget * (1 - rejected[1]) + weights.spoof * (1 - rejected[2]))
    }
    return .defined(best / min(weights.miss, weights.nontarget + weights.spoof))
  }
}

/// Error rates of a speaker verification system at its own operating point.
public struct VerificationRates: Sendable, Hashable, Codable {
  /// Share of other people who are let in.
  public let falseAccept: Double
  /// Share of right speakers who are not.
  public let miss: Double
  /// Share of spoofed trials that are let in.
  public let spoofAccept: Double
  /// The threshold, where the rates were measured.
  public private(set) var threshold: Double?
  /// The equal error rate there.
  public private(set) var equalErrorRate: Double?
  /// The least a-DCF of the verification scores alone, where they were given.
  public private(set) var minimumArchitectureAgnosticCost: Measure?
  /// Share of each attack's trials that are let in, where attacks were known.
  private(set) var spoofAcceptByAttack: [String: Double] = [:]

  enum CodingKeys: String, CodingKey {
    case miss, threshold
    case falseAccept = "false_accept", spoofAccept = "spoof_accept", equalErrorRate = "eer"
    case minimumArchitectureAgnosticCost = "min_a_dcf"
  }

  /// The rates in front of one attack; the attack's own share of trials let in where it was measured.
  public func against(_ attack: String) -> VerificationRates {
    VerificationRates(falseAccept: falseAccept, miss: miss, spoofAccept: spoofAcceptByAttack[attack] ?? spoofAccept)
  }

  /// Known rates.
  public init(falseAccept: Double, miss: Double, spoofAccept: Double) {
    (self.falseAccept, self.miss, self.spoofAccept) = (falseAccept, miss, spoofAccept)
  }

  /// The fixed rates that ASVspoof 5 gives for detectors without verification scores.
  public static let asvspoof5 = VerificationRates(
    falseAccept: 0.0188101656, miss: 0.0188014101, spoofAccept: 0.4607082908)

  /// Measures the rates at the system's own equal-error threshold of target against non-target trials.
  ///
  /// - Throws: `EvaluationError` when a kind of trial is missing.
  public init(_ scores: VerificationScores) throws {
    guard let eer = referenceEqualErrorRate(target: scores.target, nontarget: scores.nontarget), !scores.spoof.isEmpty
    else {
      throw EvaluationError(
        "the verification scores have \(scores.target.count) target, \(scores.nontarget.count) non-target and "
          + "\(scores.spoof.count) spoofed trials; all three kinds are needed")
    }
    let share = { (list: [Double], counts: (Double) -> Bool) in Double(list.count(where: counts)) / Double(list.count) }
    falseAccept = share(scores.nontarget) { $0 >= eer.threshold }
    miss = share(scores.target) { $0 < eer.threshold }
    spoofAccept = 1 - share(scores.spoof) { $0 < eer.threshold }
    (threshold, equalErrorRate) = (eer.threshold, eer.rate)
    minimumArchitectureAgnosticCost = scores.minimumArchitectureAgnosticCost
    guard scores.attacks.count == scores.spoof.count else { return }
    spoofAcceptByAttack = Dictionary(grouping: scores.spoof.indices) { scores.attacks[$0] }.mapValues { trials in
      share(trials.map { scores.spoof[$0] }) { $0 >= eer.threshold }
    }
  }

  /// Reads `asvspoof5`, or `FALSE-ACCEPT:MISS:SPOOF-ACCEPT`.
  ///
  /// - Throws: `EvaluationError`.
  public init(_ text: String) throws {
    if text == "asvspoof5" {
      self = .asvspoof5
      return
    }
    let rates = text.split(separator: ":", omittingEmptySubsequences: false).map { Double($0) ?? .nan }
    guard rates.count == 3, rates.allSatisfy({ (0...1).contains($0) }) else {
      throw EvaluationError(
        "verification rates \"\(text)\" are not known; write asvspoof5 or FALSE-ACCEPT:MISS:SPOOF-ACCEPT, each from 0 to 1"
      )
    }
    self.init(falseAccept: rates[0], miss: rates[1], spoofAccept: rates[2])
  }
}

/// Cost of a detector in front of a speaker verification system, in both of its versions; their numbers never compare.
public struct TandemCosts: Sendable, Hashable, Codable {
  /// The verification system's rates.
  public let verification: VerificationRates
  /// The least t-DCF of 2019 ("legacy").
  public let minimum2019: Measure
  /// The least t-DCF of 2021 ("revised").
  public let minimum2021: Measure

  enum CodingKeys: String, CodingKey {
    case verification
    case minimum2019 = "min_tdcf_2019"
    case minimum2021 = "min_tdcf_2021"
  }

  // Priors and costs of the challenges: 5 % spoofs, of the rest 1 % other people; a miss costs 1, letting in costs 10.
  private static let prior = (spoof: 0.05, target: 0.95 * 0.99, nontarget: 0.95 * 0.01)
  private static let cost = (miss: 1.0, falseAccept: 10.0)

  /// The costs of a detector whose scores rise with "fake".
  ///
  /// - Source: Kinnunen et al. 2018 (2019 version) and 2020 (2021 version), with the challenges' evaluation code's guards.
  public init(_ detector: RankedScores, _ rates: VerificationRates) {
    verification = rates
    let problem =
      detector.oneClass ?? (detector.thresholds.count < 3 ? "there are fewer than three distinct scores" : nil)
      ?? (detector.thresholds.allSatisfy(\.isFinite) ? nil : "a score is not finite")
    let (prior, cost) = (Self.prior, Self.cost)
    func least(_ constant: Double, _ c1: Double, _ c2: Double) -> Measure {
      if let problem { return .undefined(problem) }
      guard c1 >= 0, c2 >= 0, constant >= 0 else {
        return .undefined("a weight is negative: the verification system is worse than none")
      }
      let found = detector.leastCost(constant: constant, miss: c1, falseAlarm: c2).cost
      return .ratio(found, constant + min(c1, c2), "the verification system leaves nothing to cost")
    }
    minimum2019 = least(
      0, prior.target * (cost.miss - cost.miss * rates.miss) - prior.nontarget * cost.falseAccept * rates.falseAccept,
      cost.falseAccept * prior.spoof * rates.spoofAccept)
    let c0 = prior.target * cost.miss * rates.miss + prior.nontarget * cost.falseAccept * rates.falseAccept
    minimum2021 = least(
      c0, prior.target * cost.miss - c0, prior.spoof * cost.falseAccept * rates.spoofAccept)
  }
}
