import Evaluation
import Testing

@Suite struct intervals {
  @Test func `perfect separation still has a width, and fewer items a wider one`() throws {
    func interval(_ n: Int) throws -> Interval {
      let fake = (0..<2 * n).map { $0 < n }
      return try #require(DeLong(scores: [fake.map { $0 ? 1 : 0 }], fake: fake)).interval()
    }
    let (few, many) = (try interval(5), try interval(200))
    #expect(few.upper == 1 && many.upper == 1)
    #expect(few.lower < many.lower && few.lower > 0.4 && many.lower < 1)
  }

  @Test func `a group bootstrap is wider than one over items when groups are alike`() throws {
    var noise = SplitMix64(state: 9)
    var scores: [Double] = []
    var fake: [Bool] = []
    var groups: [Int] = []
    for group in 0..<12 {
      let shift = Double.random(in: -1...1, using: &noise)
      for item in 0..<20 {
        groups.append(group)
        fake.append(group % 2 == 0)
        scores.append(shift + 0.1 * Double(item % 3) + (group % 2 == 0 ? 0.3 : 0))
      }
    }
    let bootstrap = Bootstrap(resamples: 500, seed: 4)
    let items = try #require(bootstrap.areaUnderCurve(scores: scores, fake: fake))
    let grouped = try #require(bootstrap.areaUnderCurve(scores: scores, fake: fake, groups: groups))
    let expanded = try #require(
      Bootstrap(resamples: 500, seed: 4, expanded: true).areaUnderCurve(scores: scores, fake: fake, groups: groups))
    #expect(grouped.upper - grouped.lower > 1.5 * (items.upper - items.lower))
    #expect(expanded.lower <= grouped.lower && expanded.upper >= grouped.upper)
  }

  @Test func `the same model twice has no z and no difference`() throws {
    let (scores, fake) = ([0.9, 0.4, 0.6, 0.2, 0.3], [true, true, false, false, false])
    let test = try #require(DeLong(scores: [scores, scores], fake: fake)).compare(0, 1)
    #expect(test.difference == 0)
    #expect(test.p.value == nil && test.p.reason != nil)
  }

  @Test func `areas within folds count only pairs of one fold`() throws {
    // Fold 0: 3 of 4 pairs are right. Fold 1, on a higher scale: 2 of 2.
    let scores = [0.1, 0.3, 0.2, 0.4, 0.8, 0.9, 0.7]
    let fake = [false, false, true, true, false, true, false]
    let folds = [0, 0, 0, 0, 1, 1, 1]
    expect(areaUnderCurve(scores: scores, fake: fake, strata: folds).value, near: 5.0 / 6, "within folds")
    let delong = try #require(DeLong(scores: [scores], fake: fake, strata: folds))
    expect(delong.areas[0], near: 5.0 / 6, "DeLong's")
    let apart = areaUnderCurve(scores: [0.1, 0.9], fake: [false, true], strata: [0, 1])
    #expect(apart.reason == "no fold has both real items and fakes")
  }

  @Test func `DeLong's variance within folds is that of the bootstrap`() throws {
    var noise = SplitMix64(state: 21)
    var (scores, fake, folds): ([Double], [Bool], [Int]) = ([], [], [])
    for index in 0..<600 {
      let (fold, isFake) = (index % 3, index % 4 == 0)
      folds.append(fold)
      fake.append(isFake)
      scores.append(10 * Double(fold) + (isFake ? 0.4 : 0) + Double.random(in: 0..<1, using: &noise))
    }
    let delong = try #require(DeLong(scores: [scores], fake: fake, strata: folds)).interval()
    let bootstrap = try #require(
      Bootstrap(resamples: 2000, seed: 2).areaUnderCurve(scores: scores, fake: fake, strata: folds))
    expect(delong.lower, near: bootstrap.lower, absolute: 0.012, "lower")
    expect(delong.upper, near: bootstrap.upper, absolute: 0.012, "upper")
  }
}
