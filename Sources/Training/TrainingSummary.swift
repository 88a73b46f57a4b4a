/// What one epoch gave.
public struct EpochRecord: Codable, Sendable, Equatable {
  /// The epoch, from 1.
  public var epoch: Int
  /// The learning rate at its end.
  public var learningRate: Double
  /// Weighted mean loss over its steps.
  public var trainingLoss: Double
  /// Mean cross-entropy over validation samples; nil without any.
  public var validationLoss: Double?
  /// Area under the ROC curve on validation; nil if that has one class only.
  public var validationAUC: Double?

  enum CodingKeys: String, CodingKey {
    case epoch, learningRate = "learning_rate", trainingLoss = "training_loss", validationLoss = "validation_loss"
    case validationAUC = "validation_auc"
  }
}

/// A sample that could not be used.
public struct SampleFailure: Codable, Sendable, Equatable {
  /// The data set's name.
  public var dataset: String
  /// The sample's name.
  public var sample: String
  /// The reason.
  public var reason: String
}

/// What a training job did. All but `seconds` and what `notes` say of memory and loading is the same on every machine and
/// with any interruption.
public struct TrainingSummary: Codable, Sendable, Equatable {
  /// One record an epoch, for the training curves.
  public var epochs: [EpochRecord]
  /// The epoch, from 1, whose weights were kept; 0 for models fitted in closed form.
  public var bestEpoch: Int
  /// Trained values.
  public var parameters: Int
  /// Samples that gradients came from.
  public var trainingSamples: Int
  /// Samples that the choice of the epoch came from.
  public var validationSamples: Int
  /// Samples of both parts that could not be decoded.
  public var failures: [SampleFailure]
  /// What people should know about it.
  public var notes: [TrainingNote]
  /// Wall-clock time, that before an interruption included.
  public var seconds: Double

  enum CodingKeys: String, CodingKey {
    case epochs, parameters, failures, notes, seconds
    case bestEpoch = "best_epoch", trainingSamples = "training_samples", validationSamples = "validation_samples"
  }
}

/// Where a training job is.
public struct TrainingProgress: Sendable, Equatable {
  /// What it is doing: `prepare`, `train`, `validate` or `fit`.
  public var phase: String
  /// The epoch, from 1.
  public var epoch: Int
  /// Epochs at most.
  public var epochs: Int
  /// Steps (or samples) of this phase that are done.
  public var step: Int
  /// Steps (or samples) of this phase.
  public var steps: Int
  /// The last step's loss, if any.
  public var loss: Double?
}
