import Evaluation

extension RunAnalysis {
  /// How many resamples an interval is made of: 2,000 up to ten thousand items, then fewer, so that a report of many
  /// items and models is a matter of a minute.
  static func resamples(_ items: Int) -> Int { min(2000, max(200, 20_000_000 / max(items, 1))) }

  /// Computes everything.
  ///
  /// - Throws: `ReportError` for a model without rows, rows of an unknown model, or a sample tested twice by one model.
  init(_ report: RunReport, scores rows: [ScoreRow]) throws {
    let samples = SampleIndex(report.samples, rows: rows)
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
          label: samples.label(row.sample) ?? row.label, type: row.type, model: "constant", score: 1)
      }
      let facts = RunReport.Model(
        name: "constant", isBaseline: true, modality: "none", architecture: "always answers fake", parameters: 0)
      entries.append(try Entry(facts, rows, samples, .fixed(0.5)))
    }
    self.entries = entries
    comparisons = Self.compare(entries, samples)
    probes = report.probes.map { ProbeResult($0, samples) }
  }

  /// All pairs of models, fusions and trained baselines; Holm's adjustment within each scope.
  private static func compare(_ entries: [Entry], _ samples: SampleIndex) -> [Comparison] {
    let entries = entries.filter { $0.name != "constant" }
    var all: [Comparison] = []
    for scope in ["all fakes"] + samples.kinds {
      var found: [Comparison] = []
      for i in entries.indices {
        for j in entries.indices where j > i {
          if let pair = compare(entries[i], entries[j], scope, samples) { found.append(pair) }
        }
      }
      // A pair that ranks alike has no p; it does not count among the tests.
      let tested = found.indices.filter { found[$0].delong.p.value != nil }
      for (index, p) in zip(tested, holm(tested.map { found[$0].delong.p.value! })) { found[index].adjusted = p }
      all += found
    }
    return all
  }

  private static func compare(_ a: Entry, _ b: Entry, _ scope: String, _ samples: SampleIndex) -> Comparison? {
    let kind: String? = scope == "all fakes" ? nil : scope
    let shared = samples.slice(kind.map { [$0] }).filter { a.scores[$0.id] != nil && b.scores[$0.id] != nil }
    let fake = shared.map { $0.label == .fake }
    let scores = [a, b].map { entry in shared.map { entry.scores[$0.id]! } }
    guard let delong = DeLong(scores: scores, fake: fake) else { return nil }
    let right = [a, b].map { entry in
      shared.map { entry.decisions[$0.id]! == ($0.label == .fake) ? 1 : 0 }
    }
    let bootstrap = Bootstrap(resamples: resamples(shared.count), seed: seed(scope, a.name, b.name))
    var resampled: PairedT?
    if kind == nil, a.folds.count > 2, a.folds.map(\.fold) == b.folds.map(\.fold) {
      let differences = zip(samples.foldAreas(a, a.folds), samples.foldAreas(b, b.folds)).compactMap { x, y in
        x.flatMap { x in y.map { x - $0 } }
      }
      if differences.count == a.folds.count {
        // k folds: a test part is 1 / (k - 1) of the rest.
        resampled = PairedT(differences: differences, train: Double(differences.count - 1), test: 1)
      }
    }
    return Comparison(
      scope: scope, first: a.name, second: b.name, items: shared.count, areas: (delong.areas[0], delong.areas[1]),
      delong: delong.compare(0, 1),
      bootstrap: bootstrap.areaDifference(
        first: scores[0], second: scores[1], fake: fake, groups: samples.groups(shared.map(\.id))),
      adjusted: nil,
      mcNemar: McNemar(labels: shared.map { _ in 1 }, first: right[0], second: right[1]), resampled: resampled)
  }
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
    var seen: Set<String> = []
    for row in test where !seen.insert(row.sample).inserted {
      throw ReportError(
        "\(name) has two test scores of sample \(row.sample); a sample is in the test part of one fold only")
    }
    failed = Dictionary(grouping: test.filter { $0.score == nil }, by: \.reason).mapValues(\.count)

    let validationAreas = Dictionary(
      grouping: rows.filter { $0.part == .validation && $0.score != nil }, by: \.fold
    ).values.compactMap { rows in
      RankedScores(
        scores: rows.map { $0.score! }, fake: rows.map { (samples.label($0.sample) ?? $0.label) == .fake }
      ).areaUnderCurve.value
    }.sorted()  // so that the sum does not depend on the order of a dictionary
    validationArea =
      validationAreas.isEmpty ? nil : validationAreas.reduce(0, +) / Double(validationAreas.count)

    var folds: [RunAnalysis.FoldResult] = []
    var confusion = ConfusionMatrix(truePositives: 0, falsePositives: 0, trueNegatives: 0, falseNegatives: 0)
    var decisions: [String: Bool] = [:]
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
      for row in scored { decisions[row.sample] = row.score! >= threshold }
    }
    (self.folds, self.confusion, self.decisions) = (folds, confusion, decisions)

    foldMembers = Dictionary(grouping: test, by: \.fold).mapValues { $0.map(\.sample) }
    let scored = test.filter { $0.score != nil }
    let (values, fake) = (scored.map { $0.score! }, scored.map(\.isFake))
    let logits = scored.allSatisfy { $0.logit != nil } ? scored.map { $0.logit! } : nil
    let items = ScoredItems(scores: values, fake: fake, logits: logits, confusion: confusion)
    pooled = MetricValues(items)
    pooledAtHalf = MetricValues(ScoredItems(scores: values, fake: fake, logits: logits, threshold: 0.5))
    curve = items.ranked.sparseCurve
    let groups = samples.groups(scored.map(\.sample))
    delong = DeLong(scores: [values], fake: fake)?.interval()
    bootstrap = Bootstrap(resamples: RunAnalysis.resamples(values.count), seed: seed(name)).areaUnderCurve(
      scores: values, fake: fake, groups: groups)
    scores = Dictionary(uniqueKeysWithValues: scored.map { ($0.sample, $0.score!) })
    let byID = scores
    let slice = { (title: String, kinds: [String]?) in RunAnalysis.Slice(title, kinds, byID, samples, name) }
    kinds = samples.kinds.map { slice($0, [$0]) }
    allFakes = slice("all fakes", nil)
    visibleFakes = slice(samples.visibleKinds.joined(separator: " + "), samples.visibleKinds)
    var warnings: [String] = []
    let tied = items.ranked.tiedShare
    if tied > 0.1, name != "constant" {
      warnings.append(
        "\(Int((tied * 100).rounded())) % of its scores are shared by real and fake items; eer counts them as errors")
    }
    self.warnings = warnings
  }
}

extension RunAnalysis.Slice {
  fileprivate init(
    _ title: String, _ kinds: [String]?, _ scores: [String: Double], _ samples: SampleIndex, _ model: String
  ) {
    let items = samples.slice(kinds).filter { scores[$0.id] != nil }
    let (values, fake) = (items.map { scores[$0.id]! }, items.map { $0.label == .fake })
    let ranked = RankedScores(scores: values, fake: fake)
    (name, fakes, reals, area) = (title, ranked.positives, ranked.negatives, ranked.areaUnderCurve)
    delong = DeLong(scores: [values], fake: fake)?.interval()
    bootstrap = Bootstrap(resamples: RunAnalysis.resamples(values.count), seed: seed(model, title)).areaUnderCurve(
      scores: values, fake: fake, groups: samples.groups(items.map(\.id)))
  }
}

extension RunAnalysis.ProbeResult {
  fileprivate init(_ probe: RunReport.Probe, _ samples: SampleIndex) {
    let items = samples.slice(nil).filter { probe.values[$0.id]?.isFinite == true }
    let (values, fake) = (items.map { probe.values[$0.id]! }, items.map { $0.label == .fake })
    (name, unit, self.items) = (probe.name, probe.unit, items.count)
    area = RankedScores(scores: values, fake: fake).areaUnderCurve
    delong = DeLong(scores: [values], fake: fake)?.interval()
    bootstrap = Bootstrap(resamples: RunAnalysis.resamples(values.count), seed: seed("probe", probe.name))
      .areaUnderCurve(
        scores: values, fake: fake, groups: samples.groups(items.map(\.id)))
  }
}

/// The samples' own labels, kinds and groups.
struct SampleIndex: Sendable {
  let kinds: [String]
  let visibleKinds: [String]
  let groupCount: Int
  private let samples: [RunReport.Sample]
  private let byID: [String: RunReport.Sample]
  private let groupNumbers: [String: Int]

  /// Without a sample list, the rows' labels stand for the samples'.
  init(_ given: [RunReport.Sample], rows: [ScoreRow]) {
    var samples = given
    if samples.isEmpty {
      var seen: Set<String> = []
      for row in rows where row.part == .test && seen.insert(row.sample).inserted {
        samples.append(
          RunReport.Sample(id: row.sample, dataset: row.dataset, label: row.label, type: row.type, group: row.sample))
      }
    }
    self.samples = samples
    byID = Dictionary(samples.map { ($0.id, $0) }, uniquingKeysWith: { first, _ in first })
    let fakes = samples.filter { $0.label == .fake }
    kinds = Set(fakes.map { Self.kind($0) }).sorted()
    let visible = fakes.filter { sample in
      sample.audioLabel == .fake || sample.visualLabel == .fake
        || (sample.audioLabel == nil && sample.visualLabel == nil)
    }
    visibleKinds = Set(visible.map { Self.kind($0) }).sorted()
    var numbers: [String: Int] = [:]
    for sample in samples {
      let group = sample.group.isEmpty ? sample.id : sample.group
      if numbers[group] == nil { numbers[group] = numbers.count }
    }
    groupNumbers = numbers
    groupCount = numbers.count
  }

  private static func kind(_ sample: RunReport.Sample) -> String { sample.type.isEmpty ? "unspecified" : sample.type }

  func label(_ id: String) -> Truth? { byID[id]?.label }

  /// All real samples, and the fakes of some kinds (nil: all).
  func slice(_ kinds: [String]?) -> [RunReport.Sample] {
    let wanted = kinds.map(Set.init)
    return samples.filter { $0.label == .real || wanted?.contains(Self.kind($0)) ?? true }
  }

  /// Group indices from 0 without gaps.
  func groups(_ ids: [String]) -> [Int] {
    var dense: [Int: Int] = [:]
    return ids.map { id in
      let sample = byID[id]
      // A sample that is not listed is its own group.
      let number = sample.flatMap { groupNumbers[$0.group.isEmpty ? $0.id : $0.group] } ?? -1 - dense.count
      if let index = dense[number] { return index }
      dense[number] = dense.count
      return dense.count - 1
    }
  }

  /// Each fold's AUC by the samples' own labels.
  func foldAreas(_ entry: RunAnalysis.Entry, _ folds: [RunAnalysis.FoldResult]) -> [Double?] {
    folds.map { fold in
      let ids = entry.foldMembers[fold.fold] ?? []
      let items = ids.compactMap { byID[$0] }.filter { entry.scores[$0.id] != nil }
      return RankedScores(scores: items.map { entry.scores[$0.id]! }, fake: items.map { $0.label == .fake })
        .areaUnderCurve.value
    }
  }
}

/// A seed that depends on names only, so that equal runs draw alike (FNV-1a).
func seed(_ names: String...) -> UInt64 {
  names.joined(separator: "\u{1F}").utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
}
