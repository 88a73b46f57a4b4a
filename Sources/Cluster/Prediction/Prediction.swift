public import Evaluation

/// What is said of one file.
public struct Prediction: Codable, Sendable {
  /// One model's share.
  public struct ModelScore: Codable, Sendable {
    /// The model.
    public let model: String
    /// What it looked at.
    public let modality: String
    /// P(fake); nil when it could not look.
    public let probability: Double?
    /// Why not.
    public let reason: String?
    /// P(fake) of each frame, window or clip, in order of time.
    public let parts: [Double]
    /// The most suspicious part's middle, as a share of the file's length; nil for a file of one part.
    public let where_: Double?

    enum CodingKeys: String, CodingKey {
      case model, modality, probability, reason, parts
      case where_ = "most_suspicious_at"
    }
  }

  /// The file as it was named.
  public let file: String
  /// P(fake); nil when no model could look at it.
  public let probability: Double?
  /// The same as the frequency of fakes among validation items of such a score, by the calibration that the model carries;
  /// equal to `probability` where that is the mean of calibrated folds.
  public let calibrated: Double?
  /// `fake`, `real`, `undecided`, or nil without a probability.
  public let verdict: String?
  /// Probabilities at or above it are called fake.
  public let threshold: Double
  /// How it was chosen.
  public let thresholdRule: String
  /// Probabilities in it are called undecided; nil where the experiment asked for no band.
  public let band: DecisionBand?
  /// The model or fusion that the probability is of.
  public let decidedBy: String
  /// The fold whose models scored it, for a file of the run; nil for others, which all folds score.
  public let fold: Int?
  /// The modalities that were used.
  public let modalities: [String]
  /// What each model said.
  public let models: [ModelScore]
  /// Why there is no probability.
  public let reason: String?

  enum CodingKeys: String, CodingKey {
    case file, probability, calibrated, verdict, threshold, fold, modalities, models, reason
    case thresholdRule = "threshold_rule"
    case decidedBy = "decided_by"
    case band = "undecided"
  }
}
