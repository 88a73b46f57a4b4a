import Evaluation

extension RunAnalysis.Entry {
  init(
    _ model: RunReport.Model, _ rows: [ScoreRow], _ samples: SampleIndex, _ decision: DecisionSettings,
    isConstant: Bool = false
  ) throws {
    try self.init(
      name: model.name, role: model.isBaseline ? .baseline : .model, modality: model.modality,
      architecture: model.architecture, facts: model, rule: nil, isConstant: isConstant, rows, samples, decision)
  }

  init(_ fusion: RunReport.Fusion, _ rows: [ScoreRow], _ samples: SampleIndex, _ decision: DecisionSettings) throws {
    try self.init(
      name: fusion.name, role: .fusion, modality: "fusion", architecture: fusion.rule.rawValue, facts: nil,
      rule: fusion.rule, isConstant: false, rows, samples, decision)
  }

  private init(
    name: String, role: RunAnalysis.Role, modality: String, architecture: String, facts: RunReport.Model?,
    rule: FusionRule?, isConstant: Bool, _ rows: [ScoreRow], _ samples: SampleIndex, _ decision: DecisionSettings
  ) throws {
    (self.name, self.role, self.modality, self.architecture) = (name, role, modality, architecture)
    (self.facts, self.rule, self.isConstant) = (facts, rule, isConstant)
    let test = rows.filter { $0.part == .test }
    var seen: Set<SampleID> = []
    for row in test where !seen.insert(row.id).inserted {
      throw ReportError(
        "\(name) has two test scores of sample \(row.id); a sample is in the test part of one fold only")
    }
    failed = Dictionary(grouping: test.filter { $0.score == nil }, by: \.reason).mapValues(\.count)

    // By the sample's own label, as everything that is chosen from competes on it; where validation parts have one class
    // by it alone, by the model's own.
    let validation = Dictionary(grouping: rows.filter { $0.part == .validation && $0.score != nil }, by: \.fold).values
    func areas(_ label: (ScoreRow) -> Truth) -> [Double] {
      validation.compactMap { rows in
        RankedScores(scores: rows.map { $0.score! }, fake: rows.map { label($0) == .fake }).areaUnderCurve.value
      }.sorted()  // so that the sum does not depend on the order of a dictionary
    }
    let bySample = areas { samples.label($0.id) ?? $0.label }
    let validationAreas = bySample.isEmpty ? areas(\.label) : bySample
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
        .threshold(by: decision.rule)
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
    if tied > 0.1, !isConstant {
      warnings.append(
        "\(Int((tied * 100).rounded())) % of its scores are shared by real and fake items; eer counts them as errors")
    }
    if !isConstant, let within = area.value, let mixed = pooled["auc"].value, within - mixed > 0.05 {
      warnings.append(
        "its folds' scores are on different scales: ranked together they have an AUC of \(number(mixed)), within folds "
          + number(within))
    }
    self.warnings = warnings
    let evaluated =
      isConstant
      ? nil
      : try ScoreEvaluation(
        model: name, rows: rows, rule: decision.rule, undecided: decision.undecided, bootstrap: nil)
    (calibrated, reliability, band) = (evaluated?.calibrated ?? [:], evaluated?.reliability ?? [:], evaluated?.band)
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
  init(_ probe: RunReport.Probe, _ samples: SampleIndex) {
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
