import Evaluation
import Foundation

/// The page's sections on data, thresholds, tests, failures and configuration.
extension Page {
  var data: String {
    var statistics = HTMLTable(["data set", "modality", "real", "fake", "ratio", "verdict", "advice"])
    for row in report.statistics {
      let (most, least) = (max(row.real, row.fake), min(row.real, row.fake))
      let ratio = least == 0 ? "one class" : number(Double(most) / Double(least), 1) + " : 1"
      statistics.append([
        escaped(row.dataset), escaped(row.modality), grouped(row.real), grouped(row.fake), ratio,
        "<span class=\"verdict \(row.verdict.lowercased())\">\(escaped(row.verdict))</span>", escaped(row.advice),
      ])
    }
    // One row a fold: real / fake (groups) of each part.
    let parts = ["train", "validation", "test"].filter { part in report.folds.contains { $0.part == part } }
    var folds = HTMLTable(["fold"] + parts.flatMap { ["\($0): real", "fake", "groups"] })
    for fold in Set(report.folds.map(\.fold)).sorted() {
      var cells = ["\(fold)"]
      for part in parts {
        let row = report.folds.first { $0.fold == fold && $0.part == part }
        cells += [row?.real, row?.fake, row?.groups].map { $0.map(grouped) ?? "–" }
      }
      folds.append(cells)
    }
    var leaks = HTMLTable(["check", "found", "looked at", "detail"])
    for row in report.leaks {
      leaks.append([
        escaped(row.name), row.found == 0 ? "0" : "<b class=\"warn\">\(row.found)</b>", "\(row.checked)",
        escaped(row.detail),
      ])
    }
    var probes = HTMLTable(["quantity", "samples", "AUC", "95 % interval", "verdict"])
    for probe in analysis.probes {
      // Frequencies among others below 0.5: where each person has one of each, they are the wrong way round by themselves.
      let verdict =
        probe.isShortcut
        ? "<b class=\"warn\">a shortcut</b>"
        : probe.isOneSided && (probe.area.value ?? 1) < 0.5
          ? "tells nothing"
          : probe.interval.map { $0.contains(0.5) ? "chance" : "weak" } ?? (probe.area.reason.map(escaped) ?? "")
      probes.append([
        "\(escaped(probe.name)) <small>\(escaped(probe.unit))</small>", "\(probe.items)",
        probe.area.value.map { number($0) } ?? undefined(probe.area), probe.interval.map(bracket) ?? "–", verdict,
      ])
    }
    return "<h3>Counts and balance</h3>" + statistics.orNone("No statistics were recorded.")
      + "<h3>Folds</h3>" + folds.orNone("No folds were recorded.")
      + "<h3>Leak report</h3>" + leaks.orNone("Leaks were not checked.")
      + "<h3>Shortcuts</h3><p>Quantities that should tell nothing about the label, each used alone as a score.</p>"
      + probes.orNone("No probes were measured.")
  }

  var thresholds: String {
    var table = HTMLTable(
      ["model"] + foldNumbers.map { "fold \($0)" } + [
        "F1 chosen", "F1 at 0.5", "balanced accuracy chosen", "balanced accuracy at 0.5", "accuracy chosen",
        "accuracy at 0.5",
      ])
    let methods = Set(analysis.entries.flatMap(\.calibrated.keys)).sorted()
    var calibration = HTMLTable(
      ["model", "Brier", "log loss", "ECE", "ECE (equal mass)", "Cllr"] + methods.map { "ECE, \($0)" })
    for entry in analysis.entries where entry.name != "constant" {
      let byFold = Dictionary(uniqueKeysWithValues: entry.folds.map { ($0.fold, $0) })
      let cells = foldNumbers.map { fold -> String in
        guard let result = byFold[fold] else { return "–" }
        return number(result.threshold) + (result.thresholdNote == nil ? "" : "*")
      }
      let decisions = [
        entry.pooled["f1"], entry.pooledAtHalf["f1"], entry.pooled["balanced_accuracy"],
        entry.pooledAtHalf["balanced_accuracy"], entry.pooled["accuracy"], entry.pooledAtHalf["accuracy"],
      ].map { $0.value.map { number($0) } ?? undefined($0) }
      table.append(["<b>\(escaped(entry.name))</b>"] + cells + decisions, group: entry.role.rawValue)
      calibration.append(
        ["<b>\(escaped(entry.name))</b>"]
          + ["brier", "log_loss", "ece", "ece_equal_mass", "cllr"].map { name in
            let value = entry.pooled[name]
            return value.value.map { number($0) } ?? undefined(value)
          }
          + methods.map { entry.calibrated[$0].map { area($0["ece"]) } ?? "–" }, group: entry.role.rawValue)
    }
    var selections = HTMLTable(["chosen", "times", "among"])
    for selection in analysis.selections {
      selections.append([escaped(selection.what), grouped(selection.count), escaped(selection.among)])
    }
    let notes = Set(analysis.entries.flatMap { $0.folds.compactMap(\.thresholdNote) }).sorted()
    return
      "<p>Each fold's threshold was chosen on its validation part by the rule <b>\(escaped(report.thresholdRule.text))"
      + "</b> (\(escaped(report.thresholdRule.explanation))), then frozen and applied to its test part; 0.5 stands beside.</p>"
      + table.html + notes.map { "<p class=\"note\">* \(escaped($0)).</p>" }.joined()
      + "<h3>What validation chose</h3>" + selections.html
      + "<p class=\"note\">Each choice is a chance to fit the validation parts; no test score had a part in any.</p>"
      + "<h3>Calibration</h3>" + calibration.html
      + "<p class=\"note\">All folds' test scores together, as they are and after calibration on each fold's validation part. ECE is biased upwards for few samples; Cllr above 1 is worse "
      + "than no information.</p>"
  }

  private var foldNumbers: [Int] { Set(analysis.entries.flatMap { $0.folds.map(\.fold) }).sorted() }

  var tests: String {
    guard let chosen = analysis.chosen else { return "<p>There is nothing to compare.</p>" }
    var table = HTMLTable([
      "\(escaped(chosen.name)) against", "AUC", "its AUC", "difference", "DeLong 95 %", "groups 95 %", "p (Holm)",
      "only it right / only the other", "McNemar p", "over folds p",
    ])
    for pair in analysis.comparisons.filter({ $0.scope == RunAnalysis.allScope }).map(\.pair) {
      guard pair.first == chosen.name || pair.second == chosen.name else { continue }
      let straight = pair.first == chosen.name
      let sign = straight ? 1.0 : -1
      let ends = { (interval: Interval?) -> String in
        guard let interval else { return "–" }
        let ends = [interval.lower * sign, interval.upper * sign].sorted()
        return "[\(signed(ends[0])), \(signed(ends[1]))]"
      }
      let (mine, other) = (
        straight ? pair.firstArea : pair.secondArea, straight ? pair.secondArea : pair.firstArea
      )
      let counts = [pair.mcNemar.onlyFirst, pair.mcNemar.onlySecond]
      table.append([
        "<b>\(escaped(straight ? pair.second : pair.first))</b>", number(mine), number(other),
        signed(pair.delong.difference * sign), ends(pair.delong.interval), ends(pair.bootstrap),
        probability(pair.adjustedP, bare: true),
        "\(counts[straight ? 0 : 1]) / \(counts[straight ? 1 : 0])", probability(pair.mcNemarP, bare: true),
        probability(pair.folds?.p.value, bare: true),
      ])
    }
    let all = analysis.comparisons.filter { $0.scope == RunAnalysis.allScope }
    let pairs = all.count
    let differ = all.filter { ($0.pair.adjustedP ?? 1) < 0.05 }
    let verdict =
      all.isEmpty
      ? ""
      : differ.isEmpty
        ? "<p>No two models differ in AUC at 0.05 after Holm's adjustment over all \(pairs) pairs.</p>"
        : "<p>\(differ.count) of \(pairs) pairs differ in AUC at 0.05 after Holm's adjustment.</p>"
    return verdict + table.orNone("There are too few samples for a paired test.") + decisions(all)
      + "<p class=\"note\">All fakes, by the sample's own label, on samples that both scored. p: DeLong's test of the "
      + "AUCs within folds, adjusted by Holm over all \(pairs) pairs. Groups: bootstrap over groups, which respects that clips "
      + "of one person are alike; believe it where the two intervals differ. Over folds: Nadeau and Bengio's corrected t of "
      + "the folds' AUCs. Every pair, also per kind: <code>Results/statistical_analysis.csv</code>.</p>"
  }

  /// Balanced accuracy of each pair at the chosen thresholds and at 0.5, and a plain word where nothing differs.
  private func decisions(_ all: [RunAnalysis.Comparison]) -> String {
    var table = HTMLTable(["pair", "at chosen thresholds", "95 %", "at 0.5", "95 %"])
    func apart(_ found: RunAnalysis.DecisionDifference?) -> Bool {
      found?.interval.map { !$0.contains(0) } ?? false
    }
    func cells(_ found: RunAnalysis.DecisionDifference?) -> [String] {
      guard let found else { return ["–", "–"] }
      let value = apart(found) ? "<b>\(signed(found.difference))</b>" : signed(found.difference)
      return [value, found.interval.map { "[\(signed($0.lower)), \(signed($0.upper))]" } ?? "–"]
    }
    for found in all {
      table.append(
        ["\(escaped(found.pair.first)) less \(escaped(found.pair.second))"] + cells(found.chosen)
          + cells(found.atHalf))
    }
    guard !all.isEmpty else { return "" }
    let (chosen, half) = (all.count { apart($0.chosen) }, all.count { apart($0.atHalf) })
    func word(_ count: Int) -> String {
      count == 0 ? "no pair differs" : "\(count) of \(all.count) pairs differ"
    }
    return
      "<h3>Decisions</h3><p>Balanced accuracy: at the chosen thresholds \(word(chosen)), at 0.5 \(word(half)) (the 95 % "
      + "interval over groups leaves out 0; not adjusted for the number of pairs).</p>"
      + "<details><summary>All \(all.count) pairs</summary>\(table.html)</details>"
  }

  var failures: String {
    var table = HTMLTable(["what", "stage", "reason"])
    let shown = 200
    for failure in report.failures.prefix(shown) {
      table.append([escaped(failure.subject), escaped(failure.stage), escaped(failure.reason)])
    }
    var unscored = HTMLTable(["model", "reason", "test samples"])
    for entry in analysis.entries {
      for (reason, count) in entry.failed.sorted(by: { $0.key < $1.key }) {
        unscored.append([escaped(entry.name), escaped(reason), "\(count)"])
      }
    }
    let more = report.failures.count - shown
    return table.orNone("No file and no job failed.")
      + (more > 0 ? "<p class=\"note\">And \(grouped(more)) more, all in <code>report.json</code>.</p>" : "")
      + "<h3>Samples without a score</h3>" + unscored.orNone("Every test sample has a score from every model.")
  }

  var configuration: String {
    func list(_ title: String, _ facts: [RunReport.Fact]) -> String {
      guard !facts.isEmpty else { return "" }
      var table = HTMLTable(["", ""])
      for fact in facts { table.append([escaped(fact.name), "<span class=\"wrap\">\(escaped(fact.value))</span>"]) }
      return "<h3>\(title)</h3>" + table.html
    }
    var files = HTMLTable(["file", "bytes", "SHA-256"])
    for file in report.files {
      files.append([escaped(file.path), grouped(file.bytes), "<code>\(escaped(file.sha256))</code>"])
    }
    let seeds = report.seeds.map(String.init).joined(separator: ", ")
    return "<h3>Experiment</h3><pre>\(escaped(report.experiment.isEmpty ? "not recorded" : report.experiment))</pre>"
      + list("Hashes", report.hashes + (seeds.isEmpty ? [] : [RunReport.Fact("seeds", seeds)]))
      + list("Versions", report.versions) + list("Execution", report.execution)
      + (report.files.isEmpty
        ? "" : "<details><summary>\(report.files.count) files of the run</summary>\(files.html)</details>")
  }

  var methods: String {
    var table = HTMLTable(["metric", "column", "definition"])
    for metric in Metric.all {
      table.append([escaped(metric.title), "<code>\(metric.name)</code>", escaped(metric.explanation)])
    }
    var rules = HTMLTable(["fusion", "rule", "of"])
    for fusion in report.fusions {
      rules.append([
        escaped(fusion.name), escaped(fusion.rule.explanation), escaped(fusion.models.joined(separator: ", ")),
      ])
    }
    return
      "<p>Validation parts chose the epoch to keep, thresholds and fusion weights; no test score did. Intervals are "
      + "percentiles of a bootstrap over groups with a fixed seed, widened for few groups as Student's t is (Hesterberg 2015); where resampling cannot vary (a perfect AUC) Newcombe's "
      + "score interval stands instead. A value that does not exist is called undefined, with its reason, and is left out of "
      + "means.</p>" + rules.orNone("No fusions were made.")
      + "<details><summary>Definitions of \(Metric.all.count) metrics</summary>\(table.html)</details>"
  }

  func pair(_ a: String, _ b: String) -> PairedComparison? {
    analysis.comparisons.first { comparison in
      comparison.scope == RunAnalysis.allScope && Set([comparison.pair.first, comparison.pair.second]) == [a, b]
    }?.pair
  }
}
