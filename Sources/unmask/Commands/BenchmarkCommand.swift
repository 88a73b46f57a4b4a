import ArgumentParser
import Collectives
import Foundation
import Models
import Training
import Wire

/// Measurements, one JSON line each.
struct BenchmarkCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "benchmark",
    abstract: "Measure training steps, decoding, features, folds and sums over workers; one JSON line each.",
    discussion: """
      EXAMPLE
        unmask benchmark train audio-cnn --batch 32 --threads 2
      """,
    subcommands: [
      BenchmarkTrain.self, BenchmarkTrainWorker.self, BenchmarkDecode.self, BenchmarkFeatures.self, BenchmarkFolds.self,
      BenchmarkCoordinator.self, BenchmarkPlain.self, BenchmarkAllReduce.self, BenchmarkAllReduceWorker.self,
    ])
}

/// How fast the trainer's own step is.
struct BenchmarkTrain: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Measure the trainer's own step on made-up input.",
    discussion: """
      A step is forward, loss, backward and the optimizer, as in training. Prints one JSON line; step_ms is the median.
      With one logical shard all threads work on it together; with more, each thread computes a shard. With several workers
      the line also says where a step's time went: computing, waiting for the slowest, and exchange that was not hidden.

      EXAMPLE
        unmask benchmark train audio-cnn --batch 32 --threads 2 --logical-shards 4
        unmask benchmark train clip-vit-base-patch32 --batch 8 --precision bf16
        unmask benchmark train convnext-tiny --batch 8 --threads 1 --logical-shards 2 --workers 2
      """)

  @Argument(help: "An architecture; `unmask models list` shows them.")
  var model: String

  @Option(help: ArgumentHelp("Views (frames, windows, clips) in one step.", valueName: "n"))
  var batch = 32

  @Option(help: ArgumentHelp("Compute threads.", valueName: "n"))
  var threads = 2

  @Option(help: ArgumentHelp("Arithmetic: fp32 or bf16.", valueName: "name"))
  var precision = "fp32"

  @Option(help: ArgumentHelp("Measured steps, after two that warm up.", valueName: "n"))
  var steps = 8

  @Option(help: ArgumentHelp("Parts into which a batch is split.", valueName: "n"))
  var logicalShards = 1

  @Option(help: ArgumentHelp("Worker processes that share the batch; each has --threads.", valueName: "n"))
  var workers = 1

  @Option(help: ArgumentHelp("How workers exchange gradients: shared-memory or direct.", valueName: "name"))
  var route = Route.sharedMemory.name

  @Option(help: ArgumentHelp("How gradients are added up: exact or fixed16.", valueName: "name"))
  var reduce = "exact"

  @Flag(help: "Measure the forward pass of prediction instead of a step.")
  var infer = false

  func validate() throws {
    guard TrainSettings.Precision(rawValue: precision) != nil else {
      throw ValidationError("--precision must be fp32 or bf16.")
    }
    guard TrainSettings.Reduction(rawValue: reduce) != nil else {
      throw ValidationError("--reduce must be exact or fixed16.")
    }
    guard ["shared-memory", "direct"].contains(route) else {
      throw ValidationError("--route must be shared-memory or direct.")
    }
    guard (1...64).contains(workers), workers == 1 || (workers <= logicalShards && !infer) else {
      throw ValidationError("--workers must be 1 to 64, at most --logical-shards, and not with --infer.")
    }
    for (name, value) in [
      ("--batch", batch), ("--threads", threads), ("--steps", steps), ("--logical-shards", logicalShards),
    ] where value < 1 {
      throw ValidationError("\(name) must be at least 1.")
    }
  }

  func run() throws {
    if workers == 1 { return print(try benchmark().run(steps: steps).line()) }
    let group = try BenchmarkGroup(
      command: ["benchmark", "train-worker"], workers: workers, route: Route(name: route)!, isEncrypted: false,
      work: Array(CommandLine.arguments.dropFirst(3)))
    defer { group.end() }
    print(try group.hear(String.self))
  }

  /// What is measured in this process.
  func benchmark() throws -> StepBenchmark {
    let arithmetic = TrainSettings.Precision(rawValue: precision)!
    // The LSTM alone, over features of frames: with the network that makes these it would measure that one.
    let isAlone = model == ModelRegistry.frameLSTM.name
    var benchmark = StepBenchmark(
      architecture: isAlone ? ModelRegistry.frameLSTM : try ModelRegistry.find(model), batch: batch, threads: threads,
      logicalShards: logicalShards, precision: arithmetic, infers: infer, inputShape: isAlone ? [16, 512] : nil)
    benchmark.reduction = TrainSettings.Reduction(rawValue: reduce)!
    if arithmetic == .bf16 && benchmark.precision == .fp32 {
      FileHandle.standardError.write(
        Data("This processor has no bfloat16 arithmetic (AVX512_BF16); measuring float32 instead.\n".utf8))
    }
    return benchmark
  }
}

/// One worker of `benchmark train --workers`, started by it.
struct BenchmarkTrainWorker: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train-worker", abstract: "A worker of the benchmark train.", shouldDisplay: false)

  func run() throws {
    let member = try BenchmarkMember<[String]>()
    let command = try BenchmarkTrain.parse(member.work)
    var benchmark = try command.benchmark()
    benchmark.reducer = LinkReducer(member.link, rank: member.rank, members: member.members)
    let line = try benchmark.run(steps: command.steps).line()
    if member.rank == 0 { try BenchmarkMember<[String]>.tell(line) }
    member.waitForEnd()
  }
}
