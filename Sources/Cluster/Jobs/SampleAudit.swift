import Datasets
import Files
public import Foundation
import Ledger
import Models
import Training
import Wire

/// Holds what went into each model, as the ledger has it, against what the plan of every epoch says: each planned view of
/// each training sample was used exactly once, by whichever members of whichever attempts.
public struct SampleAudit: Sendable {
  /// One model of one fold.
  public struct Entry: Codable, Sendable {
    /// The model.
    public let model: String
    /// The fold.
    public let fold: Int
    /// Epochs that were looked at; one for a model that is fitted in closed form.
    public let epochs: Int
    /// Views that all these epochs planned.
    public let views: Int
    /// What is wrong, epoch by epoch.
    public let problems: [String]
  }

  /// Every model and fold.
  public let entries: [Entry]

  /// Audits a run whose training is done.
  ///
  /// - Throws: one sentence when the run's files or its ledger cannot be read.
  public init(run directory: URL) throws {
    try self.init(RunInputs(folder: directory), directory)
  }

  init(_ inputs: RunInputs, _ directory: URL) throws {
    let ledger = try LedgerReader(directory: directory)
    func decode<Value: Decodable>(_ type: Value.Type, _ name: String) throws -> Value {
      try JSONDecoder().decode(type, from: Data(readFile(directory.appending(path: name))))
    }
    var parts: [String: Int] = [:]
    for part in 0..<RunGraph.parts(ofSamples: inputs.dataset.samples.count) {
      for found in try decode(PreparationRecord.self, RunFiles.prepared(part)).parts {
        parts[Self.key(found.input, found.dataset, found.sample)] = found.parts
      }
    }
    entries = try inputs.experiment.trained.flatMap { entry in
      try (0..<inputs.plan.count).map { fold in
        let schedule = try Self.schedule(entry, fold, inputs, parts, directory)
        let isFitted = try ModelRegistry.find(entry.architecture).fitting != .gradient
        let epochs = isFitted ? 1 : try decode(TrainingSummary.self, RunFiles.training(entry.name, fold)).epochs.count
        return Self.audit(
          model: entry.name, fold: fold, planned: (0..<epochs).map { schedule.tally(epoch: $0) },
          uses: try ledger.uses(of: "train/\(entry.name)/\(fold)"))
      }
    }
  }

  /// The plan, from what is known without the worker that trained: folds, labels, settings, and how many parts each
  /// sample had when it was prepared.
  private static func schedule(
    _ entry: Experiment.ModelEntry, _ fold: Int, _ inputs: RunInputs, _ parts: [String: Int], _ directory: URL
  ) throws -> EpochSchedule {
    let file = directory.appending(path: RunFiles.model(entry.name, fold))
    let (architecture, input) = try ModelFile.architecture(of: file)
    let job = try inputs.trainingJob(
      entry, fold: fold, architecture: architecture, weights: nil, input: input,
      roots: DataRoots(inputs.experiment.data, mayLack: true))
    let items = job.training.compactMap { sample in
      parts[key(input.cacheKey, sample.dataset, sample.id)].map { EpochSchedule.Item(sample, parts: $0, in: job) }
    }
    return try EpochSchedule(checking: job, files: items)
  }

  private static func key(_ input: String, _ dataset: String, _ sample: String) -> String {
    "\(input)\u{1F}\(dataset)\u{1F}\(sample)"
  }

  /// Adds up what went into the result, and compares it epoch by epoch.
  static func audit(model: String, fold: Int, planned: [SampleTally], uses: [LedgerReader.Use]) -> Entry {
    var accepted: [LedgerReader.Use] = []
    // An attempt goes on from a checkpoint: what earlier ones did from there on is in no result.
    for attempt in Dictionary(grouping: uses, by: \.token).sorted(by: { $0.key < $1.key }).map(\.value) {
      let start = attempt.map { ($0.use.epoch, $0.use.steps.lowerBound) }.min { $0 < $1 }!
      accepted.removeAll { before in (before.use.epoch, before.use.steps.upperBound) > start }
      accepted += attempt
    }
    var found = [Int: SampleTally]()
    for entry in accepted {
      found[entry.use.epoch, default: SampleTally()] =
        found[entry.use.epoch, default: SampleTally()] + SampleTally(count: entry.use.count, sum: entry.use.sum)
    }
    var problems = planned.enumerated().compactMap { epoch, plan -> String? in
      let used = found[epoch] ?? SampleTally()
      if used == plan { return nil }
      return used.count == plan.count
        ? "epoch \(epoch + 1): as many views as planned, \(plan.count), but not the same ones: one was used twice, and "
          + "another not at all"
        : "epoch \(epoch + 1): \(used.count) views were used where \(plan.count) were planned"
    }
    for epoch in found.keys.sorted() where epoch >= planned.count {
      problems.append("epoch \(epoch + 1): it was trained, and is in no result")
    }
    return Entry(
      model: model, fold: fold, epochs: planned.count, views: planned.reduce(0) { $0 + $1.count }, problems: problems)
  }

  /// Whether every view of every epoch was used exactly once.
  public var isClean: Bool { entries.allSatisfy(\.problems.isEmpty) }

  /// One sentence, the same for any number of workers and after any failure.
  public var sentence: String {
    let epochs = entries.reduce(0) { $0 + $1.epochs }
    guard let wrong = entries.first(where: { !$0.problems.isEmpty }) else {
      return "Sample audit: in all \(epochs) epochs of \(entries.count) trained models, every planned view of every "
        + "sample was used exactly once."
    }
    return "Sample audit: \(wrong.model), fold \(wrong.fold), \(wrong.problems[0]); unmask audit lists everything. "
      + "Do not trust these models."
  }
}
