import Datasets
import Evaluation
import Faces
import Files
import Foundation
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

  init(_ run: URL, decider: String?, detectors: [URL]) throws {
    guard FileManager.default.fileExists(atPath: run.appending(path: RunFiles.summary).path) else {
      throw RunFailed(description: "\(run.path): this is no finished run; finish it with the command that began it")
    }
    let inputs = try RunInputs(folder: run)
    self.inputs = inputs
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
        throw RunFailed(description: "the run has no fusion or model \"\(name)\"; \(suggestion(name, among: names))")
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
          probability: scores.isEmpty
            ? nil
            : combine(
              used.map { scorers[$0].description.temperature }, probabilities: scores.map(\.probability),
              logits: scores.map(\.logit)),
          reason: results.compactMap(\.reason).first, parts: parts ?? []))
    }
    return decide(file, fold, used, byFold, models)
  }

  /// One fold's own probability, or P(fake) from the mean of several folds' calibrated logits.
  private func combine(_ temperatures: [Double], probabilities: [Double], logits: [Double]) -> Double {
    guard probabilities.count > 1 else { return probabilities[0] }
    return sigmoid(zip(logits, temperatures).reduce(0) { $0 + $1.0 / $1.1 } / Double(logits.count))
  }

  private func decide(
    _ file: URL, _ fold: Int?, _ used: [Int], _ byFold: [[String: Double]], _ models: [Prediction.ModelScore]
  ) -> Prediction {
    let points: [(probability: Double?, threshold: Double, rule: String, temperature: Double)]
    if let fused = fusions[decider] {
      points = used.enumerated().map { index, fold in
        (
          fused[fold].fusion.apply(byFold[index].mapValues { $0 }), fused[fold].threshold, fused[fold].thresholdRule,
          fused[fold].temperature
        )
      }
    } else {
      let scorers = scorers.first { $0.name == decider }!.folds
      points = used.enumerated().map { index, fold in
        let description = scorers[fold].description
        return (byFold[index][decider], description.threshold, description.thresholdRule, description.temperature)
      }
    }
    let known = points.filter { $0.probability != nil }
    let temperatures = points.map(\.temperature)
    return Prediction(
      file: file.path,
      probability: known.isEmpty
        ? nil
        : combine(
          known.map(\.temperature), probabilities: known.map { $0.probability! },
          logits: known.map { logit($0.probability!) }),
      threshold: combine(
        temperatures, probabilities: points.map(\.threshold), logits: points.map { logit($0.threshold) }),
      thresholdRule: points[0].rule, decidedBy: decider, fold: fold, models: models)
  }
}
