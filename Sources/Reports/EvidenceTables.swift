import Evaluation

/// Tables of what stands behind the results: choices, calibration, shortcuts, seeds, failures.
extension RunAnalysis {
  var thresholdTable: ResultTable {
    var table = ResultTable(
      "thresholds.csv", ["model", "fold", "threshold", "validation_items", "note"])
    for entry in entries where !entry.isConstant {
      for fold in entry.folds {
        table.append([
          entry.name, "\(fold.fold)", cell(fold.threshold), "\(fold.validationItems)", fold.thresholdNote ?? "",
        ])
      }
    }
    return table
  }

  /// Calibration of pooled test scores, as scored and after calibration on each fold's validation part.
  var calibrationTable: ResultTable {
    let metrics = ["brier", "log_loss", "ece", "ece_equal_mass", "mce", "cllr"]
    var table = ResultTable("calibration.csv", ["model", "calibration"] + metrics)
    for entry in entries where !entry.isConstant {
      for (name, values) in [("none", entry.pooled)] + entry.calibrated.sorted(by: { $0.key < $1.key }) {
        table.append([entry.name, name] + metrics.map { cell(values[$0]) })
      }
    }
    return table
  }

  var selectionTable: ResultTable {
    var table = ResultTable("selections.csv", ["chosen_on_validation", "count", "among"])
    for selection in selections { table.append([selection.what, "\(selection.count)", selection.among]) }
    return table
  }

  var failureTable: ResultTable {
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
  var crossTable: ResultTable {
    var table = ResultTable(
      "cross_evaluation.csv",
      [
        "model", "fold", "name", "trained_on", "tested_on", "fakes", "reals", "auc",
      ] + Self.intervalColumns + ["note"])
    for result in cross {
      let slice = result.slice
      table.append(
        [
          result.model, result.fold.map(String.init) ?? "all", result.name, result.trainedOn, result.testedOn,
          "\(slice.fakes)", "\(slice.reals)", cell(slice.area),
        ] + Self.ends(slice.delong, slice.bootstrap) + [slice.area.reason ?? ""])
    }
    return table
  }

  /// Every metric of every seed, then mean and standard deviation over seeds.
  var seedTable: ResultTable {
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

  var probeTable: ResultTable {
    var table = ResultTable(
      "shortcut_probes.csv",
      ["probe", "unit", "items", "auc"] + Self.intervalColumns + ["shortcut", "note"])
    for probe in probes {
      table.append(
        [probe.name, probe.unit, "\(probe.items)", cell(probe.area)] + Self.ends(probe.delong, probe.bootstrap)
          + [probe.isShortcut ? "yes" : "no", probe.area.reason ?? ""])
    }
    return table
  }

  /// Frames, windows and clips judged for themselves, and the samples' AUC by every rule of making one score.
  var frameTable: ResultTable {
    var table = ResultTable(
      "frame_level_results.csv",
      [
        "model", "unit", "count", "samples", "auc_within_folds", "bootstrap_low", "bootstrap_high", "average_precision",
        "eer_interp",
      ] + FrameRule.allCases.map { "sample_auc_\($0.rawValue.replacing("-", with: "_"))" })
    for frame in frames {
      let level = frame.level
      table.append(
        [
          frame.model, frame.unit, "\(level.items)", "\(level.samples)", cell(level.area), cell(level.bootstrap?.lower),
          cell(level.bootstrap?.upper), cell(level.metrics["average_precision"]), cell(level.metrics["eer_interp"]),
        ] + FrameRule.allCases.map { rule in cell(level.rules.first { $0.rule == rule }?.area.value) })
    }
    return table
  }

  /// Test samples that have no score, by reason.
  var unscoredTable: ResultTable {
    var table = ResultTable("unscored_samples.csv", ["model", "reason", "items"])
    for entry in entries {
      for (reason, count) in entry.failed.sorted(by: { $0.key < $1.key }) {
        table.append([entry.name, reason, "\(count)"])
      }
    }
    return table
  }

  /// The bins of the reliability diagrams.
  var reliabilityTable: ResultTable {
    var table = ResultTable(
      "reliability.csv",
      ["model", "calibration", "bins", "bin", "items", "mean_score", "share_of_fakes", "difference", "ece"])
    for entry in entries where !entry.isConstant {
      for (name, tables) in entry.reliability.sorted(by: { $0.key < $1.key }) {
        for (bins, found) in [("equal_width", tables.equalWidth), ("equal_mass", tables.equalMass)] {
          for bin in found.bins {
            table.append([
              entry.name, name, bins, "\(bin.index)", "\(bin.count)", cell(bin.confidence), cell(bin.accuracy),
              cell(bin.accuracy - bin.confidence), cell(found.expected),
            ])
          }
        }
      }
    }
    return table
  }

  /// What the undecided band does to test items.
  var bandTable: ResultTable {
    var table = ResultTable(
      "undecided.csv",
      [
        "model", "error_rate", "items", "undecided", "coverage", "accuracy_decided", "accused", "missed",
        "accuracy_all",
      ])
    for entry in entries {
      guard let band = entry.band else { continue }
      let outcome = band.outcome
      table.append([
        entry.name, cell(band.errorRate), "\(outcome.items)", "\(outcome.undecided)", cell(band.coverage),
        cell(band.accuracy), "\(outcome.accused)", "\(outcome.missed)", cell(entry.pooled["accuracy"]),
      ])
    }
    return table
  }
}
