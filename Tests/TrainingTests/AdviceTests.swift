import Foundation
import Models
import NN
import Tensor
import Testing

@testable import Training

@Suite struct `training advice` {
  private func epochs(_ training: [Double], _ validation: [Double]? = nil) -> [EpochRecord] {
    training.indices.map {
      EpochRecord(
        epoch: $0 + 1, learningRate: 1, trainingLoss: training[$0], validationLoss: validation?[$0], validationAUC: nil)
    }
  }

  @Test func `says when the loss does not fall`() {
    #expect(TrainingAdvice.convergence(epochs([0.7, 0.6, 0.5])) == nil)
    #expect(TrainingAdvice.convergence(epochs([0.7, 0.7])) == nil)
    let text = TrainingAdvice.convergence(epochs([0.6931, 0.70, 0.6921]))
    #expect(
      text?.hasPrefix("the training loss did not fall: 0.693 in epoch 1, 0.692 in epoch 3; try train.learning_rate")
        == true)
  }

  @Test func `says since when it learns by heart`() {
    let falling = [0.7, 0.5, 0.3, 0.2, 0.1]
    #expect(TrainingAdvice.overfitting(epochs(falling, [0.7, 0.6, 0.55, 0.56, 0.6]), best: 3) == nil)
    #expect(TrainingAdvice.overfitting(epochs([0.7, 0.7, 0.7, 0.7, 0.7], [0.5, 0.4, 0.6, 0.7, 0.8]), best: 3) == nil)
    #expect(TrainingAdvice.overfitting(epochs(falling), best: 3) == nil)
    let text = TrainingAdvice.overfitting(epochs(falling, [0.7, 0.5, 0.6, 0.7, 0.8]), best: 4)
    #expect(text?.hasPrefix("over-fitting after epoch 2: the validation loss rose from 0.5 to 0.8 while") == true)
  }

  @Test func `says when loading is slow`() {
    #expect(TrainingAdvice.loading(waited: 1, of: 2) == nil && TrainingAdvice.loading(waited: 2, of: 10) == nil)
    #expect(TrainingAdvice.loading(waited: 5, of: 10)?.hasPrefix("loading is slow: 50% of the training time") == true)
  }
}

@Suite struct `memory estimate` {
  private func estimate(_ settings: TrainSettings = TrainSettings()) throws -> MemoryEstimate {
    let entry = try ModelRegistry.find("audio-cnn")
    let store = ParameterStore(seed: 1)
    let network = try entry.build(store.root, entry.preprocessing)
    return MemoryEstimate(network, store, settings, partShape: entry.preprocessing.partShape, threads: 1)
  }

  @Test func `counts weights, gradients, moments and activations`() throws {
    let found = try estimate()
    #expect(found.state == 4 * 389_057 * (1 + 3 + 5) && found.views == 8)
    #expect(found.description.contains("a step, 13 MiB of it for weights and optimizer and "))
  }

  @Test func `knows the limits of control groups`() throws {
    let folder = try TemporaryFolder()
    func limit(_ path: String, _ text: String) throws {
      let url = folder.url.appending(path: path)
      try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data((text + "\n").utf8).write(to: url)
    }
    try limit("job/memory.max", "5000000000")
    try limit("job/step/memory.max", "max")
    try limit("memory/slurm/memory.limit_in_bytes", "3000000000")
    let root = folder.url.path
    #expect(MemoryEstimate.controlGroupLimit("0::/job/step\n", root: root) == 5_000_000_000)
    #expect(MemoryEstimate.controlGroupLimit("0::/other\n", root: root) == nil)
    #expect(MemoryEstimate.controlGroupLimit("5:cpu,memory:/slurm/1\n0::/job\n", root: root) == 3_000_000_000)
    #expect(MemoryEstimate.machine > 0)
  }

  @Test func `suggests a batch that fits`() {
    // Given numbers: what is measured beside other tests is not exact.
    let found = MemoryEstimate(state: 1 << 30, activationsPerView: 64 << 20, views: 8)
    var settings = TrainSettings()
    #expect(found.warning(limit: found.bytes, settings) == nil)
    let text = found.warning(limit: found.state + found.activationsPerView * found.views / 4, settings)
    #expect(
      text?.contains("set train.batch: 8 and train.accumulate: 4, which makes the same steps, or train.gradient_ch")
        == true)
    // 20 views in four shards are 5 a shard; what fits has as many in every shard, and two shards at once.
    (settings.batch, settings.logicalShards) = (20, 4)
    let two = MemoryEstimate(state: 1 << 30, activationsPerView: 64 << 20, views: 10, shards: 2)
    for (views, words) in [
      (9, "set train.batch: 4 and train.accumulate: 5, which makes the same steps"),
      (3, "set train.batch: 4 and train.accumulate: 5, which makes the same steps"),
      (1, "give the worker fewer threads (1 of them fit), or train.gradient_checkpointing"),
    ] {
      let limit = two.state + two.activationsPerView * views + 1
      #expect(
        two.warning(limit: limit, settings)?.contains(words) == true, "\(two.warning(limit: limit, settings) ?? "")")
    }
    settings.batch = 18
    let uneven = two.warning(limit: two.state + two.activationsPerView * 9, settings)
    #expect(uneven?.contains("set train.batch: 16 and train.accumulate: 2, which makes much the same steps") == true)
    settings.gradientCheckpointing = true
    #expect(found.warning(limit: 10, settings)?.contains("tune: frozen, or a machine with more memory") == true)
  }
}
