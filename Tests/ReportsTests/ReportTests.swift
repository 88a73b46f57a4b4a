import Evaluation
import Files
import Foundation
import Testing

@testable import Reports

@Suite struct `report of a run` {
  @Test func `is written`() throws {
    let run = try SyntheticRun()
    let out =
      ProcessInfo.processInfo.environment["UNMASK_REPORT_OUT"].map { URL(fileURLWithPath: $0) }
      ?? FileManager.default.temporaryDirectory.appending(path: "unmask-report-\(UUID().uuidString)")
    let outcome = try ReportWriter.write(run.report, scores: run.scores, to: out)
    print(outcome.table)
  }
}
