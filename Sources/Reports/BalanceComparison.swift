import Evaluation

/// One model under several answers to unequal classes, side by side on the same test items: what each decides at its own
/// tuned thresholds and at 0.5, and whether that differs from the reference by more than resampled groups do.
struct BalanceComparison: Sendable {
  /// What models of the comparison share.
  let architecture, modality: String
  /// The strategy that the others are compared with: none where there is one.
  let reference: String
  let rows: [Row]
  /// Items that all of them scored, by the modality's own label.
  let real, fake: Int

  /// One strategy.
  struct Row: Sendable {
    let model, strategy: String
    /// What an epoch of the first fold shows, and with which weights.
    let shown: String
    let area: Measure
    let areaDifference: Difference?
    /// By metric: at the chosen thresholds, and at 0.5.
    let chosen, atHalf: [Metric: Decided]
  }

  /// What is said of decisions.
  enum Metric: String, CaseIterable, Sendable {
    case balancedAccuracy = "balanced_accuracy"
    case f1
    case recall
    case specificity

    var title: String { self == .f1 ? "F1" : rawValue.replacing("_", with: " ") }
  }

  /// A value, and how far it lies from the reference's on the same items.
  struct Decided: Sendable {
    let value: Double?
    let difference: Difference?
  }

  /// A difference from the reference, with its 95 % interval over groups.
  struct Difference: Sendable {
    let value: Double
    let interval: Interval?
    /// Whether the interval leaves 0 out.
    var isReal: Bool { interval.map { !$0.contains(0) } ?? false }
  }

  /// The comparisons of a run: models that differ in nothing but what they do about unequal classes.
  static func find(_ report: RunReport, _ entries: [RunAnalysis.Entry], _ samples: SampleIndex) -> [BalanceComparison] {
    var kinds: [String] = []
    for model in report.models {
      if let kind = model.balance?.kind, !kinds.contains(kind) { kinds.append(kind) }
    }
    return kinds.compactMap { kind in
      let models = report.models.filter { $0.balance?.kind == kind }
      return models.count > 1 ? BalanceComparison(models, entries, samples) : nil
    }
  }

  private init?(_ models: [RunReport.Model], _ all: [RunAnalysis.Entry], _ samples: SampleIndex) {
    let entries = models.compactMap { model in all.first { $0.name == model.name } }
    guard entries.count == models.count, let first = models.first else { return nil }
    let base = models.firstIndex { $0.balance?.strategy == "none" } ?? 0
    (architecture, modality) = (first.architecture, first.modality)
    reference = models[base].name
    let shared = samples.samples.filter { sample in entries.allSatisfy { $0.scores[sample.name] != nil } }
    let labels = shared.map { first.modality == "audio" ? $0.audioLabel : $0.visualLabel }
    guard labels.allSatisfy({ $0 != nil }) else { return nil }
    let truth = labels.map { $0 == .fake }
    (real, fake) = (truth.count { !$0 }, truth.count { $0 })
    let names = shared.map(\.name)
    let groups = samples.groups(names)
    let strata = names.map { entries[base].foldOf[$0]! }
    let scores = entries.map { entry in names.map { entry.scores[$0]! } }
    let decided = [
      entries.map { entry in names.map { entry.decisions[$0]! } }, scores.map { $0.map { $0 >= 0.5 } },
    ]
    rows = models.indices.map { place in
      let bootstrap = samples.bootstrap(names.count, seed("balance", models[place].name, models[base].name))
      func difference(_ value: Double?, _ interval: Interval?) -> Difference? {
        place == base ? nil : value.map { Difference(value: $0, interval: interval) }
      }
      let metrics = decided.map { decided -> [Metric: Decided] in
        Dictionary(
          uniqueKeysWithValues: Metric.allCases.map { metric in
            let value = Self.value(metric, decided[place], truth) { _ in 1 }
            let other = Self.value(metric, decided[base], truth) { _ in 1 }
            let interval =
              place == base
              ? nil
              : bootstrap.interval(count: names.count, groups: groups) { times in
                guard let own = Self.value(metric, decided[place], truth, { Int(times[$0]) }),
                  let other = Self.value(metric, decided[base], truth, { Int(times[$0]) })
                else { return nil }
                return own - other
              }
            return (
              metric,
              Decided(value: value, difference: difference(value.flatMap { a in other.map { a - $0 } }, interval))
            )
          })
      }
      let area = areaUnderCurve(scores: scores[place], fake: truth, strata: strata)
      let other = areaUnderCurve(scores: scores[base], fake: truth, strata: strata)
      return Row(
        model: models[place].name, strategy: models[place].balance!.strategy,
        shown: models[place].balance!.shown.first ?? "", area: area,
        areaDifference: difference(
          area.value.flatMap { a in other.value.map { a - $0 } },
          place == base
            ? nil
            : bootstrap.areaDifference(
              first: scores[place], second: scores[base], fake: truth, strata: strata, groups: groups)),
        chosen: metrics[0], atHalf: metrics[1])
    }
  }

  // A metric of decisions with items counted several times; nil where it is undefined.
  private static func value(
    _ metric: Metric, _ decided: [Bool], _ truth: [Bool], _ times: (Int) -> Int
  ) -> Double? {
    var (hits, misses, alarms, rest) = (0, 0, 0, 0)
    for index in truth.indices {
      let weight = times(index)
      switch (truth[index], decided[index]) {
      case (true, true): hits += weight
      case (true, false): misses += weight
      case (false, true): alarms += weight
      case (false, false): rest += weight
      }
    }
    let recall = hits + misses > 0 ? Double(hits) / Double(hits + misses) : nil
    let specificity = alarms + rest > 0 ? Double(rest) / Double(alarms + rest) : nil
    switch metric {
    case .recall: return recall
    case .specificity: return specificity
    case .balancedAccuracy: return recall.flatMap { a in specificity.map { (a + $0) / 2 } }
    case .f1: return hits + misses > 0 ? 2 * Double(hits) / Double(2 * hits + misses + alarms) : nil
    }
  }

  /// Plain words: which strategies differ from the reference, at the chosen thresholds, at 0.5, and in ranking.
  var verdicts: [String] {
    func sentence(_ place: String, _ find: (Row) -> Difference?) -> String {
      let others = rows.filter { $0.model != reference }
      let differ = others.compactMap { row in find(row).flatMap { $0.isReal ? (row.model, $0.value) : nil } }
      guard !differ.isEmpty else {
        return "\(place) no strategy differs from \(reference): every 95 % interval of the difference contains 0."
      }
      let list = differ.map { "\($0.0) (\(signed($0.1)))" }.joined(separator: ", ")
      return differ.count == others.count
        ? "\(place) every strategy differs from \(reference): \(list)."
        : "\(place) \(differ.count) of \(others.count) strategies differ from \(reference): \(list); the others do not."
    }
    return [
      sentence("At the tuned thresholds, in balanced accuracy,") { $0.chosen[.balancedAccuracy]?.difference },
      sentence("At 0.5, in balanced accuracy,") { $0.atHalf[.balancedAccuracy]?.difference },
      sentence("In AUC, which no threshold changes,") { $0.areaDifference },
    ]
  }
}

extension RunAnalysis {
  /// `balance_comparison.csv`: one row a model, threshold and metric.
  var balanceTable: ResultTable {
    var table = ResultTable(
      "balance_comparison.csv",
      [
        "model", "strategy", "reference", "threshold", "metric", "value", "difference", "difference_low",
        "difference_high", "differs",
      ])
    for comparison in balance {
      for row in comparison.rows {
        func add(_ threshold: String, _ metric: String, _ value: Double?, _ difference: BalanceComparison.Difference?) {
          table.append([
            row.model, row.strategy, comparison.reference, threshold, metric, cell(value), cell(difference?.value),
            cell(difference?.interval?.lower), cell(difference?.interval?.upper),
            difference.map { $0.isReal ? "yes" : "no" } ?? "",
          ])
        }
        add("none", "auc_within_folds", row.area.value, row.areaDifference)
        for (threshold, values) in [("chosen", row.chosen), ("0.5", row.atHalf)] {
          for metric in BalanceComparison.Metric.allCases {
            add(threshold, metric.rawValue, values[metric]?.value, values[metric]?.difference)
          }
        }
      }
    }
    return table
  }
}

extension Page {
  /// The strategies side by side.
  var balance: String {
    analysis.balance.map { comparison in
      func difference(_ found: BalanceComparison.Difference?) -> String {
        guard let found else { return "reference" }
        let ends = found.interval.map { "[\(signed($0.lower)), \(signed($0.upper))]" } ?? "no interval"
        return (found.isReal ? "<b>\(signed(found.value))</b>" : signed(found.value)) + "<small>\(ends)</small>"
      }
      func table(_ values: (BalanceComparison.Row) -> [BalanceComparison.Metric: BalanceComparison.Decided]) -> String {
        var table = HTMLTable([
          "strategy", "fakes found", "reals kept", "balanced accuracy", "difference", "F1", "difference",
        ])
        for row in comparison.rows {
          let found = values(row)
          let value = { (metric: BalanceComparison.Metric) in found[metric]?.value.map { number($0) } ?? "undefined" }
          table.append([
            name(row), value(.recall), value(.specificity), value(.balancedAccuracy),
            difference(found[.balancedAccuracy]?.difference), value(.f1), difference(found[.f1]?.difference),
          ])
        }
        return table.html
      }
      func name(_ row: BalanceComparison.Row) -> String {
        "<b>\(escaped(row.model))</b>" + (row.strategy == row.model ? "" : "<small>\(escaped(row.strategy))</small>")
      }
      var ranking = HTMLTable(["strategy", "AUC within folds", "difference", "what an epoch of fold 0 shows"])
      for row in comparison.rows {
        ranking.append([
          name(row), row.area.value.map { number($0) } ?? undefined(row.area), difference(row.areaDifference),
          "<span class=\"wrap\">\(escaped(row.shown))</span>",
        ])
      }
      return "<p><b>\(escaped(comparison.architecture))</b> (\(escaped(comparison.modality))) under "
        + "\(comparison.rows.count) answers to unequal classes, on the same \(comparison.real) real and \(comparison.fake) "
        + "fake test items, by the \(escaped(comparison.modality)) label.</p><ul class=\"remarks\">"
        + comparison.verdicts.map { "<li>\(escaped($0))</li>" }.joined() + "</ul>"
        + "<h3>At the tuned thresholds</h3>" + table(\.chosen) + "<h3>At 0.5</h3>" + table(\.atHalf)
        + "<h3>Ranking, and what was shown</h3>" + ranking.html
    }.joined()
      + "<p class=\"note\">Thresholds were chosen on validation parts, fold by fold. Differences are paired: both strategies' "
      + "decisions on the same items, resampled together over groups (95 %); not adjusted for the number of strategies. "
      + "<code>Results/balance_comparison.csv</code>.</p>"
  }
}
