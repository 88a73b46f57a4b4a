import Datasets
import Evaluation
import Faces
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
  private let source: SampleSource
  // Each job has one thread.
  private let jobsAtOnce: Int
  private let weightPaths: [String: String]
  private let folders = Mutex<[String: WeightsFolder]>([:])
  private let detectors: FaceDetectors

  /// Reads the run's shared files; `data` and `weights` say where data sets and weights folders lie on this machine.
  init(shared: URL, data: [String: String], weights: [String: String], cache: CacheFolder, jobsAtOnce: Int) throws {
    (self.jobsAtOnce, weightPaths) = (jobsAtOnce, weights)
    inputs = try RunInputs(folder: shared)
    // What this machine does not have, the coordinator does.
    roots = try DataRoots(inputs.experiment.data, overrides: data, mayLack: true)
    source = SampleSource(cache)
    detectors = FaceDetectors(networks: [shared.appending(path: RunFiles.detectors)])
  }

  func run(_ job: JobSpec, _ context: any JobContext) throws {
    let files = try source.files(for: context)
    let cache = SampleCache(source.folder.url, files: files, detectors: detectors)
    defer { files.counts.sentence.map { context.log("samples: \($0)") } }
    switch RunGraph.Kind(rawValue: job.kind) {
    case .prepare: try prepare(part: job.number("part"), of: job.number("parts"), cache, files, context)
    case .train: try train(inputs.entry(job.text("model")), fold: job.number("fold"), cache, files, context)
    case .score: try score(inputs.entry(job.text("model")), fold: job.number("fold"), cache, context)
    case .fuse, .merge, nil: preconditionFailure("a worker was given the job \(job.id)")
    }
  }

  /// Where this process's samples came from.
  var counts: SampleSource.Counts { source.counts }

  /// Decodes every `all`-th sample for every architecture of the experiment, into the cache: faces found and cut out,
  /// silence trimmed, where the experiment asks for it. What an earlier attempt or run has left there is not made again.
  private func prepare(
    part: Int, of all: Int, _ cache: SampleCache, _ files: JobFiles, _ context: any JobContext
  ) throws {
    let mine = inputs.dataset.samples.indices.filter { $0 % all == part }.map { inputs.dataset.samples[$0] }
    var wanted: [(modality: InputModality, input: Preprocessing)] = []
    for entry in inputs.experiment.trained {
      let found = try (modality: architecture(entry).modality, input: input(entry))
      if !wanted.contains(where: { $0 == found }) { wanted.append(found) }
    }
    var tally = PreparationTally()
    for (index, sample) in mine.enumerated() {
      let message = [tally.sentence, files.counts.fetching ?? "", "now \(sample.id)"].filter { !$0.isEmpty }
      try context.progress(
        JobProgress(phase: "prepare", step: index, steps: mine.count, message: message.joined(separator: "; ")))
      guard sample.problem == nil else { continue }
      for (modality, input) in wanted {
        guard let item = ModelSample(sample, modality: modality, roots: roots) else { continue }
        let known = try cache.kept(item, input: input)
        let entry = try known ?? cache.sample(of: item, input: input)
        tally.add(entry, sample, modality, input, wasKept: known != nil)
      }
    }
    context.log("prepared \(mine.count) samples: \(tally.sentence)")
    for line in tally.lines { context.log(line) }
    try context.publish(json: tally.record, as: RunFiles.prepared(part))
  }

  /// How a model's files become its input on this machine, which must find the same faces as the run's others.
  private func input(_ entry: Experiment.ModelEntry) throws -> Preprocessing {
    let input = entry.prepare.applied(to: try architecture(entry).preprocessing)
    guard let faces = input.faces else { return input }
    guard faces.openCV == DetectorFiles.openCVVersion else {
      throw ExperimentError(
        place: "model \(entry.name)",
        reason:
          "the run finds faces with OpenCV \(faces.openCV), and this worker has \(DetectorFiles.openCVVersion), which "
          + "may find others; use the same distribution on every machine")
    }
    do {
      _ = try detectors.files(entry.prepare.detectorKind, hash: faces.detectorHash)
    } catch let error as FaceError {
      throw ExperimentError(place: "model \(entry.name)", reason: error.description)
    }
    return input
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

  private func train(
    _ entry: Experiment.ModelEntry, fold: Int, _ cache: SampleCache, _ files: JobFiles, _ context: any JobContext
  ) throws {
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
          message: progress.loss.map { "loss \(($0 * 1000).rounded() / 1000)" } ?? files.counts.fetching ?? ""))
    }
    trainer.onCheckpoint = { try context.saveCheckpoint($0) }
    trainer.onUse = { use in
      try context.record(
        SampleUse(epoch: use.epoch, steps: 0..<use.steps, count: use.tally.count, sum: use.tally.sum))
    }
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

  private func trainingJob(_ entry: Experiment.ModelEntry, fold: Int) throws -> TrainingJob {
    try inputs.trainingJob(
      entry, fold: fold, architecture: architecture(entry), weights: weights(entry), input: input(entry), roots: roots)
  }

  private func score(_ entry: Experiment.ModelEntry, fold: Int, _ cache: SampleCache, _ context: any JobContext) throws
  {
    let scorer = try Scorer(contentsOf: context.input(RunFiles.model(entry.name, fold)), cache: cache)
    let table = try FoldScoring(inputs: inputs, roots: roots).score(entry, fold: fold, with: scorer) { done, all in
      try context.progress(JobProgress(phase: "score", step: done, steps: all))
    }
    let file = context.directory.appending(path: "scores.csv")
    try writeAtomically(table.text, to: file)
    try context.publish(file, as: RunFiles.foldScores(entry.name, fold))
    let frames = context.directory.appending(path: "frames.csv")
    try writeAtomically(table.frames, to: frames)
    try context.publish(frames, as: RunFiles.foldFrames(entry.name, fold))
    try context.publish(json: table.timing, as: RunFiles.scoring(entry.name, fold))
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
