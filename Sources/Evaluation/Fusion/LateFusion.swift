/// Late fusion of score rows, fold by fold: fitted on a fold's validation rows, applied to its validation and test rows.
public struct LateFusion: Sendable {
  /// The fusion's name, which its rows carry as `model`.
  public let name: String
  /// The rule.
  public let rule: FusionRule
  /// The models that are fused.
  public let models: [String]

  /// Describes a fusion.
  public init(name: String, rule: FusionRule, models: [String]) {
    (self.name, self.rule, self.models) = (name, rule, models)
  }

  /// What a fold learned, and the fused rows.
  public struct Result: Sendable {
    /// The fitted rule of each fold.
    public let fitted: [Int: FittedFusion]
    /// Fused rows by fold, part and sample, in the order of the first model's rows.
    public let rows: [ScoreRow]
  }

  /// Fuses.
  ///
  /// - Parameters:
  ///   - rows: score rows of the models, of any folds and parts.
  ///   - truth: each sample's own label. Models of one modality are judged by that modality's label; fusion learns the
  ///     sample's. Where it is missing, all models' labels of the sample must agree.
  /// - Throws: `EvaluationError` for a model without rows, a sample scored twice, labels that disagree, or a rule that
  ///   cannot be fitted; it names them.
  public func fuse(_ rows: [ScoreRow], truth: [SampleID: Truth] = [:]) throws -> Result {
    struct Key: Hashable {
      let fold: Int, part: Part, sample: SampleID
    }
    struct Scored: Hashable {
      let model: String, key: Key
    }
    var table:
      [Key: (first: ScoreRow, scores: [String: Double], labels: [String: Bool], label: Truth, reasons: [String])] = [:]
    var order: [Key] = []
    var seen: Set<String> = []
    var twice: Set<Scored> = []
    let members = Set(models)
    for row in rows where members.contains(row.model) {
      seen.insert(row.model)
      let key = Key(fold: row.fold, part: row.part, sample: row.id)
      guard twice.insert(Scored(model: row.model, key: key)).inserted else {
        throw EvaluationError(
          "model \(row.model) scored sample \(row.id) twice in the \(row.part.rawValue) part of fold \(row.fold); "
            + "give each score file once")
      }
      let label = truth[row.id] ?? row.label
      if table[key] == nil {
        order.append(key)
        table[key] = (row, [:], [:], label, [])
      }
      guard table[key]!.label == label else {
        throw EvaluationError(
          "the score files disagree on whether sample \(row.id) is fake; name a table with the samples' own labels "
            + "(--labels samples.csv)")
      }
      if let score = row.score {
        table[key]!.scores[row.model] = score
        table[key]!.labels[row.model] = row.isFake
      } else {
        table[key]!.reasons.append("\(row.model): \(row.reason)")
      }
    }
    if let absent = models.first(where: { !seen.contains($0) }) {
      throw EvaluationError(
        "there are no scores of model \(absent); the models scored are \(seen.sorted().joined(separator: ", "))")
    }
    var fitted: [Int: FittedFusion] = [:]
    for fold in Set(order.map(\.fold)).sorted() {
      let validation = order.filter { $0.fold == fold && $0.part == .validation }
      let learning = validation.map {
        FittedFusion.Row(scores: table[$0]!.scores, fake: table[$0]!.label == .fake, labels: table[$0]!.labels)
      }
      if learning.isEmpty, [.weightedMean, .majority, .logistic].contains(rule) {
        throw EvaluationError(
          "fusion \(name) (\(rule.rawValue)) learns from validation scores, and fold \(fold) has none; give score files "
            + "with part validation, or use mean, max or noisy-or")
      }
      fitted[fold] = try FittedFusion(rule: rule, models: models, validation: learning)
    }
    let fused = order.map { key -> ScoreRow in
      let entry = table[key]!
      let score = fitted[key.fold]!.apply(entry.scores)
      return ScoreRow(
        sample: entry.first.sample, dataset: entry.first.dataset, fold: key.fold, part: key.part, label: entry.label,
        type: entry.first.type, model: name, score: score, logit: score.map(logit),
        reason: score == nil ? "no model scored it (\(entry.reasons.joined(separator: "; ")))" : "")
    }
    return Result(fitted: fitted, rows: fused)
  }
}
