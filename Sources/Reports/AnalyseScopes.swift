import Evaluation

/// Results by what models were trained and tested on, by seed, and how much was chosen on the way.
extension RunAnalysis {
  /// The rows of the main results: one repetition, and where a model of each data set is tested on all, its own set's.
  static func mainRows(_ rows: [ScoreRow], _ report: RunReport) -> [ScoreRow] {
    let scopes = scopes(report)
    guard !scopes.isEmpty else { return rows }
    let isCross = report.foldProtocol == "cross-dataset"
    return rows.filter { row in
      guard let scope = scopes[row.fold] else { return true }
      return scope.repetition == 0 && (!isCross || scope.trainedOn.contains(row.dataset))
    }
  }

  private static func scopes(_ report: RunReport) -> [Int: RunReport.FoldScope] {
    Dictionary(report.scopes.map { ($0.fold, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// Every model on every data set: by each fold's model where folds differ in what they learn, else within folds.
  static func cross(_ rows: [ScoreRow], _ report: RunReport, _ samples: SampleIndex) throws -> [CrossResult] {
    let scopes = scopes(report)
    let sets = Set(rows.map(\.dataset)).sorted()
    let isSplit = !scopes.isEmpty && report.foldProtocol != "k-fold"
    guard isSplit || sets.count > 1 else { return [] }
    var results: [CrossResult] = []
    let byModel = Dictionary(grouping: rows.filter { $0.part == .test && $0.score != nil }, by: \.model)
    for model in report.models.filter({ !$0.isBaseline }).map(\.name) + report.fusions.map(\.name)
      + report.models.filter(\.isBaseline).map(\.name)
    {
      let own = (byModel[model] ?? []).filter { scopes[$0.fold]?.repetition ?? 0 == 0 }
      for fold in isSplit ? Set(own.map(\.fold)).sorted().map(Optional.init) : [nil] {
        // A kind that was left out is one thing, of whatever data sets.
        for part in report.foldProtocol == "leave-one-type-out" ? [sets] : sets.map({ [$0] }) {
          let set = part.joined(separator: " + ")
          let tested = own.filter { part.contains($0.dataset) && (fold == nil || $0.fold == fold) }
          guard !tested.isEmpty else { continue }
          let scope = fold.flatMap { scopes[$0] }
          let trained = scope?.trainedOn ?? sets
          results.append(
            CrossResult(
              model: model, fold: fold, name: scope?.name ?? fold.map { "fold \($0)" } ?? "all folds",
              trainedOn: trained.joined(separator: " + "), testedOn: set,
              slice: slice(tested, set, samples, seed("cross", model, "\(fold ?? -1)", set))))
        }
      }
    }
    return results
  }

  private static func slice(_ rows: [ScoreRow], _ name: String, _ samples: SampleIndex, _ seed: UInt64) -> Slice {
    let (scores, fake, folds) = (rows.map { $0.score! }, rows.map(\.isFake), rows.map(\.fold))
    return Slice(
      name: name, fakes: fake.count { $0 }, reals: fake.count { !$0 },
      area: areaUnderCurve(scores: scores, fake: fake, strata: folds),
      pooled: RankedScores(scores: scores, fake: fake).areaUnderCurve,
      delong: DeLong(scores: [scores], fake: fake, strata: folds)?.interval(),
      bootstrap: samples.bootstrap(scores.count, seed).areaUnderCurve(
        scores: scores, fake: fake, strata: folds, groups: samples.groups(rows.map(\.id))))
  }

  /// Metrics of each repetition, with thresholds from its own validation parts.
  static func seeds(_ rows: [ScoreRow], _ report: RunReport) throws -> [SeedResult] {
    let scopes = scopes(report)
    let times = Set(report.scopes.map(\.repetition)).sorted()
    guard times.count > 1 else { return [] }
    let isCross = report.foldProtocol == "cross-dataset"
    let byModel = Dictionary(grouping: rows, by: \.model)
    return try
      (report.models.filter { !$0.isBaseline }.map(\.name) + report.fusions.map(\.name)
      + report.models.filter(\.isBaseline).map(\.name)).map { model in
        SeedResult(
          model: model,
          seeds: try times.compactMap { time in
            let own = (byModel[model] ?? []).filter { row in
              guard let scope = scopes[row.fold] else { return time == 0 }
              return scope.repetition == time && (!isCross || scope.trainedOn.contains(row.dataset))
            }
            // A run that has not come to its end may have none.
            guard !own.isEmpty else { return nil }
            let found = try ScoreEvaluation(model: model, rows: own, rule: report.thresholdRule, bootstrap: nil)
            return (report.seeds.indices.contains(time) ? report.seeds[time] : UInt64(time), found.area, found.pooled)
          })
      }
  }

  /// What validation parts decided: each choice is a chance to fit them.
  static func selections(_ report: RunReport, _ entries: [Entry]) -> [Selection] {
    let trained = report.models.filter { !$0.isBaseline }
    let epochs = trained.flatMap(\.training).reduce(0) { $0 + $1.epochs.count }
    let kept = trained.flatMap(\.training).count { $0.bestEpoch != nil }
    let thresholds = entries.filter { !$0.isConstant }.reduce(0) { sum, entry in
      sum + entry.folds.count { $0.thresholdNote == nil }
    }
    let candidates = entries.filter { $0.role != .baseline }.count
    let folds = entries.first?.folds.count ?? 0
    return [
      Selection(what: "epochs kept", count: kept, among: "\(epochs) epochs with a validation score"),
      Selection(
        what: "thresholds", count: thresholds, among: "rule \(report.thresholdRule.text), one a model and fold"),
      Selection(what: "fusions fitted", count: report.fusions.count * folds, among: "one a fusion and fold"),
      Selection(what: "best folds kept", count: trained.count, among: "the folds of each model"),
      Selection(what: "main result", count: 1, among: "\(candidates) models and fusions"),
    ].filter { $0.count > 0 }
  }
}
