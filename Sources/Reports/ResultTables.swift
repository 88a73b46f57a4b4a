import Evaluation
import Files
import Foundation

/// Every file of `Results/`. Columns whose name begins with `time_` hold times, which differ between equal runs; all
/// others are the same bytes. An empty cell is an undefined value; its reason stands in `note`.
extension RunAnalysis {
  func tables(_ report: RunReport) -> [ResultTable] {
    var tables = ["image", "audio", "video"].map { modality in
      comparison("\(modality)_baseline_results.csv") { $0.modality == modality }
    }
    tables.append(comparison("comparison_table.csv") { _ in true })
    tables.append(
      comparison("fusion_comparison.csv") {
        $0.role != .baseline || $0.isConstant && $0.modality == Self.sampleLabel
      })
    tables += [complete, kindTable, statistics, rankTable, thresholdTable, calibrationTable, reliabilityTable]
    tables += [probeTable, selectionTable, failureTable, unscoredTable] + Self.factTables(report)
    if !frames.isEmpty { tables.append(frameTable) }
    if entries.contains(where: { $0.band != nil }) { tables.append(bandTable) }
    if !cross.isEmpty { tables.append(crossTable) }
    if !seeds.isEmpty { tables.append(seedTable) }
    if !balance.isEmpty { tables.append(balanceTable) }
    return tables
  }

  /// The columns of DeLong's interval and of the bootstrap's.
  static let intervalColumns = ["delong_low", "delong_high", "bootstrap_low", "bootstrap_high"]

  /// The ends of intervals, cell by cell.
  static func ends(_ intervals: Interval?...) -> [String] {
    intervals.flatMap { [cell($0?.lower), cell($0?.upper)] }
  }

  /// The columns of the comparison table, in the design's order.
  static let compared = ["accuracy", "precision", "recall", "f1", "auc", "eer", "eer_interp"]

  /// Model, modality, the metrics' mean and spread over folds, the pooled AUC with intervals, sizes and times.
  private func comparison(_ file: String, _ chosen: (Entry) -> Bool) -> ResultTable {
    var table = ResultTable(
      file,
      ["model", "modality", "kind", "architecture", "folds", "items", "failed"]
        + Self.compared.flatMap { [$0, "\($0)_sd"] }
        + [
          "auc_within_folds", "auc_delong_low", "auc_delong_high", "auc_bootstrap_low", "auc_bootstrap_high",
          "pooled_auc", "sample_auc", "parameters", "time_training_minutes", "time_inference_ms", "note",
        ])
    for entry in entries where chosen(entry) {
      let spreads = Self.compared.map(entry.spread)
      let notes =
        zip(Self.compared, spreads).compactMap { name, spread in
          spread.undefined > 0
            ? "\(name) undefined in \(counted(spread.undefined, "fold")): \(spread.mean.reason ?? "one class")" : nil
        } + entry.warnings
      table.append(
        [
          entry.name, entry.modality, entry.role.rawValue, entry.architecture, "\(entry.folds.count)",
          "\(entry.scores.count)", "\(entry.failed.values.reduce(0, +))",
        ] + spreads.flatMap { [cell($0.mean), cell($0.deviation)] }
          + [
            cell(entry.area)
          ] + Self.ends(entry.delong, entry.bootstrap)
          + [
            cell(entry.pooled["auc"]), cell(entry.allFakes.area), cell(entry.facts?.parameters),
            cell(entry.facts?.trainingMinutes), cell(entry.facts?.inferenceMilliseconds), notes.joined(separator: "; "),
          ])
    }
    return table
  }

  /// Every metric of every entry: per fold, mean, standard deviation and pooled, at the chosen threshold and at 0.5.
  private var complete: ResultTable {
    var table = ResultTable(
      "complete_results.csv",
      ["model", "kind", "modality", "architecture", "fold", "threshold_rule", "threshold", "items", "fakes", "failed"]
        + Metric.all.map(\.name) + ["note"])
    for entry in entries {
      func add(_ fold: String, _ rule: String, _ threshold: String, _ counts: [Int?], _ values: (Metric) -> Measure) {
        let measures = Metric.all.map(values)
        let notes = zip(Metric.all, measures).compactMap { metric, measure in
          measure.reason.map { "\(metric.name): \($0)" }
        }
        table.append(
          [entry.name, entry.role.rawValue, entry.modality, entry.architecture, fold, rule, threshold]
            + counts.map { cell($0) } + measures.map { cell($0) } + [notes.joined(separator: "; ")])
      }
      let fakes = entry.confusion.truePositives + entry.confusion.falseNegatives
      let failed = entry.failed.values.reduce(0, +)
      for fold in entry.folds {
        add("\(fold.fold)", "chosen", cell(fold.threshold), [fold.items, fold.fakes, fold.failed]) {
          fold.metrics[$0.name]
        }
        add("\(fold.fold)", "0.5", "0.500000", [fold.items, fold.fakes, fold.failed]) { fold.atHalf[$0.name] }
      }
      add("mean", "chosen", "", [nil, nil, nil]) { entry.spread($0.name).mean }
      add("sd", "chosen", "", [nil, nil, nil]) { entry.spread($0.name).deviation }
      add("pooled", "chosen", "", [entry.scores.count, fakes, failed]) { entry.pooled[$0.name] }
      add("pooled", "0.5", "0.500000", [entry.scores.count, fakes, failed]) { entry.pooledAtHalf[$0.name] }
    }
    return table
  }

  /// AUC of real samples against each kind of fake, by the sample's own label.
  private var kindTable: ResultTable {
    var table = ResultTable(
      "per_kind_results.csv",
      [
        "model", "kind", "modality", "type", "seen", "fakes", "reals", "auc",
      ] + Self.intervalColumns + ["pooled_auc", "note"])
    for entry in entries where !entry.isConstant {
      var slices = entry.kinds
      if visibleKinds.count < kinds.count, visibleKinds.count > 1 { slices.append(entry.visibleFakes) }
      for slice in slices + [entry.allFakes] {
        table.append(
          [
            entry.name, entry.role.rawValue, entry.modality, slice.name, slice.seen ? "yes" : "no", "\(slice.fakes)",
            "\(slice.reals)", cell(slice.area),
          ] + Self.ends(slice.delong, slice.bootstrap) + [cell(slice.pooled), slice.area.reason ?? ""])
      }
    }
    return table
  }

  /// Mean ranks over folds, then Nemenyi's p of every pair.
  private var rankTable: ResultTable {
    var table = ResultTable(
      "friedman_nemenyi.csv",
      [
        "model_a", "model_b", "folds", "rank_a", "rank_b", "critical_difference", "nemenyi_p", "friedman_p",
        "iman_davenport_p",
      ])
    guard let ranking else { return table }
    let rank = Dictionary(uniqueKeysWithValues: ranking.ranks.map { ($0.model, $0.rank) })
    for pair in ranking.pairs {
      table.append([
        pair.first, pair.second, "\(ranking.folds)", cell(rank[pair.first]!), cell(rank[pair.second]!),
        cell(ranking.criticalDifference), cell(pair.p), cell(ranking.p), cell(ranking.imanDavenportP),
      ])
    }
    return table
  }

  /// Every pair of entries on the samples that both scored.
  private var statistics: ResultTable {
    var table = ResultTable(
      "statistical_analysis.csv",
      [
        "scope", "model_a", "model_b", "items", "auc_a", "auc_b", "difference", "delong_low", "delong_high", "delong_z",
        "delong_p", "delong_p_holm", "bootstrap_low", "bootstrap_high", "only_a_right", "only_b_right", "mcnemar_p",
        "nadeau_bengio_t", "nadeau_bengio_p", "wilcoxon_p", "balanced_accuracy_difference", "balanced_accuracy_low",
        "balanced_accuracy_high", "balanced_accuracy_at_half_difference", "balanced_accuracy_at_half_low",
        "balanced_accuracy_at_half_high", "note",
      ])
    for comparison in comparisons {
      let pair = comparison.pair
      var cells = [
        comparison.scope, pair.first, pair.second, "\(pair.items)", cell(pair.firstArea), cell(pair.secondArea),
      ]
      cells += [pair.delong.difference, pair.delong.interval.lower, pair.delong.interval.upper].map { cell($0) }
      cells += [pair.delong.z.value, pair.delong.p.value, pair.adjustedP, pair.bootstrap?.lower, pair.bootstrap?.upper]
        .map { cell($0) }
      cells += ["\(pair.mcNemar.onlyFirst)", "\(pair.mcNemar.onlySecond)", cell(pair.mcNemarP)]
      cells += [cell(pair.folds?.t.value), cell(pair.folds?.p.value), cell(pair.wilcoxonP)]
      for found in [comparison.chosen, comparison.atHalf] {
        cells += [found?.difference, found?.interval?.lower, found?.interval?.upper].map {
          cell($0)
        }
      }
      cells.append(pair.delong.z.reason ?? "")
      table.append(cells)
    }
    return table
  }

  /// The comparison table for a terminal.
  var terminalTable: String {
    var table = TextTable(
      [
        "model", "modality", "AUC (folds)", "AUC [95 % CI]", "sample AUC", "accuracy", "F1", "EER",
        "parameters",
        "min", "ms",
      ])
    func text(_ spread: Spread, _ digits: Int = 3) -> String {
      guard let mean = spread.mean.value else { return "undefined" }
      return number(mean, digits) + (spread.deviation.value.map { " ± " + number($0, digits) } ?? "")
    }
    for entry in entries {
      let interval = entry.interval.map { " [\(number($0.lower)), \(number($0.upper))]" } ?? ""
      table.append([
        entry.name, entry.modality, text(entry.spread("auc")),
        entry.area.value.map { number($0) + interval } ?? "undefined",
        entry.allFakes.area.value.map { number($0) } ?? "undefined", text(entry.spread("accuracy")),
        text(entry.spread("f1")), text(entry.spread("eer_interp")), cell(entry.facts?.parameters),
        entry.facts?.trainingMinutes.map { number($0, 1) } ?? "",
        entry.facts?.inferenceMilliseconds.map { number($0, 1) } ?? "",
      ])
    }
    return table.text
  }
}
