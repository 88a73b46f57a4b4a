import Autograd
import Datasets
import Evaluation
public import Foundation
import Models
import NN
public import ShardTree
import Tensor

/// Trains one model of one fold, from the cache to the model file.
///
///     var trainer = Trainer(job, cache: SampleCache(cacheFolder))
///     trainer.threads = 2
///     trainer.onProgress = { print($0.epoch, $0.step, $0.loss ?? 0) }     // throw to stop
///     trainer.onCheckpoint = { try upload($0) }
///     let summary = try trainer.run(checkpoint: file, resuming: nil, output: modelFile)
///
/// `run` blocks the calling thread. Its result depends on the job alone: neither on threads, group, interruptions and
/// checkpoints, nor on the machine among those with the same numerics.
public struct Trainer {
  /// Raised whenever training gives other bits for the same settings.
  static let revision = 3

  /// What is trained.
  public let job: TrainingJob
  /// Where decoded samples are.
  public let cache: SampleCache
  /// Threads that compute; shards beyond one a thread wait their turn.
  public var threads = 1
  /// Threads that read, decode and augment ahead of the compute threads.
  public var loaderThreads = 1
  /// A checkpoint is due after so many seconds.
  public var checkpointSeconds = 60.0
  /// A checkpoint is due after so many steps, too.
  public var checkpointSteps: Int?
  /// The group that shares this job's batches; nil when nobody may.
  public var reducer: (any ShardReducer)?
  /// Whether a frozen backbone's features are computed once and kept, instead of at every step: faster, the same numbers.
  var keepsFeatures = true
  /// Bytes of memory that this job may take; more than the estimate says gives a warning.
  public var memory = MemoryEstimate.machine
  /// Called with a line for the job's log.
  public var onLog: (String) -> Void = { _ in }
  private let notes = TrainingNotes()
  /// Called after every step and every few samples of the other phases. What it throws ends the job; a checkpoint is
  /// written before.
  public var onProgress: (TrainingProgress) throws -> Void = { _ in }
  /// Called with a checkpoint file, complete; the next one takes its name.
  public var onCheckpoint: (URL) throws -> Void = { _ in }
  /// Called with what each epoch used, once training has ended: it is part of what checkpoints and members hand on, so that
  /// it tells of what went into the result, whatever was lost on the way.
  public var onUse: (EpochUse) throws -> Void = { _ in }
  /// Called at the end of every epoch.
  public var onEpoch: (EpochRecord) throws -> Void = { _ in }

  /// A trainer for a job.
  public init(_ job: TrainingJob, cache: SampleCache) {
    (self.job, self.cache) = (job, cache)
  }

  /// Trains and writes the model file.
  ///
  /// - Parameters:
  ///   - checkpoint: the file that checkpoints are written to.
  ///   - resuming: an earlier checkpoint of this job, from any machine; one of another configuration or other data is
  ///     refused.
  ///   - output: the model file.
  /// - Throws: `TrainingError` for settings, data and numbers that cannot be trained with; what callbacks throw.
  public func run(checkpoint: URL, resuming: URL? = nil, output: URL) throws -> TrainingSummary {
    try job.settings.validate(model: job.model)
    try job.input.validate()
    // The next job's tensors have other sizes.
    defer { TensorMemory.releaseIdle() }
    let (store, built) = try build()
    notes.clear()
    noteMixing()
    let (network, data) = try prepare(built, store)
    // A strategy by name is a decision of ours, which the report shows; the experiment's own keys it shows anyway.
    if job.balance.strategy == .given { onLog(data.balanceSummary) } else { note(.balance, data.balanceSummary) }
    switch job.architecture.fitting {
    case .gradient:
      let estimate = MemoryEstimate(
        network, store, job.settings, partShape: data.writer.partShape, threads: threads,
        most: data.epoch(0).steps.map(\.count).max() ?? 0)
      onLog(estimate.description)
      if let text = estimate.warning(limit: memory, job.settings) { note(.memory, text) }
      if job.settings.precision == .bf16 && !ComputePrecision.hasBFloat16 {
        note(.precision, "precision: bf16 needs a processor with AVX512_BF16, and this one has none; float32 is used")
      }
      let run = try TrainingRun(self, data, network, store, checkpoint: checkpoint, resuming: resuming)
      try run.train()
      return try finish(data, network, store, run.state, to: output)
    case .logistic:
      let start = ContinuousClock.now
      try onProgress(TrainingProgress(phase: "fit", epoch: 0, epochs: 0, step: 0, steps: 1))
      try fitLogistic(store, data)
      try onUse(EpochUse(epoch: 0, steps: 1, tally: data.tallyOfFit))
      var state = TrainerState(configuration: "", data: "")
      state.seconds = start.elapsed
      return try finish(data, network, store, state, to: output)
    }
  }

  /// The network with its first weights.
  ///
  /// - Throws: `TrainingError` for weights and settings that do not fit the network, which the coordinator asks before
  ///   a run begins.
  func build() throws -> (store: ParameterStore, network: any Network) {
    let checkpoint = try job.weights.map { try job.architecture.checkpoint(in: $0.url) }
    let store = ParameterStore(
      seed: RandomStream.seed(job, "weights"), checkpoint: checkpoint,
      fresh: checkpoint.map { job.architecture.fresh(beside: $0) } ?? [])
    let network: any Network
    do {
      network = try job.architecture.build(store.root, job.input)
      try store.finish()
    } catch let error as CheckpointError {
      throw TrainingError("model \(job.model), weights \(job.weights?.url.path ?? ""): \(error.description)")
    }
    guard job.tuning == .full || job.weights != nil else {
      throw TrainingError(
        "model \(job.model): tune: \(job.tuning.text) needs outside weights; name their folder with the key `weights`")
    }
    // Single parameters that published files may lack stay as they are; whole parts without weights are trained.
    let parts = (checkpoint.map { job.architecture.fresh(beside: $0) } ?? []).filter { $0.hasSuffix(".") }
    try job.tuning.apply(to: network, store, fresh: parts, model: job.model)
    // What is fitted in closed form has no learning rate at all.
    guard job.settings.layerDecay == 1 || network is Detector || job.architecture.fitting == .logistic else {
      throw TrainingError(
        "model \(job.model): train.layer_decay is for backbones with stages, and \(job.architecture.name) has none; "
          + "remove the key")
    }
    return (store, network)
  }

  /// The samples, every one visited once, and the network that sees them: the head alone over kept features.
  private func prepare(_ network: any Network, _ store: ParameterStore) throws -> (any Network, TrainingData) {
    let (cache, input) = (cache, job.input)
    let plain: @Sendable (ModelSample) throws -> SampleCache.Entry = { try cache.sample(of: $0, input: input) }
    func data(
      _ phase: String, _ writer: PartWriter, first: @escaping @Sendable (ModelSample) throws -> SampleCache.Entry,
      load: @escaping @Sendable (ModelSample) throws -> SampleCache.Entry
    ) throws -> TrainingData {
      try TrainingData(job, writer: writer, threads: threads, first: first, load: load) { done, total in
        try onProgress(TrainingProgress(phase: phase, epoch: 0, epochs: epochs, step: done, steps: total))
      }
    }
    guard job.tuning == .frozen, let detector = network as? Detector else {
      return (network, try data("prepare", PartWriter(input: input), first: plain, load: plain))
    }
    if job.settings.augment {
      onLog("tune: frozen computes features once, so train.augment has no effect")
    }
    guard let part = FrozenPart(detector, store, fresh: job.architecture.family?.fresh ?? []) else {
      note(.tuning, "the backbone has parts without outside weights, so they are trained and nothing is kept")
      return (network, try data("prepare", PartWriter(input: input), first: plain, load: plain))
    }
    guard keepsFeatures else {
      return (
        FrozenBodyNetwork(part: part), try data("prepare", PartWriter(input: input), first: plain, load: plain)
      )
    }
    let estimate = MemoryEstimate(scoring: part, store, job.input, threads: threads)
    if let text = estimate.scoringWarning(limit: memory) { note(.memory, text) }
    let frozen = try FrozenFeatures(part, store, job, cache)
    return (
      HeadNetwork(part: part),
      try data("features", frozen.features, first: { try frozen.make($0) }, load: { try frozen.kept($0) })
    )
  }

  /// Says where mixup and cutmix are asked for and not done.
  private func noteMixing() {
    let settings = job.settings
    guard job.architecture.fitting == .gradient, settings.mixup > 0 || settings.cutmix > 0 else { return }
    if job.tuning == .frozen {
      note(.mixing, "mixup and cutmix are not done, as tune: frozen computes the features of each sample once")
    } else if Mixing(settings, job.input) == nil {
      note(.mixing, "mixup and cutmix are not done, as they are for pictures and clips, and this model has other input")
    }
  }

  /// A sentence for the log and the report.
  ///
  /// - Parameter once: leaves it out where one of this kind was made before.
  func note(_ kind: TrainingNote.Kind, _ text: String, once: Bool = false) {
    if once && notes.all.contains(where: { $0.kind == kind }) { return }
    if notes.add(TrainingNote(kind: kind, text: text)) { onLog("\(kind.rawValue): \(text)") }
  }

  /// A line for the log where an epoch's compute threads waited for samples.
  func log(_ record: EpochRecord, waited: Double) {
    guard waited >= 0.1 else { return }
    onLog("epoch \(record.epoch): \(Int((100 * waited).rounded()))% of the time went into waiting for samples")
  }

  /// A line for the log about a shared epoch's time.
  func log(_ record: EpochRecord, _ times: StepTimes) {
    let total = max(1e-9, times.compute + times.waiting + times.exposed + times.optimizer)
    func percent(_ part: Double) -> String { String(format: "%.1f%%", 100 * part / total) }
    onLog(
      "epoch \(record.epoch): \(percent(times.compute)) of the steps' time computing, \(percent(times.waiting)) waiting "
        + "for slower members, \(percent(times.exposed)) exposed communication, \(percent(times.optimizer)) optimizer")
  }

  private var epochs: Int { job.architecture.fitting == .gradient ? job.settings.epochs : 0 }

  /// Scores of the validation part, in its order, a few at a time so that progress shows.
  func validate(
    _ data: TrainingData, _ network: any Network, _ crew: ShardThreads, epoch: Int
  ) throws -> [SampleScore] {
    let scoring = NetworkScoring(network: network, writer: data.writer, aggregate: job.aggregate)
    var results: [Result<SampleScore, any Error>] = []
    while results.count < data.validation.count {
      let first = results.count
      results += crew.map(min(4 * max(1, threads), data.validation.count - first)) { index in
        Result { scoring.score(try data.prepared(data.validation[first + index])) }
      }
      try onProgress(
        TrainingProgress(
          phase: "validate", epoch: epoch, epochs: epochs, step: results.count, steps: data.validation.count))
    }
    return try zip(data.validation, results).map { item, result in
      let score = try result.get()
      guard !score.probability.isNaN else {
        throw TrainingError(
          "model \(job.model): the score of validation sample \(item.sample.id) is not a number; lower "
            + "train.learning_rate")
      }
      return score
    }
  }

  /// Operating point from the best weights' validation scores; then the model file.
  private func finish(
    _ data: TrainingData, _ network: any Network, _ store: ParameterStore, _ state: TrainerState, to output: URL
  ) throws -> TrainingSummary {
    let crew = ShardThreads(count: threads, computeThreads: 1)
    let scores = try validate(data, network, crew, epoch: state.bestEpoch)
    let labels = data.validation.map(\.isFake)
    let ranked = RankedScores(scores: scores.map(\.probability), fake: labels)
    let description = ModelDescription(
      model: job.model, architecture: job.architecture.name, config: job.architecture.configurationText,
      weights: job.weights?.hash, tuning: job.tuning == .full ? nil : job.tuning.text, input: job.input,
      aggregate: job.aggregate,
      decision: OperatingPoint(
        job.decision, validation: scores.map(\.probability), logits: scores.map(\.logit), fake: labels),
      fold: job.fold, seed: job.seed,
      epoch: state.bestEpoch, validationAUC: ranked.areaUnderCurve.value, validationLoss: meanLoss(scores, labels),
      configuration: try job.configurationHash(), data: try job.dataHash())
    try ModelFile.write(description, store.state, to: output)
    return TrainingSummary(
      epochs: state.epochs, bestEpoch: state.bestEpoch, parameters: store.parameterCount,
      trainingSamples: data.training.count { $0.synthetic == nil }, validationSamples: data.validation.count,
      failures: data.failures,
      notes: notes.all, seconds: state.seconds)
  }

  /// Mean cross-entropy; nil without samples.
  func meanLoss(_ scores: [SampleScore], _ isFake: [Bool]) -> Double? {
    guard !scores.isEmpty else { return nil }
    return zip(scores, isFake).reduce(0) { $0 + softplus($1.1 ? -$1.0.logit : $1.0.logit) } / Double(scores.count)
  }
}

extension RandomStream {
  /// A seed for one purpose of a job, from its seed and fold.
  static func seed(_ job: TrainingJob, _ purpose: String) -> UInt64 {
    var stream = RandomStream(seed: job.seed, "fold", job.fold, purpose)
    return stream.next()
  }
}
