import ArgumentParser
import Cluster
import Services

/// Asks a coordinator how its run is.
struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status",
    abstract: "Show a run's workers, jobs and progress, and what is stuck and why.",
    discussion: """
      EXAMPLE
        unmask status tcp://10.0.0.5:5555
      """)

  @Argument(help: "The coordinator's address, e.g. tcp://HOST:5555.")
  var coordinator: String

  @Flag(help: "Print one JSON object.")
  var json = false

  @OptionGroup var access: AccessOptions

  func run() throws {
    let status = RunStatus(try access.client(for: coordinator).status())
    print(json ? try status.json() : status.text)
  }
}
