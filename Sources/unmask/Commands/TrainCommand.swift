import ArgumentParser
import Cluster
import Foundation

/// Everything on this machine: starts a coordinator and workers as processes of their own and waits for the report.
struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Run an experiment on this machine: a coordinator and N worker processes.",
    discussion: """
      A run that was stopped goes on where it was when the same command is given again.

      EXAMPLE
        unmask train cluster/experiments/quickstart.yaml --workers 2 --output runs/quickstart
      """)

  @Argument(help: "The experiment file (YAML).")
  var experiment: String

  @Option(help: "Worker processes.")
  var workers = 2

  @Option(help: "Threads of each worker; by default the processors are shared out evenly.")
  var threads: Int?

  @OptionGroup var place: RunOptions

  func validate() throws {
    guard (1...256).contains(workers) else { throw ValidationError("--workers must be between 1 and 256") }
    if let threads, !(1...256).contains(threads) { throw ValidationError("--threads must be between 1 and 256") }
  }

  func run() throws {
    // Mistakes in the file are reported before any process starts.
    let settings = try ExperimentFile.load(URL(filePath: experiment), overrides: place.set)
    let threads = threads ?? max(1, ProcessInfo.processInfo.activeProcessorCount / workers)
    let cluster = try LocalCluster(
      coordinatorArguments: [experiment] + place.arguments(for: settings), workers: workers, threads: threads,
      logs: place.directory(for: settings).appending(path: "Logs"))
    try cluster.runToEnd()
  }
}

/// What `train` and `coordinator` have in common.
struct RunOptions: ParsableArguments {
  @Option(help: "The run's folder; by default runs/NAME with the experiment's name.")
  var output: String?

  @Option(
    help: ArgumentHelp("Override one key, e.g. train.epochs=3; may be given several times.", valueName: "key=value"))
  var set: [String] = []

  func directory(for experiment: Experiment) -> URL {
    URL(filePath: output ?? "runs/\(experiment.name)").standardizedFileURL
  }

  func arguments(for experiment: Experiment) -> [String] {
    ["--output", directory(for: experiment).path] + set.flatMap { ["--set", $0] }
  }
}
