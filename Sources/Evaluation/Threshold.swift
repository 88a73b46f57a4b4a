internal import Files
import Foundation

/// How the decision threshold is chosen on validation scores.
public enum ThresholdRule: Sendable, Hashable {
  /// The largest F1 of the class fake.
  case f1
  /// The largest TPR - FPR.
  case youden
  /// The largest balanced accuracy: the same points as `youden`, reported as (TPR + TNR) / 2.
  case balancedAccuracy
  /// Where the two error rates are nearest.
  case equalErrorRate
  /// The laxest threshold whose false-positive rate is at most this.
  case falsePositiveRate(Double)
  /// The smallest expected cost of a miss and a false alarm, given how often fakes occur.
  case cost(miss: Double, falseAlarm: Double, prevalence: Double)
  /// A fixed number, not chosen at all.
  case fixed(Double)

  /// Reads `f1`, `youden`, `balanced-accuracy`, `eer`, `fpr:0.01`, `cost:MISS:FALSE-ALARM[:PREVALENCE]`, or a number.
  ///
  /// - Throws: `EvaluationError` naming the nearest rule, or the numbers that a rule wants.
  public init(_ text: String) throws {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    let numbers = parts.dropFirst().map { Double($0) ?? .nan }
    switch (parts[0].replacing("_", with: "-"), numbers.count) {
    case ("f1", 0): self = .f1
    case ("youden", 0): self = .youden
    case ("balanced-accuracy", 0): self = .balancedAccuracy
    case ("eer", 0): self = .equalErrorRate
    case ("fpr", 1) where (0...1).contains(numbers[0]): self = .falsePositiveRate(numbers[0])
    case ("cost", 2) where numbers.allSatisfy({ $0 > 0 }):
      self = .cost(miss: numbers[0], falseAlarm: numbers[1], prevalence: 0.5)
    case ("cost", 3) where numbers.allSatisfy({ $0 > 0 }) && numbers[2] < 1:
      self = .cost(miss: numbers[0], falseAlarm: numbers[1], prevalence: numbers[2])
    case (let number, 0) where Double(number)?.isFinite == true: self = .fixed(Double(number)!)
    case (let name, _) where Self.names.contains(name):
      let wanted =
        switch name {
        case "fpr": "a rate from 0 to 1, such as fpr:0.01"
        case "cost":
          "positive numbers, cost:MISS:FALSE-ALARM or cost:MISS:FALSE-ALARM:PREVALENCE, such as cost:10:1:0.05"
        default: "no number"
        }
      throw EvaluationError("threshold rule \"\(text)\": \(name) takes \(wanted)")
    case (let name, _):
      throw EvaluationError(
        "threshold rule \"\(text)\" is unknown; \(suggestion(name, among: Self.names)), or write a number such as 0.5")
    }
  }

  /// The words that rules begin with.
  public static let names = ["f1", "youden", "balanced-accuracy", "eer", "fpr", "cost"]

  /// The form that `init(_:)` reads.
  public var text: String {
    switch self {
    case .f1: "f1"
    case .youden: "youden"
    case .balancedAccuracy: "balanced-accuracy"
    case .equalErrorRate: "eer"
    case .falsePositiveRate(let rate): "fpr:\(rate)"
    case .cost(let miss, let falseAlarm, let prevalence): "cost:\(miss):\(falseAlarm):\(prevalence)"
    case .fixed(let value): "\(value)"
    }
  }

  /// What the rule does, for the report.
  public var explanation: String {
    switch self {
    case .f1: "largest F1"
    case .youden: "largest TPR - FPR (Youden's J)"
    case .balancedAccuracy: "largest balanced accuracy"
    case .equalErrorRate: "equal error rates"
    case .falsePositiveRate(let rate): "at most \(rate * 100) % of real items called fake"
    case .cost(let miss, let falseAlarm, let prevalence):
      "least cost, a miss \(miss), a false alarm \(falseAlarm), prevalence \(prevalence)"
    case .fixed(let value): "fixed at \(value)"
    }
  }
}

extension ThresholdRule: Codable {
  /// Decodes.
  public init(from decoder: any Decoder) throws {
    try self.init(decoder.singleValueContainer().decode(String.self))
  }

  /// Encodes.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }
}

/// A chosen threshold.
public struct ThresholdChoice: Sendable, Hashable, Codable {
  /// The score itself: the highest of the equally good ones.
  public let threshold: Double
  /// The next lower score, if there is one: any threshold in (nextLower, threshold] decides alike.
  public let nextLower: Double?
  /// The rule's value at this threshold, in its own unit.
  public let value: Double

  /// What to apply to new scores: midway to the next lower score, so that the last bit of a score decides nothing.
  public var operatingPoint: Double {
    guard let nextLower, nextLower.isFinite, threshold.isFinite else { return threshold }
    let middle = nextLower + (threshold - nextLower) / 2
    return middle > nextLower ? middle : threshold
  }
}

extension RankedScores {
  /// Applies a rule to these (validation) scores.
  ///
  /// - Returns: nil when the rule has no answer: one class only, or no threshold obeys it.
  public func threshold(by rule: ThresholdRule) -> ThresholdChoice? {
    if case .fixed(let value) = rule { return ThresholdChoice(threshold: value, nextLower: nil, value: value) }
    guard oneClass == nil else { return nil }
    let (n, p) = (Double(negatives), Double(positives))
    switch rule {
    case .fixed: return nil
    case .f1: return best { 2 * Double($0) / (p + Double($0 + $1)) }
    case .youden: return best { Double($0) / p - Double($1) / n }
    case .balancedAccuracy: return best { (Double($0) / p + 1 - Double($1) / n) / 2 }
    case .equalErrorRate:
      return best { -abs(Double($1) / n - (1 - Double($0) / p)) }.map {
        ThresholdChoice(threshold: $0.threshold, nextLower: $0.nextLower, value: nearestEqualErrorRate!.rate)
      }
    case .falsePositiveRate(let rate):
      let allowed = falsePositives.prefix { Double($0) / n <= rate }.count
      if allowed == 0 {  // even the highest score belongs to too many real items: nothing may be called fake
        return ThresholdChoice(threshold: thresholds[0].nextUp, nextLower: thresholds[0], value: 0)
      }
      let index = allowed - 1
      return choice(index, Double(falsePositives[index]) / n)
    case .cost(let miss, let falseAlarm, let prevalence):
      let cost = { (hits: Int, alarms: Int) in
        miss * prevalence * (1 - Double(hits) / p) + falseAlarm * (1 - prevalence) * Double(alarms) / n
      }
      guard let found = best({ -cost($0, $1) }) else { return nil }
      if cost(0, 0) < -found.value {
        return ThresholdChoice(threshold: thresholds[0].nextUp, nextLower: thresholds[0], value: cost(0, 0))
      }
      return ThresholdChoice(threshold: found.threshold, nextLower: found.nextLower, value: -found.value)
    }
  }

  /// Every threshold whose F1, or other objective of (true positives, false positives), is within `tolerance` of the best.
  func maximisers(tolerance: Double, _ objective: (Int, Int) -> Double) -> [Double] {
    let values = thresholds.indices.map { objective(truePositives[$0], falsePositives[$0]) }
    let top = values.max() ?? 0
    return thresholds.indices.filter { values[$0] >= top - tolerance }.map { thresholds[$0] }
  }

  private func best(_ objective: (Int, Int) -> Double) -> ThresholdChoice? {
    var top = (value: -Double.infinity, index: 0)
    for index in thresholds.indices {
      let value = objective(truePositives[index], falsePositives[index])
      if value > top.value { top = (value, index) }
    }
    return choice(top.index, top.value)
  }

  private func choice(_ index: Int, _ value: Double) -> ThresholdChoice {
    ThresholdChoice(
      threshold: thresholds[index], nextLower: index + 1 < thresholds.count ? thresholds[index + 1] : nil, value: value)
  }
}

/// What is wrong with a score file, a rule or a request: one sentence that says what to do.
public struct EvaluationError: Error, CustomStringConvertible, Equatable {
  /// The sentence.
  public let description: String

  /// Makes an error from its sentence.
  public init(_ description: String) { self.description = description }
}
