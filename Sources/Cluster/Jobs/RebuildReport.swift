import Datasets
import Files
public import Foundation
import Ledger
public import Reports

/// Builds the report of a run directory again: `Results/`, `Figures/` and `report.html` from `report.json` and `Scores/`, with
/// the ledger's present count of test scores. Of a run that has not come to its end it reports what did, from `Work/`.
///
/// - Throws: as `ReportWriter.rebuild`; `FileProblem` for a folder that is no run's.
public func rebuildReport(of directory: URL) throws -> ReportWriter.Outcome {
  let inputs = try? RunInputs(folder: directory)
  let facts = directory.appending(path: "report.json")
  let hasReport = FileManager.default.fileExists(atPath: facts.path)
  if let inputs, !hasReport || ReportWriter.isUnfinished(facts) {
    let ledger = try LedgerReader(directory: directory)
    let jobs = RunGraph.jobs(of: inputs.experiment, samples: inputs.dataset.samples.count, folds: inputs.plan.count)
    let unfinished = RunReport.Unfinished(
      done: try ledger.jobs().count(where: \.isDone), jobs: jobs.count, givenUp: try RunMerge.givenUp(ledger))
    return try RunMerge(inputs: inputs, directory: directory, unfinished: unfinished).write(nil)
  }
  guard hasReport else {
    throw FileProblem(
      path: directory.path, reason: "there is no run here, as it has neither experiment.json nor report.json",
      advice: "name the folder that --output gave the run")
  }
  return try ReportWriter.rebuild(directory) { report in
    guard let inputs else { return }
    let scorings = RunMerge.testScorings(of: directory, inputs)
    if !scorings.isEmpty { report.testScorings = scorings }
  }
}

extension RunMerge {
  /// The jobs that were given up, with their reasons.
  static func givenUp(_ ledger: LedgerReader) throws -> [RunReport.Failure] {
    try ledger.jobs().filter { !$0.isDone }.map { job in
      RunReport.Failure(subject: job.id, stage: String(job.id.prefix { $0 != "/" }), reason: job.why)
    }
  }
}
