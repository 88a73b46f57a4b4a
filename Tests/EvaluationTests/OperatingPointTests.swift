import Evaluation
import Foundation
import Testing

@Suite struct `operating points` {
  private static func scores(_ seed: UInt64, count: Int = 400) -> (scores: [Double], logits: [Double], fake: [Bool]) {
    var noise = SplitMix64(state: seed)
    let fake = (0..<count).map { _ in Bool.random(using: &noise) }
    let logits = fake.map { 2 * (($0 ? 1.0 : -1.0) + 3 * Double.random(in: -1...1, using: &noise)) }
    return (logits.map(sigmoid), logits, fake)
  }

  @Test(arguments: ScoreCalibration.Method.allCases)
  func `go into JSON and back, and turn no ranking around`(_ method: ScoreCalibration.Method) throws {
    let (scores, logits, fake) = Self.scores(5)
    let settings = DecisionSettings(rule: .youden, undecided: 0.1, calibration: method)
    let point = OperatingPoint(settings, validation: scores, logits: logits, fake: fake)
    #expect(point.calibration.method == method && point.rule == "youden")
    let back = try JSONDecoder().decode(OperatingPoint.self, from: JSONEncoder().encode(point))
    #expect(back == point)
    let rising = logits.sorted().map { point.calibration.apply(logit: $0) }
    #expect(zip(rising, rising.dropFirst()).allSatisfy { $0 <= $1 } && rising.allSatisfy(\.isFinite))
    let band = try #require(point.band)
    #expect(point.answer(band.upper) == .fake && point.answer(band.lower - 1e-9) == .real)
    #expect(band.lower < band.upper && point.answer((band.lower + band.upper) / 2) == .undecided)
  }

  @Test func `a damaged isotonic map is refused`() {
    let text = #"{"method":"isotonic","scores":[0.2,0.1],"frequencies":[0,1],"items":9}"#
    #expect(throws: DecodingError.self) { try JSONDecoder().decode(ScoreCalibration.self, from: Data(text.utf8)) }
  }

  @Test func `one class leaves 0,5, no band and the scores as they are`() {
    let point = OperatingPoint(
      DecisionSettings(undecided: 0.1, calibration: .isotonic), validation: [0.2, 0.9], logits: [-1, 2],
      fake: [true, true])
    #expect(point.threshold == 0.5 && point.band == nil && point.calibration == .none)
    #expect(point.rule == "fixed, as f1 has no answer on validation")
  }

  @Test(arguments: ScoreCalibration.Method.allCases)
  func `equal folds decide together as each of them does`(_ method: ScoreCalibration.Method) {
    let (scores, logits, fake) = Self.scores(9)
    let point = OperatingPoint(
      DecisionSettings(undecided: 0.15, calibration: method), validation: scores, logits: logits, fake: fake)
    let together = OperatingPoint.ensemble([point, point, point])
    var wrong = 0
    for (score, logit) in zip(scores, logits) {
      let joint = OperatingPoint.ensemble([(logit, point), (logit, point)])!
      if together.answer(joint) != point.answer(score) { wrong += 1 }
    }
    #expect(wrong == 0)
    #expect(OperatingPoint.ensemble([]) == nil)
  }

  @Test func `what is chosen does not depend on test labels or scores`() throws {
    var rows: [ScoreRow] = []
    for (part, seed) in [(Part.validation, UInt64(1)), (.test, 2)] {
      let (scores, logits, fake) = Self.scores(seed)
      for model in ["a", "b"] {
        rows += scores.indices.map {
          ScoreRow(
            sample: "\(part)-\($0)", dataset: "d", fold: 0, part: part, label: fake[$0] ? .fake : .real, model: model,
            score: model == "a" ? scores[$0] : 1 - scores[$0] / 2, logit: model == "a" ? logits[$0] : nil)
        }
      }
    }
    var turned = rows
    for index in turned.indices where turned[index].part == .test {
      turned[index].label = turned[index].isFake ? .real : .fake
    }
    let own = { (rows: [ScoreRow]) in rows.filter { $0.model == "a" } }
    let (first, second) = (
      try ScoreEvaluation(model: "a", rows: own(rows), undecided: 0.1, bootstrap: nil),
      try ScoreEvaluation(model: "a", rows: own(turned), undecided: 0.1, bootstrap: nil)
    )
    #expect(first.thresholds == second.thresholds && first.band?.bands == second.band?.bands)
    #expect(first.pooled["auc"] != second.pooled["auc"])
    for rule in FusionRule.allCases {
      let fusion = LateFusion(name: "f", rule: rule, models: ["a", "b"])
      let (one, two) = (try fusion.fuse(rows), try fusion.fuse(turned))
      #expect(one.fitted == two.fitted, "\(rule)")
      #expect(one.rows.map(\.score) == two.rows.map(\.score), "\(rule)")
    }
  }
}
