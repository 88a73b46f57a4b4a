import Datasets
import Evaluation
import Faces
import Files
import Foundation
import Ledger
import Training

/// A finished run: a file of the run is scored by the fold that had it as test, any other file by all folds, whose
/// calibrated logits are averaged.
struct RunPredictor: Predictor {
  private let inputs: RunInputs
  /// By model, then fold.
  private let scorers: [(name: String, folds: [Scorer])]
  /// By fusion, then fold.
  private let fusions: [String: [FusedFold]]
  private let decider: String
  private let testFolds: [String: Int]
  private let directory: URL

  init(_ run: URL, decider: String?, detectors: [URL]) throws {
    guard FileManager.default.fileExists(atPath: run.appending(path: RunFiles.summary).path) else {
      throw PredictionFailed(
        description: "\(run.path): this is no finished run; finish it with the command that began it")
    }
    let inputs = try RunInputs(folder: run)
    (self.inputs, directory) = (inputs, run)
    let folds = 0..<inputs.plan.count
    let finders = FaceDetectors(networks: [run.appending(path: RunFiles.detectors)] + detectors)
    scorers = try inputs.experiment.models.map { entry in
      let files = folds.map { run.appending(path: RunFiles.model(entry.name, $0)) }
      return (entry.name, try files.map { try Scorer(contentsOf: $0, detectors: finders) })
    }
    fusions = try Dictionary(
      uniqueKeysWithValues: inputs.experiment.fusion.map { fusion in
        let fitted = try folds.map { fold in
          try JSONDecoder().decode(
            FusedFold.self, from: Data(readFile(run.appending(path: RunFiles.fusion(fusion.name, fold)))))
        }
        return (fusion.name, fitted)
      })
    self.decider = try Self.decider(decider, inputs, scorers, fusions)
    testFolds = Dictionary(
      inputs.dataset.samples.enumerated().compactMap { index, sample in
        inputs.plan.testFold[index] < 0 ? nil : sample.sha256.map { ($0, inputs.plan.testFold[index]) }
      }, uniquingKeysWith: { first, _ in first })
  }

  /// The named fusion or model, or the fusion (without any, the model) with the best mean validation AUC.
  private static func decider(
    _ name: String?, _ inputs: RunInputs, _ scorers: [(name: String, folds: [Scorer])], _ fusions: [String: [FusedFold]]
  ) throws -> String {
    let names = inputs.experiment.fusion.map(\.name) + scorers.map(\.name)
    if let name {
      guard names.contains(name) else {
        throw PredictionFailed(
          description: "the run has no fusion or model \"\(name)\"; \(suggestion(name, among: names))")
      }
      return name
    }
    func mean(_ values: [Double?]) -> Double { values.reduce(0) { $0 + ($1 ?? 0) } / Double(values.count) }
    let ranked =
      inputs.experiment.fusion.isEmpty
      ? scorers.map { ($0.name, mean($0.folds.map(\.description.validationAUC))) }
      : inputs.experiment.fusion.map { ($0.name, mean(fusions[$0.name]!.map(\.validationAUC))) }
    return ranked.max { ($0.1, $1.0) < ($1.1, $0.0) }!.0
  }

  var warnings: [String] { scorers.compactMap { $0.folds.first.flatMap { openCVWarning($0.description) } } }

  func predict(_ file: URL) throws -> Prediction {
    let digest = try sha256(of: file)
    let fold = testFolds[digest]
    let used = fold.map { [$0] } ?? Array(0..<inputs.plan.count)
    var models: [Prediction.ModelScore] = []
    var byFold = [[String: Double]](repeating: [:], count: used.count)
    for (name, scorers) in scorers {
      let item = ModelSample(id: file.lastPathComponent, file: file, digest: digest)
      let results = try used.map { try scorers[$0].score(item) }
      for (index, result) in results.enumerated() { byFold[index][name] = result.score?.probability }
      let scores = results.compactMap(\.score)
      let parts = scores.first.map { first in
        first.parts.indices.map { part in scores.reduce(0) { $0 + $1.parts[part] } / Double(scores.count) }
      }
      models.append(
        Prediction.ModelScore(
          name, scorers[0],
          probability: combine(
            zip(used, results).compactMap { fold, result in
              result.score.map { ($0.probability, $0.logit, scorers[fold].description.decision) }
            }),
          reason: results.compactMap(\.reason).first, parts: parts ?? []))
    }
    if let fold {
      // Every look at a test score counts, also after the run.
      do {
        try Ledger.noteTestPrediction(directory: directory, models: models.map(\.model), fold: fold, file: file.path)
      } catch {
        let note =
          "note: \(file.path) is a test file of the run, and that it was scored again is not counted: \(error)\n"
        FileHandle.standardError.write(Data(note.utf8))
      }
    }
    return decide(file, fold, used, byFold, models)
  }

  /// One fold's own probability, or P(fake) from the mean of several folds' calibrated logits.
  private func combine(_ scores: [(probability: Double, logit: Double, point: OperatingPoint)]) -> Double? {
    scores.count == 1 ? scores[0].probability : OperatingPoint.ensemble(scores.map { ($0.logit, $0.point) })
  }

  private func decide(
    _ file: URL, _ fold: Int?, _ used: [Int], _ byFold: [[String: Double]], _ models: [Prediction.ModelScore]
  ) -> Prediction {
    let points: [(probability: Double?, decision: OperatingPoint)]
    if let fused = fusions[decider] {
      points = used.enumerated().map { index, fold in
        (fused[fold].fusion.apply(byFold[index].mapValues { $0 }), fused[fold].decision)
      }
    } else {
      let scorers = scorers.first { $0.name == decider }!.folds
      points = used.enumerated().map { index, fold in (byFold[index][decider], scorers[fold].description.decision) }
    }
    let known = points.compactMap { point in
      point.probability.map { (probability: $0, logit: logit($0), point: point.decision) }
    }
    return Prediction(
      file: file.path, probability: combine(known),
      calibrated: OperatingPoint.ensemble(known.map { ($0.logit, $0.point) }),
      decision: points.count == 1 ? points[0].decision : OperatingPoint.ensemble(points.map(\.decision)),
      decidedBy: decider, fold: fold, models: models)
  }
}
