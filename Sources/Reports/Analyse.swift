import Evaluation

extension RunAnalysis {
  /// Computes everything.
  ///
  /// - Throws: `ReportError` for a model without rows, rows of an unknown model, or a sample tested twice by one model.
  init(
    _ report: RunReport, scores all: [ScoreRow], frames: [ScoreRow] = [], resamples: Int = 2000
  ) throws {
    let rows = Self.mainRows(all, report)
    let samples = SampleIndex(
      report.samples, rows: rows, models: report.models.filter { !$0.isBaseline }.map(\.name), resamples: resamples)
    let known = report.models.map(\.name) + report.fusions.map(\.name)
    let byModel = Dictionary(grouping: rows, by: \.model)
    if let stranger = byModel.keys.filter({ !known.contains($0) }).min() {
      throw ReportError(
        "there are scores of \"\(stranger)\", which is no model or fusion of the run; remove its score file")
    }
    if let silent = known.first(where: { byModel[$0] == nil }) {
      throw ReportError("there are no scores of \"\(silent)\"; run its scoring job again")
    }
    kinds = samples.kinds
    visibleKinds = samples.visibleKinds
    groups = samples.groupCount
    var entries: [Entry] = []
    for model in report.models where !model.isBaseline {
      entries.append(try Entry(model, byModel[model.name]!, samples, report.decision))
    }
    for fusion in report.fusions {
      entries.append(try Entry(fusion, byModel[fusion.name]!, samples, report.decision))
    }
    for model in report.models where model.isBaseline {
      entries.append(try Entry(model, byModel[model.name]!, samples, report.decision))
    }
    entries += try Self.constants(report, byModel, samples)
    self.entries = entries
    comparisons = Self.compare(entries, samples)
    ranking = Ranking(entries, samples)
    self.frames = try FrameResult.all(Self.mainRows(frames, report), report, entries, samples)
    cross = try Self.cross(all, report, samples)
    seeds = try Self.seeds(all, report)
    selections = Self.selections(report, entries)
    balance = BalanceComparison.find(report, entries, samples)
    failures = FailureCase.find(report, rows)
    probes = report.probes.map { ProbeResult($0, samples) }
  }

  /// All pairs of models, fusions and trained baselines; Holm's adjustment within each scope.
  private static func compare(_ entries: [Entry], _ samples: SampleIndex) -> [Comparison] {
    let entries = entries.filter { !$0.isConstant }
    var all: [Comparison] = []
    for scope in [allScope] + samples.kinds {
      var found: [Comparison] = []
      for i in entries.indices {
        for j in entries.indices where j > i {
          guard let pair = compare(entries[i], entries[j], scope, samples) else { continue }
          var comparison = Comparison(scope: scope, pair: pair)
          if scope == allScope {
            comparison.chosen = decisions(entries[i], entries[j], samples) { $0.decisions[$1]! }
            comparison.atHalf = decisions(entries[i], entries[j], samples) { $0.scores[$1]! >= 0.5 }
          }
          found.append(comparison)
        }
      }
      for (index, pair) in PairedComparison.adjust(found.map(\.pair)).enumerated() {
        found[index].pair = pair
      }
      all += found
    }
    return all
  }

  private static func compare(_ a: Entry, _ b: Entry, _ scope: String, _ samples: SampleIndex) -> PairedComparison? {
    let kind: String? = scope == allScope ? nil : scope
    let shared = samples.slice(kind.map { [$0] }).filter { a.scores[$0.name] != nil && b.scores[$0.name] != nil }
    let wholeRun = kind == nil && a.folds.map(\.fold) == b.folds.map(\.fold)
    let side = { (entry: Entry) in
      PairedComparison.Model(
        name: entry.name, scores: shared.map { entry.scores[$0.name]! },
        decisions: shared.map { entry.decisions[$0.name]! },
        foldAreas: wholeRun ? samples.foldAreas(entry, entry.folds) : [])
    }
    return PairedComparison(
      side(a), side(b), fake: shared.map { $0.label == .fake }, strata: shared.map { a.foldOf[$0.name]! },
      groups: samples.groups(shared.map(\.name)),
      bootstrap: samples.bootstrap(shared.count, seed(scope, a.name, b.name)))
  }

  /// Difference of balanced accuracy on the samples that both scored, by the samples' own labels, resampled over groups.
  private static func decisions(
    _ a: Entry, _ b: Entry, _ samples: SampleIndex, _ decide: (Entry, SampleID) -> Bool
  ) -> DecisionDifference? {
    let shared = samples.slice(nil).filter { a.scores[$0.name] != nil && b.scores[$0.name] != nil }
    let fake = shared.map { $0.label == .fake }
    let right = [a, b].map { entry in shared.map { decide(entry, $0.name) == ($0.label == .fake) } }
    func difference(_ times: (Int) -> Int) -> Double? {
      var (real, fakes) = ((all: 0, first: 0, second: 0), (all: 0, first: 0, second: 0))
      for index in shared.indices {
        let weight = times(index)
        let (first, second) = (right[0][index] ? weight : 0, right[1][index] ? weight : 0)
        if fake[index] {
          fakes = (fakes.all + weight, fakes.first + first, fakes.second + second)
        } else {
          real = (real.all + weight, real.first + first, real.second + second)
        }
      }
      guard real.all > 0, fakes.all > 0 else { return nil }
      return
        (Double(real.first - real.second) / Double(real.all) + Double(fakes.first - fakes.second)
        / Double(fakes.all))
        / 2
    }
    guard let value = difference({ _ in 1 }) else { return nil }
    let interval = samples.bootstrap(shared.count, seed("decisions", a.name, b.name)).interval(
      count: shared.count, groups: samples.groups(shared.map(\.name))
    ) { times in difference { Int(times[$0]) } }
    return DecisionDifference(difference: value, interval: interval)
  }

  /// The scope of comparisons on all fakes.
  static let allScope = "all fakes"
}
