import Files

/// How several models' scores of one sample become one. Probabilities are calibrated first, on the fold's validation scores:
/// without that, the model that exaggerates most decides.
public enum FusionRule: String, Sendable, Hashable, Codable, CaseIterable {
  /// The mean probability of the models that scored the sample.
  case mean
  /// The mean weighted by how far each model's validation AUC lies above 0.5.
  case weightedMean = "weighted-mean"
  /// The share of models whose score reaches their own validation threshold; equal shares are ordered by the mean.
  case majority
  /// The largest probability: one alarm is enough.
  case max
  /// 1 - Π(1 - p): independent detectors, each of which may have seen a fake that the others cannot.
  case noisyOr = "noisy-or"
  /// Logistic regression on the logits, with an indicator for each model that has no score.
  case logistic

  /// Reads a rule's name.
  ///
  /// - Throws: `EvaluationError` naming the nearest one.
  public init(name: String) throws {
    guard let rule = Self(rawValue: name.replacing("_", with: "-")) else {
      throw EvaluationError(
        "fusion rule \"\(name)\" is unknown; \(suggestion(name, among: Self.allCases.map(\.rawValue)))")
    }
    self = rule
  }

  /// What the rule does, for the report.
  public var explanation: String {
    switch self {
    case .mean: "mean calibrated probability"
    case .weightedMean: "mean calibrated probability, weighted by validation AUC - 0.5"
    case .majority: "votes at each model's validation threshold, ties by the mean"
    case .max: "largest calibrated probability"
    case .noisyOr: "1 - product of (1 - p), p calibrated"
    case .logistic: "logistic regression on logits, with missing indicators"
    }
  }
}
