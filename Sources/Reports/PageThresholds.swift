import Evaluation
import Foundation

/// The page's sections on what validation chose and on what scores mean.
extension Page {
  var thresholds: String {
    var table = HTMLTable(["model"] + foldNumbers.map { "fold \($0)" }, csv: "thresholds.csv")
    var decisions = HTMLTable(
      [
        "model", "F1 chosen", "F1 at 0.5", "balanced accuracy chosen", "balanced accuracy at 0.5", "accuracy chosen",
        "accuracy at 0.5",
      ], csv: "complete_results.csv")
    for entry in analysis.entries where !entry.isConstant {
      let byFold = Dictionary(uniqueKeysWithValues: entry.folds.map { ($0.fold, $0) })
      let cells = foldNumbers.map { fold -> String in
        guard let result = byFold[fold] else { return "–" }
        return number(result.threshold) + (result.thresholdNote == nil ? "" : "*")
      }
      table.append(["<b>\(escaped(entry.name))</b>"] + cells, group: entry.role.rawValue, key: [entry.name])
      let values = ["f1", "balanced_accuracy", "accuracy"].flatMap { [entry.pooled[$0], entry.pooledAtHalf[$0]] }
      decisions.append(
        ["<b>\(escaped(entry.name))</b>"] + values.map(area), group: entry.role.rawValue, key: [entry.name, "pooled"])
    }
    let notes = Set(analysis.entries.flatMap { $0.folds.compactMap(\.thresholdNote) }).sorted()
    return
      "<p>Each fold's threshold was chosen on its validation part by the rule <b>\(escaped(report.thresholdRule.text))"
      + "</b> (\(escaped(report.thresholdRule.explanation))), then frozen and applied to its test part. It travels in the "
      + "model file, and <code>unmask predict</code> applies it.</p>"
      + drawn("threshold_curves") + table.html + notes.map { "<p class=\"note\">* \(escaped($0)).</p>" }.joined()
      + "<h3>Decisions at the chosen thresholds and at 0.5</h3>" + decisions.html
      + "<p class=\"note\">All folds' test decisions together. Every metric of every fold at both: "
      + "<code>Results/complete_results.csv</code>.</p>" + undecided
  }

  /// What an undecided band does, where one was asked for.
  private var undecided: String {
    guard let rate = report.decision.undecided else { return "" }
    var table = HTMLTable(
      [
        "model", "undecided", "decided share", "accuracy of the decided", "accuracy of all", "real called fake",
        "fakes called real",
      ],
      csv: "undecided.csv")
    for entry in analysis.entries {
      guard let band = entry.band else { continue }
      table.append(
        [
          "<b>\(escaped(entry.name))</b>", "\(band.outcome.undecided) of \(band.outcome.items)", area(band.coverage),
          area(band.accuracy), area(entry.pooled["accuracy"]), "\(band.outcome.accused)", "\(band.outcome.missed)",
        ], group: entry.role.rawValue, key: [entry.name])
    }
    return
      "<h3>Undecided band</h3><p>Scores between two thresholds are left to a person. On its validation part each fold's band "
      + "is the narrowest that answers at most \(number(rate * 100, 1)) % of either class wrongly.</p>" + table.html
  }

  var calibration: String {
    let methods = Set(analysis.entries.flatMap(\.calibrated.keys)).sorted()
    let chosen = report.decision.calibration.rawValue
    var table = HTMLTable(
      ["model", "Brier", "log loss", "ECE", "ECE (equal mass)", "Cllr"] + methods.map { "ECE, \($0)" },
      csv: "calibration.csv")
    for entry in analysis.entries where !entry.isConstant {
      table.append(
        ["<b>\(escaped(entry.name))</b>"]
          + ["brier", "log_loss", "ece", "ece_equal_mass", "cllr"].map { area(entry.pooled[$0]) }
          + methods.map { entry.calibrated[$0].map { area($0["ece"]) } ?? "–" }, group: entry.role.rawValue,
        key: [entry.name])
    }
    return
      "<p>Whether a score of 0.8 means that four of five such items are fake. Predictions are calibrated by "
      + "<b>\(escaped(chosen))</b>, fitted on each fold's validation part.</p>" + drawn("reliability_diagrams")
      + table.html
      + "<p class=\"note\">All folds' test scores together, as they are and after calibration. ECE is of P(fake), and is biased "
      + "upwards for few samples; Cllr above 1 is worse than no information.</p>" + reliability
  }

  /// The bins behind the diagrams.
  private var reliability: String {
    var text = ""
    for entry in analysis.entries where entry.role != .baseline {
      guard let tables = entry.reliability["none"] else { continue }
      var table = HTMLTable(
        ["bins", "bin", "items", "mean score", "share of fakes", "difference"], csv: "reliability.csv")
      for (name, title, found) in [
        ("equal_width", "equal width", tables.equalWidth), ("equal_mass", "equal counts", tables.equalMass),
      ] {
        for bin in found.bins {
          table.append(
            [
              title, "\(bin.index)", "\(bin.count)", number(bin.confidence), number(bin.accuracy),
              signed(bin.accuracy - bin.confidence),
            ], group: name, key: [entry.name, "none", name, "\(bin.index)"])
        }
      }
      text += "<h3>\(escaped(entry.name))</h3>" + table.html
    }
    return text.isEmpty ? "" : "<details><summary>The bins behind the diagrams</summary>\(text)</details>"
  }

  private var foldNumbers: [Int] { Set(analysis.entries.flatMap { $0.folds.map(\.fold) }).sorted() }

  var training: String {
    let text = drawn("training_curves")
    return text.isEmpty ? "<p>No model was trained by epochs.</p>" : text
  }

  /// What a sceptic asks: what was chosen and on what, how often test scores were looked at, and what it all was made from.
  var honesty: String {
    var selections = HTMLTable(["chosen on validation", "times", "among"], csv: "selections.csv")
    for selection in analysis.selections {
      selections.append(
        [escaped(selection.what), grouped(selection.count), "<span class=\"wrap\">\(escaped(selection.among))</span>"],
        key: [selection.what])
    }
    var scorings = HTMLTable(
      ["model", "folds", "test scores computed", "test files predicted since"], csv: "test_scorings.csv")
    for row in report.testScorings {
      let again = row.computed > row.folds
      scorings.append(
        [
          "<b>\(escaped(row.model))</b>", "\(row.folds)",
          again ? "<b class=\"warn\">\(row.computed)</b>" : "\(row.computed)",
          row.predicted > 0 ? "<b class=\"warn\">\(row.predicted)</b>" : "\(row.predicted)",
        ], key: [row.model])
    }
    var hashes = HTMLTable(["", ""])
    let seeds = report.seeds.map(String.init).joined(separator: ", ")
    for fact in report.hashes + (seeds.isEmpty ? [] : [RunReport.Fact("seeds", seeds)]) {
      hashes.append([escaped(fact.name), "<code>\(escaped(fact.value))</code>"])
    }
    return "<h3>What validation chose</h3>" + selections.html
      + "<p class=\"note\">Each choice is a chance to fit the validation parts; no test score had a part in any. Training is given "
      + "the train and validation parts only, and a scorer no label.</p>"
      + "<h3>How often test scores were computed</h3>" + scorings.orNone("The ledger was not read.")
      + "<p class=\"note\">As the ledger (<code>run.sqlite</code>) has it: once a fold is the rule; more means that a job was done "
      + "again after a fault, with the same bits. Predictions of test files by <code>unmask predict</code> count too.</p>"
      + "<h3>What it was made from</h3>" + hashes.orNone("No hashes were recorded.")
      + "<p class=\"note\">SHA-256 of the experiment without paths, of the list of samples with their content hashes, of the "
      + "folds, and of the program. The <i>constant</i> rows of the comparison are what no model at all reaches.</p>"
  }
}
