import Evaluation
import Files
import Foundation

/// A table with a file name: rows of text under column names.
struct ResultTable: Sendable {
  let file: String
  let columns: [String]
  private(set) var rows: [[String]] = []

  init(_ file: String, _ columns: [String]) { (self.file, self.columns) = (file, columns) }

  mutating func append(_ row: [String]) {
    precondition(row.count == columns.count, "\(file): \(row.count) cells under \(columns.count) columns")
    rows.append(row)
  }

  var csv: String {
    var writer = CSVWriter(header: columns)
    for row in rows { writer.append(row) }
    return writer.text
  }
}

/// A number as CSV files hold it: six decimals; very small ones (p-values) in the exponent form.
func cell(_ value: Double?) -> String {
  guard let value else { return "" }
  if value != 0, abs(value) < 1e-4 { return String(format: "%.6e", value) }
  return String(format: "%.6f", value)
}

func cell(_ measure: Measure) -> String { cell(measure.value) }
func cell(_ number: Int?) -> String { number.map(String.init) ?? "" }

/// Every file of `Results/`. Columns whose name begins with `time_` hold times, which differ between equal runs; all
/// others are the same bytes. An empty cell is an undefined value; its reason stands in `note`.
extension RunAnalysis {
  var tables: [ResultTable] {
    var tables = ["image", "audio", "video"].map { modality in
      comparison("\(modality)_baseline_results.csv") { $0.modality == modality }
    }
    tables.append(comparison("fusion_comparison.csv") { $0.role == .fusion || $0.role == .model })
    tables += [
      complete, kindTable, statistics, thresholdTable, calibrationTable, probeTable, selectionTable, failureTable,
    ]
    if !cross.isEmpty { tables.append(crossTable) }
    if !seeds.isEmpty { tables.append(seedTable) }
    return tables
  }

  /// The columns of the comparison table, in the design's order.
  static let compared = ["accuracy", "precision", "recall", "f1", "auc", "eer"]

  /// Model, modality, the metrics' mean and spread over folds, the pooled AUC with intervals, sizes and times.
  private func comparison(_ file: String, _ chosen: (Entry) -> Bool) -> ResultTable {
    var table = ResultTable(
      file,
      ["model", "modality", "kind", "architecture", "folds", "items", "failed"]
        + Self.compared.flatMap { [$0, "\($0)_sd"] }
        + [
          "auc_within_folds", "auc_delong_low", "auc_delong_high", "auc_bootstrap_low", "auc_bootstrap_high",
          "pooled_auc",
          "sample_auc", "parameters", "time_training_minutes", "time_inference_ms", "note",
        ])
    for entry in entries where chosen(entry) {
      let spreads = Self.compared.map(entry.spread)
      let notes =
        zip(Self.compared, spreads).compactMap { name, spread in
          spread.undefined > 0
            ? "\(name) undefined in \(spread.undefined) folds: \(spread.mean.reason ?? "one class")" : nil
        } + entry.warnings
      table.append(
        [
          entry.name, entry.modality, entry.role.rawValue, entry.architecture, "\(entry.folds.count)",
          "\(entry.scores.count)", "\(entry.failed.values.reduce(0, +))",
        ] + spreads.flatMap { [cell($0.mean), cell($0.deviation)] }
          + [
            cell(entry.area), cell(entry.delong?.lower), cell(entry.delong?.upper),
            cell(entry.bootstrap?.lower), cell(entry.bootstrap?.upper), cell(entry.pooled["auc"]),
            cell(entry.allFakes.area),
            cell(entry.facts?.parameters), cell(entry.facts?.trainingMinutes), cell(entry.facts?.inferenceMilliseconds),
            notes.joined(separator: "; "),
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
        "model", "kind", "modality", "type", "seen", "fakes", "reals", "auc", "delong_low", "delong_high",
        "bootstrap_low",
        "bootstrap_high", "pooled_auc", "note",
      ])
    for entry in entries {
      var slices = entry.kinds
      if visibleKinds.count < kinds.count, visibleKinds.count > 1 { slices.append(entry.visibleFakes) }
      for slice in slices + [entry.allFakes] {
        table.append([
          entry.name, entry.role.rawValue, entry.modality, slice.name, slice.seen ? "yes" : "no", "\(slice.fakes)",
          "\(slice.reals)",
          cell(slice.area), cell(slice.delong?.lower), cell(slice.delong?.upper), cell(slice.bootstrap?.lower),
          cell(slice.bootstrap?.upper), cell(slice.pooled), slice.area.reason ?? "",
        ])
      }
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
        "nadeau_bengio_t", "nadeau_bengio_p", "balanced_accuracy_difference", "balanced_accuracy_low",
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
      cells += [cell(pair.folds?.t.value), cell(pair.folds?.p.value)]
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

  private var thresholdTable: ResultTable {
    var table = ResultTable(
      "thresholds.csv", ["model", "fold", "threshold", "validation_items", "note"])
    for entry in entries where entry.name != "constant" {
      for fold in entry.folds {
        table.append([
          entry.name, "\(fold.fold)", cell(fold.threshold), "\(fold.validationItems)", fold.thresholdNote ?? "",
        ])
      }
    }
    return table
  }

  /// Calibration of pooled test scores, as scored and after calibration on each fold's validation part.
  private var calibrationTable: ResultTable {
    let metrics = ["brier", "log_loss", "ece", "ece_equal_mass", "mce", "cllr"]
    var table = ResultTable("calibration.csv", ["model", "calibration"] + metrics)
    for entry in entries where entry.name != "constant" {
      for (name, values) in [("none", entry.pooled)] + entry.calibrated.sorted(by: { $0.key < $1.key }) {
        table.append([entry.name, name] + metrics.map { cell(values[$0]) })
      }
    }
    return table
  }

  private var selectionTable: ResultTable {
    var table = ResultTable("selections.csv", ["chosen_on_validation", "count", "among"])
    for selection in selections { table.append([selection.what, "\(selection.count)", selection.among]) }
    return table
  }

  private var failureTable: ResultTable {
    let models = entries.filter { $0.role == .model }.map(\.name)
    var table = ResultTable(
      "failure_cases.csv",
      ["kind", "model", "dataset", "sample", "label", "type", "margin"] + models.map { "score_\($0)" })
    for found in failures {
      table.append(
        [
          found.kind.rawValue, found.model, found.sample.dataset, found.sample.sample, found.label.rawValue, found.type,
          cell(found.margin),
        ] + models.map { cell(found.scores[$0]) })
    }
    return table
  }

  /// Every model on every data set.
  private var crossTable: ResultTable {
    var table = ResultTable(
      "cross_evaluation.csv",
      [
        "model", "fold", "name", "trained_on", "tested_on", "fakes", "reals", "auc", "delong_low", "delong_high",
        "bootstrap_low", "bootstrap_high", "note",
      ])
    for result in cross {
      let slice = result.slice
      table.append([
        result.model, result.fold.map(String.init) ?? "all", result.name, result.trainedOn, result.testedOn,
        "\(slice.fakes)", "\(slice.reals)", cell(slice.area), cell(slice.delong?.lower), cell(slice.delong?.upper),
        cell(slice.bootstrap?.lower), cell(slice.bootstrap?.upper), slice.area.reason ?? "",
      ])
    }
    return table
  }

  /// Every metric of every seed, then mean and standard deviation over seeds.
  private var seedTable: ResultTable {
    var table = ResultTable("seeds.csv", ["model", "seed", "auc_within_folds"] + Metric.all.map(\.name))
    for result in seeds {
      for one in result.seeds {
        table.append([result.model, "\(one.seed)", cell(one.area)] + Metric.all.map { cell(one.metrics[$0.name]) })
      }
      let spreads = Metric.all.map { result.spread($0.name) }
      table.append([result.model, "mean", cell(result.area.mean)] + spreads.map { cell($0.mean) })
      table.append([result.model, "sd", cell(result.area.deviation)] + spreads.map { cell($0.deviation) })
    }
    return table
  }

  private var probeTable: ResultTable {
    var table = ResultTable(
      "shortcut_probes.csv",
      [
        "probe", "unit", "items", "auc", "delong_low", "delong_high", "bootstrap_low", "bootstrap_high", "shortcut",
        "note",
      ])
    for probe in probes {
      table.append([
        probe.name, probe.unit, "\(probe.items)", cell(probe.area), cell(probe.delong?.lower),
        cell(probe.delong?.upper),
        cell(probe.bootstrap?.lower), cell(probe.bootstrap?.upper), probe.isShortcut ? "yes" : "no",
        probe.area.reason ?? "",
      ])
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

/// A number for people: the six decimals of the CSV files cut down, so that both agree to the last digit.
func number(_ value: Double, _ digits: Int = 3) -> String {
  let shown = digits < 6 && abs(value) < 1e9 ? Double(String(format: "%.6f", value))! : value
  return String(format: "%.\(digits)f", shown)
}
