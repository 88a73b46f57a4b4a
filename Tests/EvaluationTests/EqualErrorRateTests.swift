import Evaluation
import Testing

@Suite struct `equal error rate` {
  @Test func `a constant score is wholly wrong for ASVspoof's algorithm and half wrong on the ROC curve`() {
    let ranked = RankedScores(scores: [0.5, 0.5, 0.5, 0.5, 0.5], fake: [true, false, true, false, false])
    #expect(ranked.referenceEqualErrorRate?.rate == 1)
    #expect(ranked.interpolatedEqualErrorRate?.rate == 0.5)
    #expect(ranked.areaUnderCurve == 0.5)
    #expect(ranked.tiedShare == 1)
  }

  @Test func `ties count against the system in the reference's order`() {
    // Worked by hand with asvspoof5's compute_eer: four targets, four nontargets.
    #expect(referenceEqualErrorRate(target: [0, 1, 1, 1], nontarget: [0, 0, 0, 1])?.rate == 0.25)
  }

  @Test func `P(fake) gives the reference's value for the negated score with real as target`() {
    var noise = SplitMix64(state: 5)
    let fake = (0..<301).map { _ in Bool.random(using: &noise) }
    let scores = fake.map { ($0 ? 0.2 : 0) + Double(Int.random(in: 0..<50, using: &noise)) / 50 }
    let direct = RankedScores(scores: scores, fake: fake).referenceEqualErrorRate
    let turned = referenceEqualErrorRate(
      target: scores.indices.filter { !fake[$0] }.map { -scores[$0] },
      nontarget: scores.indices.filter { fake[$0] }.map { -scores[$0] })
    #expect(direct?.rate == turned?.rate)
    #expect(direct?.threshold == turned.map { -$0.threshold })
  }

  @Test func `one class has no rate`() {
    let ranked = RankedScores(scores: [0.1, 0.2], fake: [true, true])
    #expect(ranked.referenceEqualErrorRate == nil)
    #expect(ranked.interpolatedEqualErrorRate == nil)
    #expect(ranked.areaUnderCurve.reason == "there are no real items")
  }
}
