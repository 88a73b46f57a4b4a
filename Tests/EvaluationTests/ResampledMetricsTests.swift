import Testing

@testable import Evaluation

@Suite struct `resampled metrics` {
  /// Scores with ties, groups of different sizes, decisions that err.
  private static let items: (scores: [Double], fake: [Bool], called: [Bool], groups: [Int]) = {
    var random = SplitMix64(state: 11)
    var (scores, fake, called, groups) = ([Double](), [Bool](), [Bool](), [Int]())
    for item in 0..<240 {
      let isFake = random.below(3) > 0
      let score = Double(random.below(120) + (isFake ? 40 : 0)) / 160
      scores.append(score)
      fake.append(isFake)
      called.append(score >= 0.5)
      groups.append(item % 23 < 9 ? item % 23 : 9 + item % 14)
    }
    return (scores, fake, called, groups)
  }()

  /// What the metric is of items written out as often as they were drawn.
  private static func value(_ name: String, _ times: UnsafeBufferPointer<Int32>) -> Double? {
    var (scores, fake) = ([Double](), [Bool]())
    var matrix = ConfusionMatrix(truePositives: 0, falsePositives: 0, trueNegatives: 0, falseNegatives: 0)
    for item in items.scores.indices {
      for _ in 0..<times[item] {
        scores.append(items.scores[item])
        fake.append(items.fake[item])
        matrix += ConfusionMatrix(
          truePositives: items.fake[item] && items.called[item] ? 1 : 0,
          falsePositives: !items.fake[item] && items.called[item] ? 1 : 0,
          trueNegatives: !items.fake[item] && !items.called[item] ? 1 : 0,
          falseNegatives: items.fake[item] && !items.called[item] ? 1 : 0)
      }
    }
    let scored = ScoredItems(scores: scores, fake: fake, logits: nil, confusion: matrix)
    return Metric.all.first { $0.name == name }!.compute(scored).value
  }

  @Test func `are those of items written out as often as they were drawn`() {
    let bootstrap = Bootstrap(resamples: 60, seed: 3)
    let items = Self.items
    let found = ResampledMetrics.intervals(
      bootstrap, scores: items.scores, fake: items.fake, called: items.called, groups: items.groups)
    #expect(found.count == 11)
    for (name, interval) in found {
      let other = bootstrap.interval(count: items.scores.count, groups: items.groups) { Self.value(name, $0) }
      expect(interval.lower, near: other!.lower, absolute: 1e-12, "lower end of \(name)")
      expect(interval.upper, near: other!.upper, absolute: 1e-12, "upper end of \(name)")
      #expect(interval.lower < interval.upper && interval.method == "bootstrap over 23 groups")
    }
  }

  @Test func `one class leaves what compares the classes without an interval`() {
    let found = ResampledMetrics.intervals(
      Bootstrap(resamples: 20), scores: [0.1, 0.6, 0.8, 0.9], fake: [true, true, true, true],
      called: [false, true, true, true])
    #expect(found["eer_interp"] == nil && found["average_precision"] == nil && found["recall"] != nil)
  }
}
