// The command line: one file a command in Commands/.

import ArgumentParser
import Cluster
import Foundation

@main
struct Unmask: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "unmask",
    abstract: "Train and evaluate detectors of manipulated images, speech and video on a cluster of Linux machines.",
    discussion: """
      EXAMPLE
        unmask sample data/sample
        unmask train cluster/experiments/quickstart.yaml --workers 2 --output runs/quickstart
        unmask predict runs/quickstart data/sample/clips
      """,
    version: programVersion,
    groupedSubcommands: [
      CommandGroup(name: "Data", subcommands: [SampleCommand.self, DatasetsCommand.self]),
      CommandGroup(
        name: "Run", subcommands: [TrainCommand.self, CoordinatorCommand.self, WorkerCommand.self, StatusCommand.self]),
      CommandGroup(
        name: "Operate",
        subcommands: [
          KeysCommand.self, CancelCommand.self, DrainCommand.self, LogsCommand.self, DoctorCommand.self,
        ]),
      CommandGroup(name: "Use", subcommands: [PredictCommand.self, ReportCommand.self, AuditCommand.self]),
      CommandGroup(name: "Scores", subcommands: [EvaluateCommand.self, CompareCommand.self, FuseCommand.self]),
      CommandGroup(name: "Know", subcommands: [ModelsCommand.self, BenchmarkCommand.self]),
    ])

  /// Ends with 0 (done), 1 (failed; one sentence says what and what to do), 2 (bad usage), 3 (a partial data set, of
  /// `datasets verify`), or 4 (a run that was cancelled, or whose jobs failed: nothing should start it again by itself).
  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      let code = exitCode(for: error)
      switch (error, code) {
      case (let error as ExperimentError, _): fail("\(error)", code: 2)
      case (let error as RunEnded, _): fail("\(error)", code: 4)
      case (_, .success): exit(withError: error)  // help and version
      case (_, .validationFailure):
        FileHandle.standardError.write(Data((fullMessage(for: error) + "\n").utf8))
        Foundation.exit(2)
      case (is ExitCode, _): Foundation.exit(code.rawValue)
      default: fail("\(error)", code: 1)
      }
    }
  }

  private static func fail(_ sentence: String, code: Int32) -> Never {
    FileHandle.standardError.write(Data("unmask: \(sentence)\n".utf8))
    Foundation.exit(code)
  }
}
