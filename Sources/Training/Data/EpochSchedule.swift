import Datasets
import Evaluation
import Models

/// Which views of which samples every epoch of a job shows, in which steps. A pure function of what is known of the
/// samples before any is read, so that those who train and those who check have the same one.
public struct EpochSchedule: Sendable {
  /// What it must know of a training sample.
  public struct Item: Sendable {
    /// Unique over all data sets.
    public var key: String
    /// Its label.
    public var isFake: Bool
    /// Its weight in the loss.
    public var weight: Double
    /// How many views an epoch takes of it.
    public var views: Int

    /// A sample from its parts.
    public init(key: String, isFake: Bool, weight: Double, views: Int) {
      (self.key, self.isFake, self.weight, self.views) = (key, isFake, weight, views)
    }

    /// A sample of a job by how many parts its file has (frames, windows, clips).
    public init(_ sample: ModelSample, parts: Int, in job: TrainingJob) {
      let wanted = job.architecture.recipe.views
      var views =
        switch job.input {
        case .frames, .clips: min(wanted, parts)
        case .logMel, .waveform: wanted
        case .cepstra: 1
        }
      if job.tuning == .frozen { views = min(views, parts) }
      self.init(key: sample.key, isFake: sample.label == .fake, weight: sample.weight, views: views)
    }
  }

  let plan: SamplingPlan
  private let views: [Int]
  private let keys: [UInt64]
  private let batch: Int
  private let isFittedOnce: Bool

  /// The schedule of a job over its usable training samples, in the job's order, points made between embeddings behind.
  ///
  /// - Throws: `DatasetError` where the balance settings cannot be met.
  init(_ items: [Item], of job: TrainingJob) throws {
    plan = try SamplingPlan(
      labels: items.map { $0.isFake ? .fake : .real }, weights: items.map(\.weight), settings: job.balance,
      seed: job.seed, fold: job.fold)
    (views, keys) = (items.map(\.views), items.map { SampleTally.key($0.key) })
    batch = job.settings.batch * job.settings.accumulate
    isFittedOnce = job.architecture.fitting != .gradient
  }

  /// The schedule as it must be, for those who check: `items` are the usable samples of the job's files; points between
  /// embeddings are counted, not made.
  ///
  /// - Throws: `DatasetError` where the balance settings cannot be met.
  public init(checking job: TrainingJob, files items: [Item]) throws {
    var all = items
    if job.balance.isSynthetic, job.architecture.fitting == .gradient {
      let rows = [false, true].map { isFake in items.filter { $0.isFake == isFake }.reduce(0) { $0 + $1.views } }
      let made = Oversampling.counts(rows, ratio: job.balance.targetRatio)
      for (label, count) in made.enumerated() {
        for _ in 0..<count { all.append(Self.made(all.count - items.count, isFake: label == 1)) }
      }
    }
    try self.init(all, of: job)
  }

  /// A point between two embeddings.
  static func made(_ number: Int, isFake: Bool) -> Item {
    Item(key: ModelSample.key(dataset: "", id: "between-\(number)"), isFake: isFake, weight: 1, views: 1)
  }

  /// The steps of an epoch.
  func epoch(_ epoch: Int) -> EpochPlan {
    let rounds = views.max()!
    return EpochPlan(
      rounds: (0..<rounds).map { plan.order(epoch: epoch * rounds + $0) }, views: { views[$0] }, batch: batch)
  }

  /// The tally of some views of an epoch.
  func tally(_ used: some Sequence<EpochPlan.View>, epoch: Int) -> SampleTally {
    var tally = SampleTally()
    for view in used { tally.add(sample: keys[view.sample], epoch: epoch, visit: view.visit) }
    return tally
  }

  /// The tally of a whole epoch: what all members' uses of it must add up to. A model that is fitted in closed form has
  /// one, in which every sample is used once.
  public func tally(epoch number: Int) -> SampleTally {
    isFittedOnce
      ? tally(keys.indices.map { EpochPlan.View(sample: $0, visit: 0) }, epoch: 0)
      : tally(epoch(number).steps.joined(), epoch: number)
  }
}
