import Foundation
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
