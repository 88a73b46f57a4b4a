import Evaluation
import Files
import Testing

@Suite struct `calibration and undecided bands` {
  @Test func `isotonic regression pools violators as scikit-learn does`() throws {
    // sklearn.isotonic.IsotonicRegression(out_of_bounds="clip").fit([.1,.2,.3,.3,.5,.6,.7,.8],[0,0,1,0,0,1,0,1])
    let fitted = try #require(
      IsotonicCalibration(
        fitting: [0.1, 0.2, 0.3, 0.3, 0.5, 0.6, 0.7, 0.8],
        fake: [false, false, true, false, false, true, false, true]))
    expect(
      [0.0, 0.2, 0.25, 0.3, 0.4, 0.5, 0.55, 0.65, 0.75, 1].map(fitted.apply),
      near: [0, 0, 1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 3, 5.0 / 12, 0.5, 0.75, 1], absolute: 1e-15, "frequencies")
    #expect(IsotonicCalibration(fitting: [0.1, 0.2], fake: [true, true]) == nil)
  }

  @Test func `isotonic regression never turns a ranking around and keeps the mean`() throws {
    var noise = SplitMix64(state: 3)
    let fake = (0..<500).map { _ in Bool.random(using: &noise) }
    let scores = fake.map { ($0 ? 0.3 : 0) + Double(Int.random(in: 0..<70, using: &noise)) / 100 }
    let fitted = try #require(IsotonicCalibration(fitting: scores, fake: fake))
    #expect(zip(fitted.frequencies, fitted.frequencies.dropFirst()).allSatisfy { $0 <= $1 })
    #expect(zip(fitted.scores, fitted.scores.dropFirst()).allSatisfy { $0 < $1 })
    let mean = scores.map(fitted.apply).reduce(0, +) / 500
    expect(mean, near: Double(fake.count { $0 }) / 500, absolute: 1e-12, "mean frequency")
  }

  @Test func `a band keeps both error rates and leaves the rest open`() throws {
    let ranked = RankedScores(
      scores: [0.9, 0.8, 0.7, 0.6, 0.4, 0.3, 0.2, 0.1], fake: [true, true, false, true, false, true, false, false])
    let strict = try #require(DecisionBand(ranked, errorRate: 0))
    #expect(strict.upper > 0.7 && strict.upper <= 0.8 && strict.lower > 0.2 && strict.lower <= 0.3)
    var outcome = DecisionBand.Outcome()
    outcome.add([0.9, 0.71, 0.5, 0.22, 0.1, 0.95], fake: [true, true, false, false, false, false], strict)
    #expect(outcome.items == 6 && outcome.undecided == 2 && outcome.right == 3)
    #expect(outcome.accused == 1 && outcome.missed == 0)
    let lax = try #require(DecisionBand(ranked, errorRate: 0.25))
    #expect(lax.lower <= lax.upper && lax.upper - lax.lower < strict.upper - strict.lower)
    let separated = try #require(DecisionBand(RankedScores(scores: [0.9, 0.1], fake: [true, false]), errorRate: 0))
    #expect(separated.lower == separated.upper && separated.answer(0.9) == .fake && separated.answer(0.1) == .real)
    #expect(DecisionBand(RankedScores(scores: [0.9], fake: [true]), errorRate: 0) == nil)
  }

  @Test func `an evaluation shows calibrated scores and the band beside, chosen on validation`() throws {
    var noise = SplitMix64(state: 4)
    var rows: [ScoreRow] = []
    for index in 0..<4000 {
      let fake = Bool.random(using: &noise)
      // Overconfident: the logit is thrice what it should be.
      let logit =
        3
        * ((fake ? 1 : -1) + 2 * (Double.random(in: -1...1, using: &noise) + Double.random(in: -1...1, using: &noise)))
      rows.append(
        ScoreRow(
          sample: "\(index)", dataset: "d", fold: index % 2, part: index % 4 < 2 ? .validation : .test,
          label: fake ? .fake : .real, model: "m", score: sigmoid(logit), logit: logit))
    }
    let result = try ScoreEvaluation(model: "m", rows: rows, undecided: 0.05, bootstrap: nil)
    for method in ["temperature", "platt", "isotonic"] {
      let ece = result.calibrated[method]?["ece"].value
      #expect(ece.map { $0 < result.pooled["ece"].value! / 2 } ?? false, "\(method): \(String(describing: ece))")
    }
    let band = try #require(result.band)
    #expect(band.outcome.undecided > 0 && band.coverage.value! < 1)
    #expect(band.accuracy.value! > result.pooled["accuracy"].value!)
    #expect(abs(Double(band.outcome.accused + band.outcome.missed) / 2000 - 0.05) < 0.02)
  }

  @Test func `files with folds are judged within folds, pooled beside`() throws {
    var rows: [ScoreRow] = []
    for index in 0..<40 {
      // Perfect within each fold, on scales that do not meet.
      let (fold, fake) = (index % 2, index % 4 < 2)
      rows.append(
        ScoreRow(
          sample: "\(index)", dataset: "d", fold: fold, part: .test, label: fake ? .fake : .real, model: "m",
          score: Double(fold) * 0.5 + (fake ? 0.3 : 0.1) + Double(index) / 10_000))
    }
    let result = try ScoreEvaluation(model: "m", rows: rows, bootstrap: Bootstrap(resamples: 50))
    #expect(result.area == 1.0 && result.pooled["auc"] == 0.75)
    #expect(result.bootstrap?.lower == 1)
    var other = rows
    for index in other.indices { other[index].model = "n" }
    let comparison = try ScoreComparison([("m", rows), ("n", other)], bootstrap: Bootstrap(resamples: 20))
    #expect(comparison.models.map(\.auc) == [1.0, 1.0] && comparison.models.map(\.pooledAUC) == [0.75, 0.75])
    #expect(comparison.pairs[0].firstArea == 1)
  }

  @Test func `the one-pass DeLong agrees with the placements of every item`() throws {
    var noise = SplitMix64(state: 6)
    let fake = (0..<600).map { _ in Bool.random(using: &noise) }
    let fold = fake.indices.map { $0 % 3 }
    let scores = fake.map { ($0 ? 0.2 : 0) + Double(Int.random(in: 0..<40, using: &noise)) / 40 }
    let slow = try #require(DeLong(scores: [scores], fake: fake, strata: fold))
    let fast = try #require(
      DeLong(
        (0..<3).map { k in
          let items = fake.indices.filter { fold[$0] == k }
          return RankedScores(scores: items.map { scores[$0] }, fake: items.map { fake[$0] })
        }))
    expect(fast.areas, near: slow.areas, absolute: 1e-14, "area")
    expect(fast.covariance[0][0], near: slow.covariance[0][0], absolute: 0, relative: 1e-11, "variance")
  }

  @Test func `the risk-coverage area counts tied confidences with their mean error`() {
    // Worked by hand: right, then {right, wrong} tied, then wrong.
    let area = Calibration.riskCoverageArea([0.9, 0.8, 0.8, 0.6], right: [true, true, false, false])
    expect(area.value, near: (0 + 0.5 / 2 + 1.0 / 3 + 2.0 / 4) / 4, absolute: 1e-15, "AURC")
  }
}
