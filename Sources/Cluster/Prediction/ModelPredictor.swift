import Evaluation
import Faces
import Foundation
import Models
import Training

/// One model file alone, at its own operating point.
struct ModelPredictor: Predictor {
  private let scorer: Scorer

  init(_ file: URL, detectors: [URL]) throws {
    // In a run directory face detectors lie beside the folders of models.
    let folder = file.deletingLastPathComponent()
    let near = [folder, folder.deletingLastPathComponent()].map { $0.appending(path: "detectors") }
    scorer = try Scorer(contentsOf: file, detectors: FaceDetectors(networks: near + detectors))
  }

  var warnings: [String] { [openCVWarning(scorer.description)].compactMap(\.self) }

  func predict(_ file: URL) throws -> Prediction {
    let description = scorer.description
    let result = try scorer.score(ModelSample(file: file))
    let score = Prediction.ModelScore(
      description.model, scorer, probability: result.score?.probability, reason: result.reason,
      parts: result.score?.parts ?? [])
    return Prediction(
      file: file.path, probability: score.probability,
      calibrated: result.score.map { sigmoid(description.decision.calibration.apply(logit: $0.logit)) },
      decision: description.decision, decidedBy: description.model, fold: nil, models: [score])
  }
}

/// What to say where faces are found by another OpenCV than in training; nil where it is the same.
func openCVWarning(_ description: ModelDescription) -> String? {
  guard let version = description.input.faces?.openCV, version != DetectorFiles.openCVVersion else { return nil }
  return "model \(description.model) was trained on faces that OpenCV \(version) found, and here is "
    + "\(DetectorFiles.openCVVersion): crops, and so scores, may differ a little"
}

extension Prediction.ModelScore {
  init(_ model: String, _ scorer: Scorer, probability: Double?, reason: String?, parts: [Double]) {
    let highest = parts.indices.max { parts[$0] < parts[$1] }
    self.init(
      model: model, modality: scorer.architecture.modality.rawValue, probability: probability, reason: reason,
      parts: parts, where_: parts.count > 1 ? highest.map { (Double($0) + 0.5) / Double(parts.count) } : nil)
  }
}

extension Prediction {
  init(
    file: String, probability: Double?, calibrated: Double?, decision: OperatingPoint, decidedBy: String, fold: Int?,
    models: [ModelScore]
  ) {
    self.init(
      file: file, probability: probability, calibrated: calibrated,
      verdict: probability.map { decision.answer($0).rawValue }, threshold: decision.threshold,
      thresholdRule: decision.rule, band: decision.band, decidedBy: decidedBy, fold: fold,
      modalities: Set(models.filter { $0.probability != nil }.map(\.modality)).sorted(), models: models,
      reason: probability == nil
        ? models.compactMap { model in model.reason.map { "\(model.model): \($0)" } }
          .joined(separator: "; ") : nil)
  }
}
