import ArgumentParser
import Cluster
import Foundation

/// Whether every sample of every epoch was used exactly once.
struct AuditCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit",
    abstract: "Check from a run's ledger that every sample of every epoch was used exactly once.",
    discussion: """
      What goes into a model is counted as its gradients are added up, as a number of views and a sum of hashes, and goes \
      with the model through checkpoints and from worker to worker; the plan follows anew from folds, labels and settings. \
      Ends with 1 if anything is wrong.

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
          + fields[1...3].map { String(repeating: " ", count: max(1, 12 - $0.count)) + $0 }.joined() + "  " + fields[4]
      }
      print(row(["model", "fold", "epochs", "views", "each view once"]))
      for entry in audit.entries {
        print(
          row(
            [
              entry.model, "\(entry.fold)", "\(entry.epochs)", "\(entry.views)",
              entry.problems.isEmpty ? "yes" : "NO: " + entry.problems.joined(separator: "; "),
            ]))
      }
      print(audit.sentence)
    }
    if !audit.isClean { throw ExitCode(1) }
  }
}
