import Evaluation

extension RunAnalysis {
  /// Computes everything.
  ///
  /// - Throws: `ReportError` for a model without rows, rows of an unknown model, or a sample tested twice by one model.
  init(_ report: RunReport, scores all: [ScoreRow], resamples: Int = 2000) throws {
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
      entries.append(try Entry(model, byModel[model.name]!, samples, report.thresholdRule))
    }
    for fusion in report.fusions {
      entries.append(try Entry(fusion, byModel[fusion.name]!, samples, report.thresholdRule))
    }
    for model in report.models where model.isBaseline {
      entries.append(try Entry(model, byModel[model.name]!, samples, report.thresholdRule))
    }
    if let first = (report.fusions.map(\.name) + report.models.map(\.name)).first {
      // The constant answer stands on the same samples as the first fusion (or model).
      let rows = byModel[first]!.map { row in
        ScoreRow(
          sample: row.sample, dataset: row.dataset, fold: row.fold, part: row.part,
          label: samples.label(row.id) ?? row.label, type: row.type, model: "constant", score: 1)
      }
      let facts = RunReport.Model(
        name: "constant", isBaseline: true, modality: "none", architecture: "always answers fake", parameters: 0)
      entries.append(try Entry(facts, rows, samples, .fixed(0.5)))
    }
    self.entries = entries
    comparisons = Self.compare(entries, samples)
    cross = try Self.cross(all, report, samples)
    seeds = try Self.seeds(all, report)
    selections = Self.selections(report, entries)
    failures = FailureCase.find(report, rows)
    probes = report.probes.map { ProbeResult($0, samples) }
  }

  /// All pairs of models, fusions and trained baselines; Holm's adjustment within each scope.
  private static func compare(_ entries: [Entry], _ samples: SampleIndex) -> [Comparison] {
    let entries = entries.filter { $0.name != "constant" }
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

extension RunAnalysis.Entry {
  init(_ model: RunReport.Model, _ rows: [ScoreRow], _ samples: SampleIndex, _ rule: ThresholdRule) throws {
    try self.init(
      name: model.name, role: model.isBaseline ? .baseline : .model, modality: model.modality,
      architecture: model.architecture, facts: model, rule: nil, rows, samples, rule)
  }

  init(_ fusion: RunReport.Fusion, _ rows: [ScoreRow], _ samples: SampleIndex, _ rule: ThresholdRule) throws {
    try self.init(
      name: fusion.name, role: .fusion, modality: "fusion", architecture: fusion.rule.rawValue, facts: nil,
      rule: fusion.rule, rows, samples, rule)
  }

  private init(
    name: String, role: RunAnalysis.Role, modality: String, architecture: String, facts: RunReport.Model?,
    rule: FusionRule?, _ rows: [ScoreRow], _ samples: SampleIndex, _ thresholdRule: ThresholdRule
  ) throws {
    (self.name, self.role, self.modality, self.architecture) = (name, role, modality, architecture)
    (self.facts, self.rule) = (facts, rule)
    let test = rows.filter { $0.part == .test }
    var seen: Set<SampleID> = []
    for row in test where !seen.insert(row.id).inserted {
      throw ReportError(
        "\(name) has two test scores of sample \(row.id); a sample is in the test part of one fold only")
    }
    failed = Dictionary(grouping: test.filter { $0.score == nil }, by: \.reason).mapValues(\.count)

    let validationAreas = Dictionary(
      grouping: rows.filter { $0.part == .validation && $0.score != nil }, by: \.fold
    ).values.compactMap { rows in
      RankedScores(
        scores: rows.map { $0.score! }, fake: rows.map { (samples.label($0.id) ?? $0.label) == .fake }
      ).areaUnderCurve.value
    }.sorted()  // so that the sum does not depend on the order of a dictionary
    validationArea =
      validationAreas.isEmpty ? nil : validationAreas.reduce(0, +) / Double(validationAreas.count)

    var folds: [RunAnalysis.FoldResult] = []
    var confusion = ConfusionMatrix(truePositives: 0, falsePositives: 0, trueNegatives: 0, falseNegatives: 0)
    var decisions: [SampleID: Bool] = [:]
    for fold in Set(test.map(\.fold)).sorted() {
      let validation = rows.filter { $0.fold == fold && $0.part == .validation && $0.score != nil }
      let all = test.filter { $0.fold == fold }
      let scored = all.filter { $0.score != nil }
      let choice = RankedScores(scores: validation.map { $0.score! }, fake: validation.map(\.isFake))
        .threshold(by: thresholdRule)
      let threshold = choice?.operatingPoint ?? 0.5
      let logits = scored.allSatisfy { $0.logit != nil } ? scored.map { $0.logit! } : nil
      let (scores, fake) = (scored.map { $0.score! }, scored.map(\.isFake))
      let items = ScoredItems(scores: scores, fake: fake, logits: logits, threshold: threshold)
      folds.append(
        RunAnalysis.FoldResult(
          fold: fold, items: scored.count, fakes: fake.count { $0 }, failed: all.count - scored.count,
          threshold: threshold,
          thresholdNote: choice == nil ? "the validation part has one class only: 0.5 instead" : nil,
          validationItems: validation.count, metrics: MetricValues(items),
          atHalf: MetricValues(ScoredItems(scores: scores, fake: fake, logits: logits, threshold: 0.5))))
      confusion += items.confusion
      for row in scored { decisions[row.id] = row.score! >= threshold }
    }
    (self.folds, self.confusion, self.decisions) = (folds, confusion, decisions)

    foldMembers = Dictionary(grouping: test, by: \.fold).mapValues { $0.map(\.id) }
    let scored = test.filter { $0.score != nil }
    let (values, fake) = (scored.map { $0.score! }, scored.map(\.isFake))
    let logits = scored.allSatisfy { $0.logit != nil } ? scored.map { $0.logit! } : nil
    let items = ScoredItems(scores: values, fake: fake, logits: logits, confusion: confusion)
    pooled = MetricValues(items)
    pooledAtHalf = MetricValues(ScoredItems(scores: values, fake: fake, logits: logits, threshold: 0.5))
    let groups = samples.groups(scored.map(\.id))
    let strata = scored.map(\.fold)
    area = areaUnderCurve(scores: values, fake: fake, strata: strata)
    delong = DeLong(scores: [values], fake: fake, strata: strata)?.interval()
    bootstrap = samples.bootstrap(values.count, seed(name)).areaUnderCurve(
      scores: values, fake: fake, strata: strata, groups: groups)
    curves = Set(strata).sorted().compactMap { fold in
      let part = scored.filter { $0.fold == fold }
      return RankedScores(scores: part.map { $0.score! }, fake: part.map(\.isFake)).sparseCurve
    }
    foldOf = Dictionary(uniqueKeysWithValues: scored.map { ($0.id, $0.fold) })
    let tests = foldOf
    scores = Dictionary(uniqueKeysWithValues: scored.map { ($0.id, $0.score!) })
    let byID = scores
    let slice = { (title: String, kinds: [String]?) in RunAnalysis.Slice(title, kinds, byID, tests, samples, name) }
    // A kind is seen by a model whose own rows call it fake, and by a fusion where one of its models sees it.
    let taught =
      role == .fusion
      ? Set(samples.visibleKinds) : Set(rows.filter { $0.isFake }.map { $0.type.isEmpty ? "unspecified" : $0.type })
    kinds = samples.kinds.map { kind in
      var found = slice(kind, [kind])
      found.seen = taught.contains(kind)
      return found
    }
    allFakes = slice("all fakes", nil)
    visibleFakes = slice(samples.visibleKinds.joined(separator: " + "), samples.visibleKinds)
    var warnings: [String] = []
    let tied = items.ranked.tiedShare
    if tied > 0.1, name != "constant" {
      warnings.append(
        "\(Int((tied * 100).rounded())) % of its scores are shared by real and fake items; eer counts them as errors")
    }
    if let within = area.value, let mixed = pooled["auc"].value, within - mixed > 0.05 {
      warnings.append(
        "its folds' scores are on different scales: ranked together they have an AUC of \(number(mixed)), within folds "
          + number(within))
    }
    self.warnings = warnings
    calibrated =
      name == "constant"
      ? [:]
      : try ScoreEvaluation(model: name, rows: rows, rule: thresholdRule, bootstrap: nil).calibrated
    thresholdCurves = Self.thresholdCurves(rows)
  }

  private static func thresholdCurves(_ rows: [ScoreRow]) -> [RunAnalysis.ThresholdPoint] {
    let parts = Dictionary(grouping: rows.filter { $0.part == .validation && $0.score != nil }, by: \.fold)
    let folds = parts.sorted { $0.key < $1.key }.map { _, rows in
      RankedScores(scores: rows.map { $0.score! }, fake: rows.map(\.isFake))
    }.filter { $0.oneClass == nil }
    guard !folds.isEmpty else { return [] }
    return (0...100).map { step in
      let threshold = Double(step) / 100
      let decided = folds.map { $0.confusion(at: threshold) }
      let mean = { (value: (ConfusionMatrix) -> Double) in
        decided.reduce(0) { $0 + value($1) } / Double(decided.count)
      }
      return RunAnalysis.ThresholdPoint(
        threshold: threshold,
        // Calling nothing fake has F1 0, as the limit of one hit in many.
        f1: mean {
          2 * Double($0.truePositives) / Double(2 * $0.truePositives + $0.falsePositives + $0.falseNegatives)
        },
        recall: mean { Double($0.truePositives) / Double($0.truePositives + $0.falseNegatives) },
        specificity: mean { Double($0.trueNegatives) / Double($0.trueNegatives + $0.falsePositives) })
    }
  }
}

extension RunAnalysis.Slice {
  fileprivate init(
    _ title: String, _ kinds: [String]?, _ scores: [SampleID: Double], _ folds: [SampleID: Int],
    _ samples: SampleIndex, _ model: String
  ) {
    let items = samples.slice(kinds).filter { scores[$0.name] != nil }
    let (values, fake) = (items.map { scores[$0.name]! }, items.map { $0.label == .fake })
    let strata = items.map { folds[$0.name]! }
    (name, fakes, reals) = (title, fake.count { $0 }, fake.count { !$0 })
    area = areaUnderCurve(scores: values, fake: fake, strata: strata)
    pooled = RankedScores(scores: values, fake: fake).areaUnderCurve
    delong = DeLong(scores: [values], fake: fake, strata: strata)?.interval()
    bootstrap = samples.bootstrap(values.count, seed(model, title))
      .areaUnderCurve(
        scores: values, fake: fake, strata: strata, groups: samples.groups(items.map(\.name)))
  }
}

extension RunAnalysis.ProbeResult {
  fileprivate init(_ probe: RunReport.Probe, _ samples: SampleIndex) {
    let measured = zip(samples.samples, probe.values).filter { $1?.isFinite == true }
    let items = measured.map(\.0)
    let (values, fake) = (measured.map { $1! }, items.map { $0.label == .fake })
    (name, unit, self.items, isOneSided) = (probe.name, probe.unit, items.count, probe.isOneSided)
    area = RankedScores(scores: values, fake: fake).areaUnderCurve
    delong = DeLong(scores: [values], fake: fake)?.interval()
    bootstrap = samples.bootstrap(values.count, seed("probe", probe.name)).areaUnderCurve(
      scores: values, fake: fake, groups: samples.groups(items.map(\.name)))
  }
}

/// The samples' own labels, kinds and groups.
struct SampleIndex: Sendable {
  let kinds: [String]
  let visibleKinds: [String]
  let groupCount: Int
  let samples: [RunReport.Sample]
  private let byID: [SampleID: RunReport.Sample]
  private let groupNumbers: [String: Int]
  private let resamples: Int

  /// Without a sample list, the rows' labels stand for the samples'.
  init(_ given: [RunReport.Sample], rows: [ScoreRow], models: [String], resamples: Int) {
    self.resamples = resamples
    var samples = given
    if samples.isEmpty {
      var seen: Set<SampleID> = []
      for row in rows where row.part == .test && seen.insert(row.id).inserted {
        samples.append(
          RunReport.Sample(
            id: row.sample, dataset: row.dataset, label: row.type.isEmpty ? row.label : .fake, type: row.type))
      }
    }
    self.samples = samples
    byID = Dictionary(samples.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    let fakes = samples.filter { $0.label == .fake }
    kinds = Set(fakes.map { Self.kind($0) }).sorted()
    // Visible: some model's own rows call a sample of the kind fake.
    let taught = Set(rows.filter { $0.isFake && models.contains($0.model) }.map(\.id))
    visibleKinds = Set(fakes.filter { taught.contains($0.name) }.map { Self.kind($0) }).sorted()
    var numbers: [String: Int] = [:]
    for sample in samples {
      let group = Self.group(sample)
      if numbers[group] == nil { numbers[group] = numbers.count }
    }
    groupNumbers = numbers
    groupCount = numbers.count
  }

  /// A sample without a group is its own.
  private static func group(_ sample: RunReport.Sample) -> String {
    sample.group.isEmpty ? "\u{1F}\(sample.name)" : sample.group
  }

  static func kind(_ sample: RunReport.Sample) -> String { sample.type.isEmpty ? "unspecified" : sample.type }

  /// How intervals are made: fewer resamples for more than 2,500 items, so that a report of many items and models is a
  /// matter of a minute.
  func bootstrap(_ items: Int, _ seed: UInt64) -> Bootstrap {
    Bootstrap(resamples: min(resamples, max(200, 5_000_000 / max(items, 1))), seed: seed, expanded: true)
  }

  func label(_ id: SampleID) -> Truth? { byID[id]?.label }

  /// All real samples, and the fakes of some kinds (nil: all).
  func slice(_ kinds: [String]?) -> [RunReport.Sample] {
    let wanted = kinds.map(Set.init)
    return samples.filter { $0.label == .real || wanted?.contains(Self.kind($0)) ?? true }
  }

  /// Group indices from 0 without gaps.
  func groups(_ ids: [SampleID]) -> [Int] {
    var dense: [Int: Int] = [:]
    return ids.map { id in
      let sample = byID[id]
      // A sample that is not listed is its own group.
      let number = sample.flatMap { groupNumbers[Self.group($0)] } ?? -1 - dense.count
      if let index = dense[number] { return index }
      dense[number] = dense.count
      return dense.count - 1
    }
  }

  /// Each fold's AUC by the samples' own labels.
  func foldAreas(_ entry: RunAnalysis.Entry, _ folds: [RunAnalysis.FoldResult]) -> [Double?] {
    folds.map { fold in
      let ids = entry.foldMembers[fold.fold] ?? []
      let items = ids.compactMap { byID[$0] }.filter { entry.scores[$0.name] != nil }
      return RankedScores(scores: items.map { entry.scores[$0.name]! }, fake: items.map { $0.label == .fake })
        .areaUnderCurve.value
    }
  }
}

/// A seed that depends on names only, so that equal runs draw alike (FNV-1a).
func seed(_ names: String...) -> UInt64 {
  names.joined(separator: "\u{1F}").utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
}
