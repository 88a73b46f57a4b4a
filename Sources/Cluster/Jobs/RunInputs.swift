import Datasets
import Evaluation
import Files
import Foundation
import Models
import Training

/// What every process of a run knows: the experiment, its samples and their parts in every fold. Read from the shared
/// files, so that coordinator, workers and later predictions go by the same bytes.
struct RunInputs: Sendable {
  let experiment: Experiment
  let dataset: Dataset
  let plan: FoldPlan

  init(experiment: Experiment, dataset: Dataset, plan: FoldPlan) {
    (self.experiment, self.dataset, self.plan) = (experiment, dataset, plan)
  }

  /// Reads `experiment.json`, `samples.csv` and `folds.csv` of a folder.
  init(folder: URL) throws {
    experiment = try Experiment(json: readFile(folder.appending(path: RunFiles.experiment)))
    dataset = try SampleTable.read(folder.appending(path: RunFiles.samples))
    plan = try FoldTable.read(folder.appending(path: RunFiles.folds), of: dataset, settings: experiment.folds)
  }

  /// A model or baseline of the experiment by its name.
  func entry(_ name: String) throws -> Experiment.ModelEntry {
    guard let entry = experiment.trained.first(where: { $0.name == name }) else {
      throw ExperimentError(
        place: experiment.name,
        reason: "no model is called \"\(name)\"; \(suggestion(name, among: experiment.trained.map(\.name)))")
    }
    return entry
  }

  /// The parts that training may see. There is no case for the test part: what a trainer is given cannot name it.
  enum TrainingPart {
    case train, validation
  }

  /// The samples of a part of a fold that a model of this modality can look at, with their files on this machine.
  func modelSamples(
    _ part: TrainingPart, fold: Int, modality: InputModality, roots: DataRoots
  ) -> [ModelSample] {
    plan.indices(part == .train ? .train : .validation, fold: fold).map { dataset.samples[$0] }
      .filter { $0.problem == nil }.compactMap { ModelSample($0, modality: modality, roots: roots) }
  }

  /// All that a trainer is given: the train and validation parts of a fold, for a model. Nothing in it depends on the test
  /// part's labels.
  func trainingJob(
    _ entry: Experiment.ModelEntry, fold: Int, architecture: Architecture, weights: WeightsFolder?,
    input: Preprocessing? = nil, roots: DataRoots
  ) throws -> TrainingJob {
    let samples = { (part: TrainingPart) in
      self.modelSamples(part, fold: fold, modality: architecture.modality, roots: roots)
    }
    return TrainingJob(
      model: entry.name, architecture: architecture, weights: weights, tuning: entry.tune, input: input,
      settings: entry.train, balance: entry.balance, decision: try experiment.threshold.settings,
      aggregate: try entry.aggregation, seed: experiment.seed, fold: fold, training: samples(.train),
      validation: samples(.validation))
  }
}
