import Foundation
import Datasets
import Evaluation
import Models
import Testing

@testable import Training

@Suite struct `aggregation` {
  private let logits: [Float] = [-2, 0, 1, 4]

  @Test func `mean is the mean probability`() {
    let (probability, logit) = Aggregation.mean.score(of: logits)
    let expected = logits.reduce(0) { $0 + 1 / (1 + exp(-Double($1))) } / 4
    #expect(abs(probability - expected) < 1e-15)
    #expect(abs(1 / (1 + exp(-logit)) - expected) < 1e-12)
  }

  @Test func `keeps the logit of a saturated score`() {
    let (probability, logit) = Aggregation.mean.score(of: [60, 60])
    #expect(probability == 1)
    #expect(abs(logit - 60) < 1e-9)
  }

  @Test func `max, top-k and noisy-or`() {
    #expect(Aggregation.max.score(of: logits).logit == 4)
    #expect(abs(Aggregation.topK.score(of: logits).logit - 4) < 1e-12)
    let real = logits.reduce(1) { $0 / (1 + exp(Double($1))) }
    #expect(abs(Aggregation.noisyOr.score(of: logits).probability - (1 - real)) < 1e-14)
  }

  @Test(arguments: Aggregation.allCases) func `one part is the sample`(rule: Aggregation) {
    #expect(rule.score(of: [0.75]).logit == 0.75)
  }
}

@Suite struct `scorer` {
  @Test(arguments: ["thumbnail-logistic", "audio-cnn"])
  func `gives the validation scores of training again, to the bit`(name: String) throws {
    let folder = try TemporaryFolder()
    var job = try TinyTask.soundJob()
    if name == "thumbnail-logistic" {
      job = TinyTask.job(architecture: try ModelRegistry.find(name))
    }
    let file = folder.url.appending(path: "model")
    _ = try Trainer(job, cache: folder.cache).run(checkpoint: folder.url.appending(path: "c"), output: file)
    let scorer = try Scorer(contentsOf: file, cache: folder.cache)
    let scores = try scorer.score(job.validation, threads: 2).map { try #require($0.score) }
    // What training wrote into the file follows from its own scores.
    let labels = job.validation.map { $0.label == .fake }
    let ranked = RankedScores(scores: scores.map(\.probability), fake: labels)
    #expect(ranked.areaUnderCurve.value == scorer.description.validationAUC)
    #expect(ranked.threshold(by: .f1)?.operatingPoint == scorer.description.decision.threshold)
    #expect(
      Temperature(fitting: scores.map(\.logit), fake: labels).map { .temperature($0) }
        == scorer.description.decision.calibration)
    // One by one, and in another order, the scores are the same.
    for (sample, score) in zip(job.validation, scores).reversed() {
      #expect(try scorer.score(sample) == .scored(score))
    }
  }

  @Test func `refuses a model of an unknown architecture`() throws {
    let folder = try TemporaryFolder()
    _ = try Trainer(TinyTask.job(), cache: folder.cache).run(
      checkpoint: folder.url.appending(path: "c"), output: folder.url.appending(path: "model"))
    let error = #expect(throws: ModelError.self) {
      _ = try Scorer(contentsOf: folder.url.appending(path: "model"))
    }
    #expect(error?.description.contains("no architecture is called \"tiny\"") == true)
  }
}
