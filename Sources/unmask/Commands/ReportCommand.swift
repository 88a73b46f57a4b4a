import ArgumentParser
import Cluster
import Foundation
import Reports

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report",
    abstract: "Build a run's report again: Results/, Figures/ and report.html from report.json and Scores/.",
    discussion: """
      Of a run that failed, or is still going on, it reports what has ended, and says what is missing and why.

      Example: unmask report runs/quickstart
      """)

  @Argument(help: ArgumentHelp("The run's directory.", valueName: "run"))
  var directory: String

  @Flag(help: "Write JSON to standard output.")
  var json = false

  private struct Answer: Encodable {
    let report: String
    let figures: Bool
    let note: String?
  }

  func run() throws {
    let outcome = try rebuildReport(of: URL(fileURLWithPath: directory))
    if json {
      return try printJSON(
        Answer(report: outcome.page.path, figures: outcome.figuresMissing == nil, note: outcome.figuresMissing))
    }
    print(outcome.table)
    if let missing = outcome.figuresMissing { print("note: \(missing)") }
    print("report: \(outcome.page.path)")
  }
}
