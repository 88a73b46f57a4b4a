import ArgumentParser
import Cluster
import Foundation

/// Whether every sample of every epoch was used exactly once.
struct AuditCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit",
    abstract: "Check from a run's ledger that every sample of every epoch was used exactly once.",
    discussion: """
      Workers say which samples each member of each attempt used, as counts and sums of hashes; the plan follows anew from \
      folds, labels and settings. Work of lost attempts that was done again is shown as superseded. Ends with 1 if anything \
      is wrong.

      EXAMPLE
        unmask audit runs/quickstart
      """)

  @Argument(help: ArgumentHelp("The run's directory.", valueName: "run"))
  var directory: String

  @Flag(help: "Write JSON to standard output.")
  var json = false

  func run() throws {
    let audit = try SampleAudit(run: URL(fileURLWithPath: directory))
    if json {
      try printJSON(audit.entries)
    } else {
      let width = max(5, audit.entries.map(\.model.count).max() ?? 0)
      func row(_ fields: [String]) -> String {
        fields[0].padding(toLength: width, withPad: " ", startingAt: 0)
          + fields[1...5].map { String(repeating: " ", count: max(1, 12 - $0.count)) + $0 }.joined() + "  " + fields[6]
      }
      print(row(["model", "fold", "epochs", "views", "attempts", "superseded", "each view once"]))
      for entry in audit.entries {
        print(
          row(
            [
              entry.model, "\(entry.fold)", "\(entry.epochs)", "\(entry.views)", "\(entry.attempts)",
              "\(entry.superseded)", entry.problems.isEmpty ? "yes" : "NO: " + entry.problems.joined(separator: "; "),
            ]))
      }
      print(audit.sentence)
    }
    if !audit.isClean { throw ExitCode(1) }
  }
}
