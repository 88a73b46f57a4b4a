/// A fusion rule with everything it learned from the validation scores of one fold.
///
///     let fused = try FittedFusion(rule: .logistic, models: ["frames", "voice"], validation: rows)
///     fused.apply(["frames": 0.9, "voice": nil])
public struct FittedFusion: Sendable, Hashable, Codable {
  /// One validation sample: each model's score and logit, and what is true.
  public struct Row: Sendable, Hashable {
    /// P(fake) by model; a missing key is a missing score.
    public var scores: [String: Double]
    /// Whether the sample is fake.
    public var fake: Bool
    /// What each model is judged by, where that is not the sample's label: a fake voice is no fake to a model of pictures.
    public var labels: [String: Bool]

    /// Makes a row.
    public init(scores: [String: Double], fake: Bool, labels: [String: Bool] = [:]) {
      (self.scores, self.fake, self.labels) = (scores, fake, labels)
    }
  }

  /// The rule.
  public let rule: FusionRule
  /// The models, in the order of the lists below.
  public let models: [String]
  /// Brings each model's scores to one scale before they are joined (all rules but `logistic`, which scales by itself).
  public let calibrations: [PlattScaling]
  /// Weights that sum to 1 (`weightedMean`).
  public let weights: [Double]?
  /// Each model's vote threshold (`majority`).
  public let thresholds: [Double]?
  /// Centres and scales of the logits (`logistic`).
  public let scaler: StandardScaler?
  /// On scaled logits (0 when missing), then one missing indicator a model (`logistic`).
  public let regression: LogisticRegression?
  /// How many validation samples it was fitted on.
  public let fittedOn: Int

  /// Fits on validation rows only.
  ///
  /// - Parameter calibrated: false joins the scores as they are.
  /// - Throws: `EvaluationError` when the rule has to learn and cannot: one class, or no scores.
  public init(rule: FusionRule, models: [String], validation rows: [Row], calibrated: Bool = true) throws {
    precondition(!models.isEmpty, "FittedFusion: no models to fuse")
    (self.rule, self.models, fittedOn) = (rule, models, rows.count)
    calibrations = models.map { model in
      guard calibrated, rule != .logistic else { return .identity }
      let present = rows.filter { $0.scores[model] != nil }
      return PlattScaling(
        fitting: present.map { logit($0.scores[model]!) }, fake: present.map { $0.labels[model] ?? $0.fake })
    }
    func ranked(_ model: String) -> RankedScores {
      let present = rows.filter { $0.scores[model] != nil }
      return RankedScores(scores: present.map { $0.scores[model]! }, fake: present.map(\.fake))
    }
    switch rule {
    case .mean, .max, .noisyOr: (weights, thresholds, scaler, regression) = (nil, nil, nil, nil)
    case .weightedMean:
      let gains = models.map { Swift.max(0, (ranked($0).areaUnderCurve.value ?? 0.5) - 0.5) }
      let sum = gains.reduce(0, +)
      weights = gains.map { sum > 0 ? $0 / sum : 1 / Double(models.count) }
      (thresholds, scaler, regression) = (nil, nil, nil)
    case .majority:
      thresholds = models.map { model in
        // Votes are about what a model can see.
        let present = rows.filter { $0.scores[model] != nil }
        let own = RankedScores(
          scores: present.map { $0.scores[model]! }, fake: present.map { $0.labels[model] ?? $0.fake })
        return own.threshold(by: .balancedAccuracy)?.operatingPoint ?? 0.5
      }
      (weights, scaler, regression) = (nil, nil, nil)
    case .logistic:
      (weights, thresholds) = (nil, nil)
      let usable = rows.filter { row in models.contains { row.scores[$0] != nil } }
      guard Set(usable.map(\.fake)).count == 2 else {
        throw EvaluationError(
          "the logistic fusion cannot be fitted: the validation part has samples of one class only; "
            + "raise folds.validation or use a rule that learns nothing, such as noisy-or")
      }
      // Centres and scales come from the scores that are there; a missing one then counts as the centre.
      let columns = models.map { model in usable.compactMap { $0.scores[model].map(logit) } }
      let parts = columns.map { StandardScaler(fitting: $0.isEmpty ? [[0]] : $0.map { [$0] }) }
      let fitted = StandardScaler(joining: parts)
      scaler = fitted
      let features = usable.map { Self.features($0.scores, models, fitted) }
      // C = 1 on scaled features: a few dozen validation samples must not make the weights explode.
      regression = try LogisticRegression(rows: features, labels: usable.map { $0.fake ? 1 : 0 }, balanced: true)
    }
  }

  /// P(fake) of one sample; nil when no model scored it.
  ///
  /// - Parameter scores: P(fake) by model; a missing key or nil is a missing modality.
  public func apply(_ scores: [String: Double?]) -> Double? {
    let known = scores.compactMapValues { $0 }
    let present = models.indices.filter { known[models[$0]] != nil }
    guard !present.isEmpty else { return nil }
    let values = present.map { index in
      let score = known[models[index]]!
      return calibrations[index] == .identity ? score : sigmoid(calibrations[index].apply(logit(score)))
    }
    let average = mean(values)
    switch rule {
    case .mean: return average
    case .weightedMean:
      let sum = present.reduce(0) { $0 + weights![$1] }
      guard sum > 0 else { return average }  // only models that validation found useless are there
      return zip(present, values).reduce(0) { $0 + weights![$1.0] / sum * $1.1 }
    case .majority:
      let votes = present.count { known[models[$0]]! >= thresholds![$0] }
      return (Double(votes) + average) / Double(present.count + 1)
    case .max: return values.max()
    case .noisyOr: return 1 - values.reduce(1) { $0 * (1 - $1) }
    case .logistic: return regression!.probabilities(Self.features(known, models, scaler!))[1]
    }
  }

  private static func features(_ scores: [String: Double], _ models: [String], _ scaler: StandardScaler) -> [Double] {
    let logits = models.indices.map { index in
      scores[models[index]].map { (logit($0) - scaler.mean[index]) / scaler.scale[index] } ?? 0
    }
    return logits + models.map { scores[$0] == nil ? 1 : 0 }
  }
}

extension StandardScaler {
  /// Puts scalers of single columns side by side.
  init(joining parts: [StandardScaler]) {
    self.init(
      mean: parts.flatMap(\.mean), variance: parts.flatMap(\.variance), scale: parts.flatMap(\.scale))
  }

  private init(mean: [Double], variance: [Double], scale: [Double]) {
    (self.mean, self.variance, self.scale) = (mean, variance, scale)
  }
}
