import Evaluation
import Foundation
import Testing

@Suite struct `late fusion` {
  /// Validation rows on which `a` is good, `b` useless, and both are there.
  let rows: [FittedFusion.Row] = (0..<40).map { index in
    let fake = index % 2 == 0
    return .init(
      scores: ["a": fake ? 0.8 - Double(index) / 400 : 0.3 - Double(index) / 400, "b": Double((index * 7) % 40) / 40],
      fake: fake)
  }

  @Test func `rules give the values of their definitions`() throws {
    func fused(_ rule: FusionRule, _ scores: [String: Double?]) throws -> Double? {
      try FittedFusion(rule: rule, models: ["a", "b"], validation: rows, calibrated: false).apply(scores)
    }
    expect(try fused(.mean, ["a": 0.2, "b": 0.6]), near: 0.4, "mean")
    expect(try fused(.max, ["a": 0.2, "b": 0.6]), near: 0.6, "max")
    expect(try fused(.noisyOr, ["a": 0.2, "b": 0.6]), near: 0.68, "noisy-or")
    // Two votes of two, then the mean within the third of the scale that two votes have.
    expect(try fused(.majority, ["a": 0.9, "b": 0.99]), near: (2 + 0.945) / 3, "majority")
  }

  @Test(arguments: [FusionRule.mean, .noisyOr, .max])
  func `a model that exaggerates noise does not drown one that knows`(_ rule: FusionRule) throws {
    var noise = SplitMix64(state: 12)
    func draw(_ count: Int) -> [FittedFusion.Row] {
      (0..<count).map { index in
        let fake = index % 2 == 0
        return .init(
          scores: [
            "modest": sigmoid((fake ? 0.3 : -0.3) + Double.random(in: -0.2...0.2, using: &noise)),
            "loud": sigmoid(Double.random(in: -9...9, using: &noise)),
          ], fake: fake)
      }
    }
    let (validation, test) = (draw(30), draw(200))
    func area(calibrated: Bool) throws -> Double {
      let fusion = try FittedFusion(
        rule: rule, models: ["modest", "loud"], validation: validation, calibrated: calibrated)
      let scores = test.map { fusion.apply($0.scores)! }
      return RankedScores(scores: scores, fake: test.map(\.fake)).areaUnderCurve.value!
    }
    #expect(try area(calibrated: false) < 0.8)
    #expect(try area(calibrated: true) > 0.85)
  }

  @Test func `a model is calibrated by its own label`() throws {
    // The picture model is right about pictures; half of the fakes have a true picture.
    let rows = (0..<40).map { index in
      let (fake, visual) = (index % 4 != 0, index % 4 == 1)
      return FittedFusion.Row(scores: ["p": visual ? 0.8 : 0.2], fake: fake, labels: ["p": visual])
    }
    let own = try FittedFusion(rule: .mean, models: ["p"], validation: rows)
    #expect(own.apply(["p": 0.2])! < 0.1 && own.apply(["p": 0.8])! > 0.8)
  }

  @Test func `weights follow the validation AUC`() throws {
    let fusion = try FittedFusion(rule: .weightedMean, models: ["a", "b"], validation: rows)
    let weights = try #require(fusion.weights)
    #expect(weights[0] > 0.8)
    expect(weights.reduce(0, +), near: 1, "sum")
  }

  @Test(arguments: FusionRule.allCases)
  func `a missing score is left out, and without any there is none`(_ rule: FusionRule) throws {
    let fusion = try FittedFusion(rule: rule, models: ["a", "b"], validation: rows)
    let missing: Double? = nil
    #expect(fusion.apply(["a": missing, "b": missing]) == nil)
    #expect(fusion.apply([:]) == nil)
    let (high, low) = (try #require(fusion.apply(["a": 0.9])), try #require(fusion.apply(["a": 0.1, "b": missing])))
    #expect(high > low)
    #expect((0...1).contains(high) && (0...1).contains(low))
  }

  @Test(arguments: FusionRule.allCases)
  func `a fitted fusion survives JSON`(_ rule: FusionRule) throws {
    let fusion = try FittedFusion(rule: rule, models: ["a", "b"], validation: rows)
    let again = try JSONDecoder().decode(FittedFusion.self, from: JSONEncoder().encode(fusion))
    #expect(again.apply(["a": 0.7, "b": 0.2]) == fusion.apply(["a": 0.7, "b": 0.2]))
  }

  private func row(_ sample: String, _ part: Part, _ model: String, _ score: Double?, fake: Bool) -> ScoreRow {
    ScoreRow(
      sample: sample, dataset: "d", fold: 0, part: part, label: fake ? .fake : .real, type: fake ? "x" : "",
      model: model, score: score, reason: score == nil ? "no stream" : "")
  }

  private func files(testNoise: Double) -> [ScoreRow] {
    (0..<20).flatMap { index -> [ScoreRow] in
      let (fake, part) = (index % 2 == 0, index < 10 ? Part.validation : .test)
      let base = (fake ? 0.7 : 0.3) + (part == .test ? testNoise : 0) + Double(index) / 100
      return ["a", "b"].map { row("s\(index)", part, $0, $0 == "b" && index == 19 ? nil : base, fake: fake) }
    }
  }

  @Test(arguments: FusionRule.allCases)
  func `test scores teach nothing`(_ rule: FusionRule) throws {
    let fusion = LateFusion(name: "f", rule: rule, models: ["a", "b"])
    let (one, other) = (try fusion.fuse(files(testNoise: 0)), try fusion.fuse(files(testNoise: -0.2)))
    #expect(one.fitted[0] == other.fitted[0])
    #expect(one.rows.count == 20)
    #expect(one.rows.allSatisfy { $0.score != nil && $0.model == "f" })
  }

  @Test func `labels that disagree are refused unless the samples' own are given`() throws {
    let rows = [row("s", .test, "a", 0.4, fake: true), row("s", .test, "b", 0.6, fake: false)]
    let fusion = LateFusion(name: "f", rule: .max, models: ["a", "b"])
    #expect { try fusion.fuse(rows) } throws: { "\($0)".contains("d/s") && "\($0)".contains("--labels") }
    let fused = try fusion.fuse(rows, truth: [SampleID(dataset: "d", sample: "s"): .fake]).rows
    #expect(fused.map(\.label) == [.fake] && fused[0].score == 0.6)
  }

  @Test func `equal names in two data sets are two samples`() throws {
    var other = row("s", .test, "a", 0.9, fake: true)
    other.dataset = "e"
    let rows = [row("s", .test, "a", 0.1, fake: false), row("s", .test, "b", 0.2, fake: false), other]
    let fused = try LateFusion(name: "f", rule: .max, models: ["a", "b"]).fuse(rows).rows
    #expect(fused.map(\.score) == [0.2, 0.9])
  }

  @Test func `a rule that learns needs validation rows`() {
    let rows = [row("s", .test, "a", 0.4, fake: true), row("s", .test, "b", 0.6, fake: true)]
    #expect { try LateFusion(name: "f", rule: .logistic, models: ["a", "b"]).fuse(rows) } throws: {
      "\($0)".contains("validation") && "\($0)".contains("noisy-or")
    }
  }
}

@Suite struct `temperature` {
  @Test func `brings overconfident logits back and changes no order`() throws {
    var noise = SplitMix64(state: 3)
    var (logits, fake): ([Double], [Bool]) = ([], [])
    for _ in 0..<4000 {
      let logit = Double.random(in: -2...2, using: &noise)
      logits.append(3 * logit)
      fake.append(Double.random(in: 0..<1, using: &noise) < sigmoid(logit))
    }
    let temperature = try #require(Temperature(fitting: logits, fake: fake))
    expect(temperature.value, near: 3, absolute: 0.3, "temperature")
    #expect(temperature.apply(2) > temperature.apply(1))
  }

  @Test func `stays finite where validation is separated perfectly, and flattens what ranks backwards`() throws {
    let fake = [true, true, true, false, false, false]
    let separated = try #require(Temperature(fitting: [3, 2, 4, -3, -2, -4], fake: fake))
    #expect(separated.value > 0.5 && separated.value < 10)
    #expect(Temperature(fitting: [-3, -2, -4, 3, 2, 4], fake: fake)?.value == 100)
    #expect(Temperature(fitting: [1, 2], fake: [true, true]) == nil)
  }
}
