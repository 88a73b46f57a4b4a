import Foundation
public import Evaluation
public import Models

/// What a model file says about itself, beside its weights: all that is needed to score a file as the evaluation did,
/// and where the model comes from. It holds no date and no path, so equal training gives an equal file.
public struct ModelDescription: Codable, Sendable, Equatable {
  /// The version that this program writes and reads. 2 holds the whole operating point.
  public static let currentRevision = 2

  /// Version of this description.
  public var revision = currentRevision
  /// The experiment's name for the model.
  public var model: String
  /// Name in the registry.
  public var architecture: String
  /// The `config.json` that a backbone is built by; nil for architectures without one.
  public var config: String?
  /// SHA-256 of the weights folder that training began with; nil from scratch.
  public var weights: String?
  /// How much of the network was trained: `full`, `frozen` or `last-N`.
  public var tuning: String?
  /// How a file becomes input.
  public var input: Preprocessing
  /// How the scores of parts become one.
  public var aggregate: Aggregation
  /// The classes in the order of their internal numbers.
  public var classes = ["real", "fake"]
  /// What a score is.
  public var score = "P(fake)"
  /// Threshold, undecided band and calibration, as the fold's validation part chose them.
  public var decision: OperatingPoint
  /// The fold whose test part the model has not seen.
  public var fold: Int
  /// The experiment's seed.
  public var seed: UInt64
  /// The epoch, from 1, whose weights these are; 0 for models fitted in closed form.
  public var epoch: Int
  /// Area under the ROC curve on the validation part; nil if that has one class only.
  public var validationAUC: Double?
  /// Mean cross-entropy on the validation part.
  public var validationLoss: Double?
  /// SHA-256 over everything configured that decides the weights.
  public var configuration: String
  /// SHA-256 over the samples, their labels and weights.
  public var data: String

  enum CodingKeys: String, CodingKey {
    case revision, model, architecture, config, weights, tuning, input, aggregate, classes, score, fold
    case seed, epoch
    case decision = "operating_point", validationAUC = "validation_auc", validationLoss = "validation_loss"
    case configuration, data
  }
}

/// JSON with sorted keys: equal values give equal text.
func canonicalJSON(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
  return String(decoding: try encoder.encode(value), as: UTF8.self)
}
