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
    let settings = try place.load(experiment)
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

  @OptionGroup var places: DataOptions

  /// The experiment with everything that the command line says.
  func load(_ path: String) throws -> Experiment {
    try ExperimentFile.load(URL(filePath: path), overrides: set).with(data: places.paths)
      .with(weights: places.weightPaths)
  }

  /// The run's folder; of several runs, each has its own in the one that was named.
  func directory(for experiment: Experiment, isOneOfMany: Bool = false) -> URL {
    let named = output.map { isOneOfMany ? "\($0)/\(experiment.name)" : $0 }
    return URL(filePath: named ?? "runs/\(experiment.name)").standardizedFileURL
  }

  func arguments(for experiment: Experiment) -> [String] {
    ["--output", directory(for: experiment).path] + set.flatMap { ["--set", $0] }
      + places.data.flatMap { ["--data", $0] } + places.weights.flatMap { ["--weights", $0] }
  }
}

/// Where data sets lie on this machine.
struct DataOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp("Where a data set lies on this machine; may be given several times.", valueName: "name=path"))
  var data: [String] = []

  @Option(
    help: ArgumentHelp(
      "Where a model's weights folder lies on this machine; may be given several times.", valueName: "model=path"))
  var weights: [String] = []

  /// The paths by the data sets' names.
  var paths: [String: String] { Self.pairs(data) }

  /// The paths by the models' names.
  var weightPaths: [String: String] { Self.pairs(weights) }

  private static func pairs(_ entries: [String]) -> [String: String] {
    Dictionary(
      entries.map { entry in
        let parts = entry.split(separator: "=", maxSplits: 1).map(String.init)
        return (parts[0], parts.count > 1 ? parts[1] : "")
      }, uniquingKeysWith: { $1 })
  }

  func validate() throws {
    for entry in data where !entry.contains("=") {
      throw ValidationError("--data \(entry): write NAME=PATH with a data set's name from the experiment")
    }
    for entry in weights where !entry.contains("=") {
      throw ValidationError("--weights \(entry): write MODEL=PATH with a model's name from the experiment")
    }
  }
}
