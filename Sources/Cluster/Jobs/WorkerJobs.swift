import Datasets
import Evaluation
import Files
import Foundation
import Models
import Services
import Synchronization
import Training
import Wire

/// What a worker does for each kind of job.
final class WorkerJobs: JobRunner {
  private let inputs: RunInputs
  private let roots: DataRoots
  private let cache: SampleCache
  // Each job has one thread.
  private let jobsAtOnce: Int
  private let weightPaths: [String: String]
  private let folders = Mutex<[String: WeightsFolder]>([:])

  /// Reads the run's shared files; `data` and `weights` say where data sets and weights folders lie on this machine.
  init(shared: URL, data: [String: String], weights: [String: String], cache: URL, jobsAtOnce: Int) throws {
    (self.jobsAtOnce, weightPaths) = (jobsAtOnce, weights)
    inputs = try RunInputs(folder: shared)
    roots = try DataRoots(inputs.experiment.data, overrides: data)
    self.cache = SampleCache(cache)
  }

  func run(_ job: JobSpec, _ context: any JobContext) throws {
    switch RunGraph.Kind(rawValue: job.kind) {
    case .prepare: try prepare(part: job.number("part"), parts: job.number("parts"), context)
    case .train: try train(inputs.entry(job.text("model")), fold: job.number("fold"), context)
    case .score: try score(inputs.entry(job.text("model")), fold: job.number("fold"), context)
    case .fuse, .merge, nil: preconditionFailure("a worker was given the job \(job.id)")
    }
  }

  /// Decodes every `parts`-th sample for every architecture of the experiment, into the cache.
  private func prepare(part: Int, parts: Int, _ context: any JobContext) throws {
    let mine = inputs.dataset.samples.indices.filter { $0 % parts == part }.map { inputs.dataset.samples[$0] }
    var architectures: [Architecture] = []
    for entry in inputs.experiment.trained {
      let found = try architecture(entry)
      if !architectures.contains(where: { ($0.modality, $0.preprocessing) == (found.modality, found.preprocessing) }) {
        architectures.append(found)
      }
    }
    var failures: [PreparationFailure] = []
    for (index, sample) in mine.enumerated() {
      try context.progress(JobProgress(phase: "prepare", step: index, steps: mine.count, message: sample.id))
      guard sample.problem == nil else { continue }
      for architecture in architectures {
        guard let item = ModelSample(sample, modality: architecture.modality, roots: roots) else { continue }
        if case .failed(let reason) = try cache.sample(of: item, input: architecture.preprocessing) {
          failures.append(
            PreparationFailure(
              dataset: sample.dataset, sample: sample.id, modality: architecture.modality.rawValue, reason: reason))
        }
      }
    }
    try context.publish(json: Array(Set(failures)).sorted(), as: RunFiles.prepared(part))
  }

  /// The weights folder of a model on this machine, which must have the content that the run began with.
  private func weights(_ entry: Experiment.ModelEntry) throws -> WeightsFolder? {
    guard !entry.weights.isEmpty else { return nil }
    if let known = folders.withLock({ $0[entry.name] }) { return known }
    let folder = try WeightsFolder(
      URL(filePath: weightPaths[entry.name] ?? entry.weights), model: entry.name,
      architecture: ModelRegistry.find(entry.architecture))
    guard folder.hash == entry.weightsHash else {
      throw ExperimentError(
        place: "model \(entry.name)",
        reason: "the weights at \(folder.url.path) are not those that the run began with; copy the folder again")
    }
    folders.withLock { $0[entry.name] = folder }
    return folder
  }

  /// The architecture of a model, at the size that its weights folder says.
  private func architecture(_ entry: Experiment.ModelEntry) throws -> Architecture {
    let architecture = try ModelRegistry.find(entry.architecture)
    return try weights(entry).map { try architecture.configured(by: $0.url) } ?? architecture
  }

  private func train(_ entry: Experiment.ModelEntry, fold: Int, _ context: any JobContext) throws {
    let job = try trainingJob(entry, fold: fold)
    var trainer = Trainer(job, cache: cache)
    trainer.threads = 1
    trainer.checkpointSeconds = Double(inputs.experiment.cluster.checkpointSeconds)
    trainer.reducer = context.reducer
    trainer.onLog = { context.log($0) }
    trainer.memory /= jobsAtOnce
    trainer.onProgress = { progress in
      try context.progress(
        JobProgress(
          phase: progress.phase, epoch: progress.epoch, step: progress.step, steps: progress.steps,
          message: progress.loss.map { "loss \(($0 * 1000).rounded() / 1000)" } ?? ""))
    }
    trainer.onCheckpoint = { try context.saveCheckpoint($0) }
    trainer.onEpoch = { epoch in
      var metrics = ["training_loss": epoch.trainingLoss, "learning_rate": epoch.learningRate]
      metrics["validation_loss"] = epoch.validationLoss
      metrics["validation_auc"] = epoch.validationAUC
      try context.record(metrics: metrics, epoch: epoch.epoch)
    }
    let file = context.directory.appending(path: "model.safetensors")
    let summary = try trainer.run(
      checkpoint: context.directory.appending(path: "checkpoint.safetensors"), resuming: context.checkpoint(),
      output: file)
    try context.publish(file, as: RunFiles.model(entry.name, fold))
    try context.publish(json: summary, as: RunFiles.training(entry.name, fold))
  }

  /// The train and validation parts of a fold, for a model; the test part stays out of reach.
  private func trainingJob(_ entry: Experiment.ModelEntry, fold: Int) throws -> TrainingJob {
    let architecture = try architecture(entry)
    let samples = { (part: Datasets.Part) in
      self.inputs.modelSamples(part, fold: fold, modality: architecture.modality, roots: self.roots)
    }
    return TrainingJob(
      model: entry.name, architecture: architecture, weights: try weights(entry), tuning: entry.tune,
      settings: entry.train, balance: entry.balance, thresholdRule: try ThresholdRule(inputs.experiment.threshold.rule),
      aggregate: try entry.aggregation, seed: inputs.experiment.seed, fold: fold, training: samples(.train),
      validation: samples(.validation))
  }

  private func score(_ entry: Experiment.ModelEntry, fold: Int, _ context: any JobContext) throws {
    let scorer = try Scorer(contentsOf: context.input(RunFiles.model(entry.name, fold)), cache: cache)
    let table = try FoldScoring(inputs: inputs, roots: roots).score(entry, fold: fold, with: scorer) { done, all in
      try context.progress(JobProgress(phase: "score", step: done, steps: all))
    }
    let file = context.directory.appending(path: "scores.csv")
    try writeAtomically(table.text, to: file)
    try context.publish(file, as: RunFiles.foldScores(entry.name, fold))
    try context.publish(json: table.timing, as: RunFiles.scoring(entry.name, fold))
  }
}

/// A sample that a modality's models cannot use, found before training.
struct PreparationFailure: Codable, Hashable, Comparable {
  let dataset: String
  let sample: String
  let modality: String
  let reason: String

  static func < (a: Self, b: Self) -> Bool {
    (a.dataset, a.sample, a.modality, a.reason) < (b.dataset, b.sample, b.modality, b.reason)
  }
}

extension JobSpec {
  /// A text that the graph gave the job.
  func text(_ key: String) -> String {
    guard let value = arguments[key] else { preconditionFailure("job \(id) has no argument \(key)") }
    return value
  }

  /// A number that the graph gave the job.
  func number(_ key: String) -> Int {
    guard let value = Int(text(key)) else { preconditionFailure("job \(id): argument \(key) is no number") }
    return value
  }
}

extension JobContext {
  /// Publishes a value as JSON with sorted keys.
  func publish(json value: some Encodable, as name: String) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    let file = directory.appending(path: "\(UUID().uuidString).json")
    try writeAtomically(encoder.encode(value), to: file)
    try publish(file, as: name)
  }
}
