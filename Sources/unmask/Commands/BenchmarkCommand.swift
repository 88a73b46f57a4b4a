import ArgumentParser
import Foundation
import Models
import Training

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
      BenchmarkTrain.self, BenchmarkDecode.self, BenchmarkFeatures.self, BenchmarkFolds.self,
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
      With one logical shard all threads work on it together; with more, each thread computes a shard.

      EXAMPLE
        unmask benchmark train audio-cnn --batch 32 --threads 2 --logical-shards 4
        unmask benchmark train clip-vit-base-patch32 --batch 8 --precision bf16
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

  @Flag(help: "Measure the forward pass of prediction instead of a step.")
  var infer = false

  func validate() throws {
    guard TrainSettings.Precision(rawValue: precision) != nil else {
      throw ValidationError("--precision must be fp32 or bf16.")
    }
    for (name, value) in [
      ("--batch", batch), ("--threads", threads), ("--steps", steps), ("--logical-shards", logicalShards),
    ] where value < 1 {
      throw ValidationError("\(name) must be at least 1.")
    }
  }

  func run() throws {
    let arithmetic = TrainSettings.Precision(rawValue: precision)!
    // The LSTM alone, over features of frames: with the network that makes these it would measure that one.
    let isAlone = model == ModelRegistry.frameLSTM.name
    let benchmark = StepBenchmark(
      architecture: isAlone ? ModelRegistry.frameLSTM : try ModelRegistry.find(model), batch: batch, threads: threads,
      logicalShards: logicalShards, precision: arithmetic, infers: infer, inputShape: isAlone ? [16, 512] : nil)
    if arithmetic == .bf16 && benchmark.precision == .fp32 {
      FileHandle.standardError.write(
        Data("This processor has no bfloat16 arithmetic (AVX512_BF16); measuring float32 instead.\n".utf8))
    }
    print(try benchmark.run(steps: steps).line())
  }
}
