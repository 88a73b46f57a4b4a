import ArgumentParser
import Cluster
import Foundation

/// The process that owns a run.
struct CoordinatorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "coordinator",
    abstract: "Own a run: hand out its jobs to workers and merge their results.",
    discussion: """
      Workers may join and leave at any time. If the coordinator is killed, the same command goes on where it was.

      EXAMPLE
        unmask coordinator cluster/experiments/quickstart.yaml --listen tcp://0.0.0.0:5555 --output runs/quickstart
      """)

  @Argument(help: "The experiment file (YAML).")
  var experiment: String

  @Option(help: "The address to listen at, e.g. tcp://0.0.0.0:5555.")
  var listen = "tcp://127.0.0.1:5555"

  @OptionGroup var place: RunOptions

  func run() throws {
    let settings = try place.load(experiment)
    let directory = place.directory(for: settings)
    let process = CoordinatorProcess(experiment: settings, directory: directory, listen: listen)
    _ = Signals.interrupted([SIGINT, SIGTERM]) { process.stop() }
    guard let table = try process.run() else {
      FileHandle.standardError.write(Data("unmask: stopped; the same command goes on from here\n".utf8))
      throw ExitCode(1)
    }
    print(table)
    print("report: \(directory.appending(path: "report.html").path)")
  }
}
