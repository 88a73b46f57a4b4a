import Evaluation
import Files
import Foundation

/// The page's sections on data, failures and configuration.
extension Page {
  var data: String {
    var statistics = HTMLTable(
      ["data set", "modality", "real", "fake", "ratio", "verdict", "advice"], csv: "dataset_statistics.csv")
    for row in report.statistics {
      let ratio = row.ratio.map { number($0, 1) + " : 1" } ?? "one class"
      statistics.append(
        [
          escaped(row.dataset), escaped(row.modality), grouped(row.real), grouped(row.fake), ratio,
          "<span class=\"verdict \(row.verdict.lowercased())\">\(escaped(row.verdict))</span>",
          "<span class=\"wrap\">\(escaped(row.advice))</span>",
        ], key: [row.dataset, row.modality])
    }
    // One row a fold: real / fake (groups) of each part.
    let parts = ["train", "validation", "test"].filter { part in report.folds.contains { $0.part == part } }
    var folds = HTMLTable(["fold"] + parts.flatMap { ["\($0): real", "fake", "groups"] }, csv: "fold_counts.csv")
    let names = Dictionary(report.scopes.map { ($0.fold, $0.name) }, uniquingKeysWith: { first, _ in first })
    for fold in Set(report.folds.map(\.fold)).sorted() {
      var cells = [
        names[fold].map { $0 == "\(fold)" ? $0 : "\(fold)<small><span class=\"wrap\">\(escaped($0))</span></small>" }
          ?? "\(fold)"
      ]
      for part in parts {
        let row = report.folds.first { $0.fold == fold && $0.part == part }
        cells += [row?.real, row?.fake, row?.groups].map { $0.map(grouped) ?? "–" }
      }
      folds.append(cells, key: ["\(fold)"])
    }
    var leaks = HTMLTable(["check", "found", "looked at", "detail"], csv: "leak_report.csv")
    for row in report.leaks {
      leaks.append(
        [
          escaped(row.name), row.found == 0 ? "0" : "<b class=\"warn\">\(row.found)</b>", "\(row.checked)",
          "<span class=\"wrap\">\(escaped(row.detail))</span>",
        ], key: [row.name])
    }
    var probes = HTMLTable(["quantity", "samples", "AUC", "95 % interval", "verdict"], csv: "shortcut_probes.csv")
    for probe in analysis.probes {
      // Frequencies among others below 0.5: where each person has one of each, they are the wrong way round by themselves.
      let verdict =
        probe.isShortcut
        ? "<b class=\"warn\">a shortcut</b>"
        : probe.isOneSided && (probe.area.value ?? 1) < 0.5
          ? "tells nothing"
          : probe.items == 0
            ? "the same for all"
            : probe.interval.map { $0.contains(0.5) ? "chance" : "weak" } ?? (probe.area.reason.map(escaped) ?? "")
      probes.append(
        [
          "\(escaped(probe.name)) <small>\(escaped(probe.unit))</small>", "\(probe.items)",
          probe.area.value.map { number($0) } ?? undefined(probe.area), probe.interval.map(bracket) ?? "–", verdict,
        ], key: [probe.name])
    }
    return "<h3>Counts and balance</h3>" + statistics.orNone("No statistics were recorded.")
      + "<h3>Folds</h3>" + folds.orNone("No folds were recorded.")
      + "<h3>Leak report</h3>" + leaks.orNone("Leaks were not checked.")
      + "<h3>Shortcuts</h3><p>Quantities that should tell nothing about the label, each used alone as a score.</p>"
      + probes.orNone("No probes were measured.")
  }

  var failures: String {
    var table = HTMLTable(["what", "stage", "reason"], csv: "failures.csv")
    let shown = 200
    for failure in report.failures.prefix(shown) {
      table.append([
        escaped(failure.subject), escaped(failure.stage), "<span class=\"wrap\">\(escaped(failure.reason))</span>",
      ])
    }
    var unscored = HTMLTable(["model", "reason", "test samples"], csv: "unscored_samples.csv")
    for entry in analysis.entries {
      for (reason, count) in entry.failed.sorted(by: { $0.key < $1.key }) {
        unscored.append(
          [escaped(entry.name), "<span class=\"wrap\">\(escaped(reason))</span>", "\(count)"],
          key: [entry.name, reason])
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
    return "<details><summary>The whole experiment</summary><pre>"
      + escaped(report.experiment.isEmpty ? "not recorded" : report.experiment) + "</pre></details>"
      + list("Versions", report.versions) + list("Execution", report.execution)
      + (report.files.isEmpty
        ? "" : "<details><summary>\(counted(report.files.count, "file")) of the run</summary>\(files.html)</details>")
  }

  var methods: String {
    var table = HTMLTable(["metric", "column", "definition"])
    for metric in Metric.all {
      table.append([escaped(metric.title), "<code>\(metric.name)</code>", escaped(metric.explanation)])
    }
    return
      "<p>Validation parts chose the epoch to keep, thresholds and fusion weights; no test score did. Intervals are "
      + "percentiles of a bootstrap over groups with a fixed seed, widened for few groups as Student's t is (Hesterberg 2015); where resampling cannot vary (a perfect AUC) Newcombe's "
      + "score interval stands instead. A value that does not exist is called undefined, with its reason, and is left out of "
      + "means.</p>"
      + "<details><summary>Definitions of \(Metric.all.count) metrics</summary>\(table.html)</details>"
  }
}
