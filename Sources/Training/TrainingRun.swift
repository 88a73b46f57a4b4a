import Autograd
import Evaluation
import Foundation
import Models
import NN
import ShardTree
import Tensor

/// The epochs of one gradient-trained job: steps, validation, early stopping, checkpoints.
final class TrainingRun {
  private let trainer: Trainer
  private let data: TrainingData
  private let network: any Network
  private let store: ParameterStore
  private let step: TrainingStep
  private let checkpoint: URL
  private let crew: ShardThreads
  private var best: [String: Tensor] = [:]
  private var average: WeightAverage?
  private(set) var state: TrainerState
  private var resumed = ContinuousClock.now  // no clock that somebody may set
  private var saved = ContinuousClock.now
  private var stepsSinceSaved = 0

  private var settings: TrainSettings { trainer.job.settings }

  init(
    _ trainer: Trainer, _ data: TrainingData, _ network: any Network, _ store: ParameterStore, checkpoint: URL,
    resuming: URL?
  ) throws {
    (self.trainer, self.data, self.network, self.store) = (trainer, data, network, store)
    self.checkpoint = checkpoint
    let job = trainer.job
    step = TrainingStep(
      network, store, settings: job.settings, loss: ItemLoss(data.balance, smoothing: job.settings.labelSmoothing),
      stages: (network as? Detector)?.backbone.stagesOfBlocks ?? [], keepsStatistics: job.keepsStatistics,
      threads: trainer.threads, reducer: trainer.reducer)
    if job.settings.ema > 0 { average = WeightAverage(decay: job.settings.ema, store) }
    crew = ShardThreads(count: trainer.threads, computeThreads: 1)
    state = TrainerState(configuration: try job.configurationHash(), data: try job.dataHash())
    try checkShards()
    if let resuming { try resume(from: resuming) }
  }

  /// Trains to the end; the store holds the best epoch's weights afterwards.
  func train() throws {
    try gather()
    while !state.isOver(settings) {
      // A step that counts for nothing is made again by whoever is there; what was done before it stays.
      do { try epoch() } catch is GroupChanged { try gather() }
    }
    try store.load(trained: best)
    state.seconds = seconds
    if let text = TrainingAdvice.convergence(state.epochs) { trainer.note(.convergence, text) }
    if let text = TrainingAdvice.overfitting(state.epochs, best: state.bestEpoch) { trainer.note(.overfitting, text) }
    for use in state.uses { try trainer.onUse(use) }
  }

  private var seconds: Double { state.seconds + resumed.elapsed }

  // MARK: The group

  /// Waits for the group to form, and brings all members to the same state.
  private func gather() throws {
    guard let reducer = trainer.reducer else { return }
    while true {
      let membership = try reducer.gather(shards: settings.logicalShards, steps: state.totalSteps)
      guard membership.count <= settings.logicalShards else {
        throw TrainingError(
          "model \(trainer.job.model): \(membership.count) workers cannot share \(settings.logicalShards) logical "
            + "shards; raise train.logical_shards or lower cluster.workers_per_job")
      }
      do {
        try shareState(membership, reducer)
        precondition(
          state.totalSteps == membership.steps,
          "the group has made \(membership.steps) steps, this member \(state.totalSteps)")
        return step.join(membership)
      } catch is GroupChanged { continue }
    }
  }

  /// Members that have made fewer steps than the group get a checkpoint of one that has made all.
  private func shareState(_ membership: Membership, _ reducer: any ShardReducer) throws {
    guard let donor = membership.donor else { return }
    let lacks = state.totalSteps < membership.steps
    let passing = StatePassing(reducer: reducer, membership: membership, donor: donor)
    if membership.rank == donor {
      try write(to: checkpoint)
      try passing.send(checkpoint)
    } else {
      let file = lacks ? checkpoint.appendingPathExtension("peer") : nil
      defer { if let file { try? FileManager.default.removeItem(at: file) } }
      try passing.receive(to: file)
      guard let file else { return }
      try resume(from: file)
      trainer.onLog("took over the state after step \(state.totalSteps) from member \(donor)")
    }
  }

  // MARK: One epoch

  private func epoch() throws {
    let began = ContinuousClock.now
    let epoch = state.epoch
    let plan = data.epoch(epoch)
    let first = state.step
    let (data, shards) = (self.data, step.ownShards)
    let batches = Prefetcher(count: plan.steps.count - first, threads: trainer.loaderThreads, ahead: 3) { index in
      try data.batch(plan.steps[first + index], epoch: epoch, shards: shards)
    }
    defer { batches.stop() }
    var times = StepTimes()
    // What the step before an interruption had, if the whole epoch was done by then.
    var rate = first > 0 ? settings.learningRate(step: first - 1, of: plan.steps.count, epoch: epoch) : 0
    while let batch = try batches.next() {
      rate = settings.learningRate(step: state.step, of: plan.steps.count, epoch: epoch)
      let report = try step.run(
        batch, number: state.totalSteps, rate: rate,
        random: RandomStream(seed: trainer.job.seed, "fold", trainer.job.fold, "step", state.totalSteps))
      times = times + step.times
      average?.update(store, step: state.totalSteps + 1)
      state.lossSum += report.loss * batch.weight
      state.weightSum += batch.weight
      state.used = state.used + report.used
      state.step += 1
      state.totalSteps += 1
      stepsSinceSaved += 1
      try tell("train", state.step, plan.steps.count, report.loss)
      if state.step < plan.steps.count && isCheckpointDue { try save() }
    }
    // The average takes the weights' place while it is validated, and is what a best epoch keeps.
    let (current, judged) = (store.trained, average?.state)
    if let judged { try store.load(trained: judged) }
    let (waited, trained) = (batches.secondsWaited, began.elapsed)
    if let text = TrainingAdvice.loading(waited: waited, of: trained) { trainer.note(.loading, text, once: true) }
    let validated = Result { try trainer.validate(data, network, crew, epoch: epoch + 1) }
    if judged != nil { try store.load(trained: current) }
    let scores: [SampleScore]
    do { scores = try validated.get() } catch {
      // A job that is stopped here goes on with this validation.
      try? save()
      throw error
    }
    let labels = data.validation.map(\.isFake)
    let ranked = RankedScores(scores: scores.map(\.logit), fake: labels)
    let record = EpochRecord(
      epoch: epoch + 1, learningRate: rate, trainingLoss: state.lossSum / max(state.weightSum, .leastNormalMagnitude),
      validationLoss: trainer.meanLoss(scores, labels), validationAUC: ranked.areaUnderCurve.value)
    if state.isBest(record, tolerance: tolerance(labels)) {
      best = judged ?? current
      state.bestEpoch = record.epoch
    }
    state.epochs.append(record)
    trainer.log(record, waited: waited / max(trained, 1e-9))
    if trainer.reducer != nil { trainer.log(record, times) }
    state.uses.append(EpochUse(epoch: epoch, steps: plan.steps.count, tally: state.used))
    (state.epoch, state.step, state.lossSum, state.weightSum) = (epoch + 1, 0, 0, 0)
    state.used = SampleTally()
    if isCheckpointDue { try save() }
    try trainer.onEpoch(record)
  }

  /// What AUC changes by when one sample of the smaller class moves past half of the other class: less than that tells
  /// nothing.
  private func tolerance(_ isFake: [Bool]) -> Double {
    let fakes = isFake.count { $0 }
    return 0.5 / Double(max(1, min(fakes, isFake.count - fakes)))
  }

  /// Reports progress; when that ends the job, the work so far is kept first.
  private func tell(_ phase: String, _ step: Int, _ steps: Int, _ loss: Double?) throws {
    do {
      try trainer.onProgress(
        TrainingProgress(
          phase: phase, epoch: state.epoch + 1, epochs: settings.epochs, step: step, steps: steps, loss: loss))
    } catch {
      // The reason to stop matters more than a checkpoint that nobody may be able to take.
      try? save()
      throw error
    }
  }

  // MARK: Checkpoints

  private var isCheckpointDue: Bool {
    if let steps = trainer.checkpointSteps, stepsSinceSaved >= steps { return true }
    return saved.elapsed >= trainer.checkpointSeconds
  }

  private func save() throws {
    try write(to: checkpoint)
    (saved, stepsSinceSaved) = (.now, 0)
    try trainer.onCheckpoint(checkpoint)
  }

  private func write(to file: URL) throws {
    var state = state
    state.seconds = seconds
    state.optimizerSteps = step.state.optimizer.steps
    try TrainerCheckpoint(
      state: state, weights: store.trained, best: best, average: average?.state ?? [:],
      optimizer: step.state.optimizer.state
    ).write(to: file)
  }

  private func resume(from file: URL) throws {
    let kept = try TrainerCheckpoint(contentsOf: file)
    guard kept.state.configuration == state.configuration && kept.state.data == state.data else {
      let what = kept.state.configuration == state.configuration ? "other data" : "another configuration"
      throw TrainingError("\(file.path): the checkpoint belongs to \(what); remove it to begin anew")
    }
    try step.state.restore(
      weights: kept.weights, optimizer: kept.optimizer, steps: kept.state.optimizerSteps)
    try average?.restore(kept.average)
    state = kept.state
    // The file may be replaced while its mapped tensors are in use; a rename leaves the mapping as it is.
    best = kept.best
  }

  // MARK: Checks

  /// Every shard of every step must be as large as the architecture needs.
  private func checkShards() throws {
    let job = trainer.job
    let passes = job.settings.logicalShards * job.settings.accumulate
    let least = data.epoch(0).steps.map { $0.count / passes }.min() ?? 0
    let needed = job.keepsStatistics ? 1 : job.architecture.recipe.minimumShard
    guard least < needed else { return }
    let views = data.epoch(0).steps.reduce(0) { $0 + $1.count }
    let advice =
      views < needed * passes
      ? "lower \(job.settings.accumulate > 1 ? "train.accumulate" : "train.logical_shards"), as an epoch shows only "
        + "\(views) views"
      : "raise train.batch to \(needed * job.settings.logicalShards) or lower train.logical_shards"
    throw TrainingError(
      "model \(job.model): a step over \(job.settings.logicalShards) logical shards leaves \(least) views for one, and "
        + "\(job.architecture.name) needs \(needed); \(advice)")
  }
}

extension ContinuousClock.Instant {
  /// Seconds since then, whatever is done to the time of day.
  var elapsed: Double { (ContinuousClock.now - self) / .seconds(1) }
}
