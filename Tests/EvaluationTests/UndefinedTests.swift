import Evaluation
import Foundation
import Testing

@Suite struct `undefined values` {
  @Test func `one class leaves ranking metrics undefined with a reason`() {
    let values = MetricValues(ScoredItems(scores: [0.2, 0.9], fake: [true, true], threshold: 0.5))
    for name in ["auc", "eer", "eer_interp", "balanced_accuracy", "mcc", "tpr_at_fpr_1", "cllr"] {
      #expect(values[name].value == nil, "\(name)")
      #expect(values[name].reason?.isEmpty == false, "\(name)")
    }
    #expect(values["accuracy"] == 0.5)
  }

  @Test func `nothing called fake leaves precision undefined and recall 0`() {
    let values = MetricValues(ScoredItems(scores: [0.2, 0.1], fake: [true, false], threshold: 0.5))
    #expect(values["precision"].reason == "nothing was called fake")
    #expect(values["recall"] == 0.0)
  }

  @Test func `scores that are no probabilities have no Brier score`() {
    let values = MetricValues(ScoredItems(scores: [3, -2], fake: [true, false], threshold: 0))
    #expect(values["brier"].reason == "the scores are not probabilities")
    #expect(values["auc"] == 1.0)
  }

  @Test func `a measure survives JSON either way`() throws {
    for measure in [Measure.defined(0.25), .undefined("there are no fakes")] {
      let bytes = try JSONEncoder().encode([measure])
      #expect(try JSONDecoder().decode([Measure].self, from: bytes) == [measure])
    }
  }

  @Test func `a spread leaves undefined folds out and counts them`() {
    let spread = Spread([.defined(0.5), .undefined("there are no fakes"), .defined(0.7)])
    #expect(spread.undefined == 1 && spread.count == 2)
    expect(spread.mean.value, near: 0.6, "mean")
    #expect(Spread([.undefined("there are no fakes")]).mean.reason == "there are no fakes")
  }
}
