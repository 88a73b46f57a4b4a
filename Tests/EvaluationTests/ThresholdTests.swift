import Evaluation
import Testing

@Suite struct `decision thresholds` {
  let ranked = RankedScores(
    scores: [0.9, 0.8, 0.7, 0.6, 0.4, 0.3, 0.2, 0.1], fake: [true, true, false, true, true, false, false, false])

  @Test func `every rule's text reads back to the rule`() throws {
    for text in ["f1", "youden", "balanced-accuracy", "eer", "fpr:0.01", "cost:10.0:1.0:0.05", "0.25"] {
      #expect(try ThresholdRule(text).text == text)
    }
    #expect(try ThresholdRule("balanced_accuracy") == .balancedAccuracy)
  }

  @Test(arguments: [
    ("f2", "did you mean \"f1\"?"), ("fpr", "fpr takes a rate"), ("fpr:2", "fpr takes a rate from 0 to 1"),
    ("cost:1", "cost takes positive numbers"), ("cost:0:1", "cost takes positive numbers"),
    ("eer:1", "eer takes no number"),
    ("nan", "valid are balanced-accuracy, cost, eer, f1, fpr, youden, or write a number"),
    ("balanced", "\"balanced-accuracy\""),
    ("", "is unknown"),
  ])
  func `an unknown rule names the nearest, a known one what it takes`(_ text: String, _ words: String) {
    #expect { try ThresholdRule(text) } throws: { "\($0)".contains(words) }
  }

  @Test func `a false-positive limit is kept`() throws {
    let quarter = try #require(ranked.threshold(by: .falsePositiveRate(0.25)))
    #expect(ranked.confusion(at: quarter.operatingPoint).falsePositives == 1)
    #expect(ranked.confusion(at: quarter.operatingPoint).truePositives == 4)
    let none = try #require(ranked.threshold(by: .falsePositiveRate(0)))
    #expect(ranked.confusion(at: none.operatingPoint).falsePositives == 0)
    #expect(ranked.confusion(at: none.operatingPoint).truePositives == 2)
  }

  @Test func `no threshold below the strictest can obey a limit that the highest score breaks`() throws {
    let worst = RankedScores(scores: [1, 1, 0], fake: [false, true, true])
    let choice = try #require(worst.threshold(by: .falsePositiveRate(0.1)))
    #expect(worst.confusion(at: choice.operatingPoint).falsePositives == 0)
  }

  @Test func `costs move the threshold`() throws {
    let misses = try #require(ranked.threshold(by: .cost(miss: 100, falseAlarm: 1, prevalence: 0.5)))
    let alarms = try #require(ranked.threshold(by: .cost(miss: 1, falseAlarm: 100, prevalence: 0.5)))
    #expect(misses.threshold < alarms.threshold)
    let rare = try #require(
      RankedScores(scores: [0.9, 0.1], fake: [false, true]).threshold(
        by: .cost(miss: 1, falseAlarm: 100, prevalence: 0.01)))
    #expect(rare.threshold > 0.9)
  }

  @Test func `the operating point lies between scores and decides as the threshold does`() throws {
    let choice = try #require(ranked.threshold(by: .f1))
    #expect(choice.threshold == 0.4)
    #expect(choice.operatingPoint > 0.3 && choice.operatingPoint < 0.4)
    let next = Double(1).nextUp
    let adjacent = RankedScores(scores: [next, 1], fake: [true, false]).threshold(by: .f1)
    #expect(adjacent?.operatingPoint == next)
  }

  @Test func `one class has no threshold`() {
    #expect(RankedScores(scores: [0.1], fake: [true]).threshold(by: .f1) == nil)
  }
}
