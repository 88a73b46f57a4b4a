public import Foundation
public import Reports

/// Builds the report of a run directory again: `Results/`, `Figures/` and `report.html` from `report.json` and `Scores/`, with
/// the ledger's present count of test scores.
///
/// - Throws: as `ReportWriter.rebuild`.
public func rebuildReport(of directory: URL) throws -> ReportWriter.Outcome {
  try ReportWriter.rebuild(directory) { report in
    guard let inputs = try? RunInputs(folder: directory) else { return }
    let scorings = RunMerge.testScorings(of: directory, inputs)
    if !scorings.isEmpty { report.testScorings = scorings }
  }
}
