import Evaluation

/// Tables of what was known before any score: data, folds, leaks, failures, provenance.
extension RunAnalysis {
  static func factTables(_ report: RunReport) -> [ResultTable] {
    var statistics = ResultTable(
      "dataset_statistics.csv", ["dataset", "modality", "real", "fake", "ratio", "verdict", "advice"])
    for row in report.statistics {
      statistics.append([
        row.dataset, row.modality, "\(row.real)", "\(row.fake)", cell(row.ratio), row.verdict, row.advice,
      ])
    }
    var folds = ResultTable("fold_counts.csv", ["fold", "part", "real", "fake", "groups"])
    for row in report.folds {
      folds.append(["\(row.fold)", row.part, "\(row.real)", "\(row.fake)", "\(row.groups)"])
    }
    var leaks = ResultTable("leak_report.csv", ["check", "found", "checked", "detail"])
    for row in report.leaks { leaks.append([row.name, "\(row.found)", "\(row.checked)", row.detail]) }
    var failures = ResultTable("failures.csv", ["subject", "stage", "reason"])
    for row in report.failures { failures.append([row.subject, row.stage, row.reason]) }
    var provenance = ResultTable("provenance.csv", ["what", "name", "value"])
    for fact in report.hashes { provenance.append(["sha256", fact.name, fact.value]) }
    for seed in report.seeds { provenance.append(["seed", "seed", "\(seed)"]) }
    for fact in report.versions { provenance.append(["version", fact.name, fact.value]) }
    // A job that was done again after a fault was counted again, so these may differ between equal runs.
    var scorings = ResultTable("test_scorings.csv", ["model", "folds", "time_computed", "time_predicted"])
    for row in report.testScorings {
      scorings.append([row.model, "\(row.folds)", "\(row.computed)", "\(row.predicted)"])
    }
    return [statistics, folds, leaks, failures, provenance, scorings]
  }
}

extension RunReport.DatasetStatistics {
  /// Items of the larger class to one of the smaller; nil with one class.
  var ratio: Double? {
    min(real, fake) == 0 ? nil : Double(max(real, fake)) / Double(min(real, fake))
  }
}
