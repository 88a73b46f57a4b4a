public import Evaluation
import Files

extension Experiment {
  /// What is chosen on validation and travels with a model: threshold, undecided band, calibration.
  public struct ThresholdSettings: Codable, Sendable {
    /// `f1`, `youden`, `balanced-accuracy`, `eer`, `cost`, `fpr`, or a number.
    public let rule: String
    /// For `cost`: what a fake that passes costs.
    public let costMiss: Double
    /// For `cost`: what a real item called fake costs.
    public let costFalseAlarm: Double
    /// For `cost`: the share of fakes to be expected.
    public let prevalence: Double
    /// For `fpr`: the share of real items that may be called fake.
    public let falsePositiveRate: Double
    /// The error rate of either class that an undecided band keeps; 0 decides every item.
    public let undecided: Double
    /// `temperature`, `platt`, `isotonic` or `none`.
    public let calibration: String

    enum CodingKeys: String, CodingKey {
      case rule, prevalence, undecided, calibration
      case costMiss = "cost_miss", costFalseAlarm = "cost_false_alarm", falsePositiveRate = "fpr"
    }

    /// Decodes; a number stands for itself as a rule.
    public init(from decoder: any Decoder) throws {
      let table = try decoder.container(keyedBy: CodingKeys.self)
      if let number = try? table.decode(Double.self, forKey: .rule) {
        rule = "\(number)"
      } else {
        rule = try table.decode(String.self, forKey: .rule)
      }
      costMiss = try table.decode(Double.self, forKey: .costMiss)
      costFalseAlarm = try table.decode(Double.self, forKey: .costFalseAlarm)
      prevalence = try table.decode(Double.self, forKey: .prevalence)
      falsePositiveRate = try table.decode(Double.self, forKey: .falsePositiveRate)
      undecided = try table.decode(Double.self, forKey: .undecided)
      calibration = try table.decode(String.self, forKey: .calibration)
    }

    /// The settings by which validation scores are looked at.
    ///
    /// - Throws: `ExperimentError` naming the key and what it may be.
    public var settings: DecisionSettings {
      get throws {
        func fail(_ key: String, _ reason: String) -> ExperimentError {
          ExperimentError(place: "threshold.\(key)", reason: reason)
        }
        guard costMiss > 0, costFalseAlarm > 0 else {
          throw fail(costMiss > 0 ? "cost_false_alarm" : "cost_miss", "a cost must be a positive number")
        }
        guard prevalence > 0, prevalence < 1 else { throw fail("prevalence", "it must lie between 0 and 1") }
        guard (0...1).contains(falsePositiveRate) else { throw fail("fpr", "it must be from 0 to 1") }
        guard (0..<0.5).contains(undecided) else {
          throw fail("undecided", "it must be from 0, which is no band, to below 0.5")
        }
        guard let method = ScoreCalibration.Method(rawValue: calibration) else {
          let valid = ScoreCalibration.Method.allCases.map(\.rawValue)
          throw fail("calibration", "\"\(calibration)\" is unknown; \(suggestion(calibration, among: valid))")
        }
        let chosen: ThresholdRule
        switch rule {
        case "cost": chosen = .cost(miss: costMiss, falseAlarm: costFalseAlarm, prevalence: prevalence)
        case "fpr": chosen = .falsePositiveRate(falsePositiveRate)
        default:
          do { chosen = try ThresholdRule(rule) } catch { throw fail("rule", "\(error)") }
        }
        if case .fixed(let value) = chosen, !(0...1).contains(value) {
          throw fail("rule", "\(value) is no probability; a fixed threshold lies between 0 and 1")
        }
        return DecisionSettings(rule: chosen, undecided: undecided > 0 ? undecided : nil, calibration: method)
      }
    }
  }
}
