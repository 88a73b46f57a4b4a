public import Datasets
public import Evaluation
import Files
import Foundation
public import Models

/// Everything that decides the bits of one trained model. The test part is not here: training never sees it.
///
///     let job = TrainingJob(
///       model: "voice", architecture: try ModelRegistry.find("audio-cnn"), settings: settings, balance: balance,
///       decision: DecisionSettings(), seed: 7, fold: 0, training: training, validation: validation)
public struct TrainingJob: Sendable {
  /// The experiment's name for the model.
  public var model: String
  /// The architecture.
  public var architecture: Architecture
  /// Where the backbone's weights come from; nil trains from scratch. The architecture is configured by this folder.
  public var weights: WeightsFolder?
  /// How much of the network is trained.
  public var tuning: Tuning
  /// How a file becomes input; usually the architecture's own.
  public var input: Preprocessing
  /// The `train:` settings.
  public var settings: TrainSettings
  /// The `balance:` settings.
  public var balance: BalanceSettings
  /// What is chosen on validation scores beside the epoch.
  public var decision: DecisionSettings
  /// How the scores of parts become one.
  public var aggregate: Aggregation
  /// The experiment's seed.
  public var seed: UInt64
  /// The fold's number.
  public var fold: Int
  /// Samples that gradients come from. Their order does not matter.
  public var training: [ModelSample]
  /// Samples that early stopping, threshold and calibration come from. Their order does not matter.
  public var validation: [ModelSample]

  /// Makes a job.
  public init(
    model: String, architecture: Architecture, weights: WeightsFolder? = nil, tuning: Tuning = .full,
    input: Preprocessing? = nil, settings: TrainSettings, balance: BalanceSettings, decision: DecisionSettings,
    aggregate: Aggregation = .mean, seed: UInt64, fold: Int,
    training: [ModelSample], validation: [ModelSample]
  ) {
    (self.model, self.architecture, self.settings, self.balance) = (model, architecture, settings, balance)
    (self.weights, self.tuning) = (weights, tuning)
    self.input = input ?? architecture.preprocessing
    (self.decision, self.aggregate, self.seed, self.fold) = (decision, aggregate, seed, fold)
    self.training = training.sorted { $0.key < $1.key }
    self.validation = validation.sorted { $0.key < $1.key }
  }

  /// SHA-256 over everything configured that decides the result.
  func configurationHash() throws -> String {
    struct Configuration: Encodable {
      let revision: Int, model: String, architecture: String, input: Preprocessing, settings: TrainSettings
      let balance: BalanceSettings, threshold: String, aggregate: Aggregation, seed: UInt64, fold: Int
      let weights: String?, config: String?, tuning: Tuning
    }
    return sha256(
      try canonicalJSON(
        Configuration(
          revision: Trainer.revision, model: model, architecture: architecture.name, input: input, settings: settings,
          balance: balance, threshold: decision.text, aggregate: aggregate, seed: seed, fold: fold,
          weights: weights?.hash, config: architecture.configurationText, tuning: tuning)))
  }

  /// Whether training samples are changed at random: never where features are computed once.
  var augments: Bool { settings.augment && tuning != .frozen }

  /// Whether batch norm keeps the statistics that came with outside weights.
  var keepsStatistics: Bool {
    settings.batchNorm == .running || (settings.batchNorm == .auto && weights != nil)
  }

  /// SHA-256 over names, contents, labels and weights of all samples.
  func dataHash() throws -> String {
    var text = ""
    for (part, samples) in [("training", training), ("validation", validation)] {
      for sample in samples {
        let digest = try sample.digest ?? sha256(of: sample.file)
        text += "\(part)\t\(sample.key)\t\(digest)\t\(sample.label?.name ?? "")\t\(sample.weight)\n"
      }
    }
    return sha256(text)
  }
}

extension Architecture {
  /// The text of the `config.json` that the network is built by; nil for architectures without one.
  var configurationText: String? { configuration.map { String(decoding: $0.json, as: UTF8.self) } }
}
