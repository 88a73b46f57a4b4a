import Evaluation
import Files
import Foundation
import Testing

@Suite struct `speech costs` {
  @Test(arguments: Case.load("speech_costs"))
  func `agree with the challenges' definitions`(_ c: Case) throws {
    let (kinds, asv, cm) = (c["kind"].items.map(\.text), c["asv"].numbers, c["cm"].numbers)
    func trials(_ kind: String) -> [Double] { kinds.indices.filter { kinds[$0] == kind }.map { asv[$0] } }
    let verification = VerificationScores(
      target: trials("target"), nontarget: trials("nontarget"), spoof: trials("spoof"))
    try check(
      cm: cm, fake: kinds.map { $0 == "spoof" }, verification, c.expected)
  }

  /// The real file is not ours to ship: UNMASK_FIELD_LISTS names a folder that has it.
  @Test(.enabled(if: ProcessInfo.processInfo.environment["UNMASK_FIELD_LISTS"] != nil))
  func `of ASVspoof 5's own file agree with its tools to the last digits`() throws {
    let lists = URL(fileURLWithPath: ProcessInfo.processInfo.environment["UNMASK_FIELD_LISTS"]!)
    let table = try CSVReader(contentsOf: lists.appending(path: "asvspoof5/dev_scores_label.csv"))
    let verification = try VerificationScores(
      table, name: "dev", .init(score: "asv_score", kind: "sasv_label", target: "1", spoof: "0"))
    let rows = try ScoreFile.read(
      table, name: "dev", model: "dev",
      .init(names: ["score": "cm_score", "label": "sasv_label"], fakeLabel: "0", higherIsReal: true))
    let expected: [String: JSON] = [
      "cm_eer": .number(0.00619731789960915), "asv_eer": .number(0.018709274330725147),
      "asv_threshold": .number(0.442594051361084), "min_tdcf_2019": .number(0.02815024927153577),
      "min_tdcf_2021": .number(0.10865024864318812), "min_dcf": .number(0.01631981160660231),
      "act_dcf": .number(0.018024153192537015), "cllr": .number(0.028190618341414547),
      "min_a_dcf": .number(0.379546992932252),
    ]
    try check(cm: rows.map { -$0.score! }, fake: rows.map(\.isFake), verification, .fields(expected))
  }

  private func check(_ measure: Measure?, _ expected: JSON, _ name: String) {
    expect(measure?.value, near: expected[name].number, absolute: 0, relative: 1e-12, name)
  }

  private func check(cm: [Double], fake: [Bool], _ verification: VerificationScores, _ expected: JSON) throws {
    let items = ScoredItems(scores: cm.map { -$0 }, fake: fake, logits: cm.map { -$0 }, threshold: 0)
    let rates = try VerificationRates(verification)
    let tandem = TandemCosts(items.ranked, rates)
    let values = MetricValues(items)
    check(values["eer"], expected, "cm_eer")
    check(rates.equalErrorRate.map { .defined($0) }, expected, "asv_eer")
    check(rates.threshold.map { .defined($0) }, expected, "asv_threshold")
    check(tandem.minimum2019, expected, "min_tdcf_2019")
    check(tandem.minimum2021, expected, "min_tdcf_2021")
    check(values["min_dcf"], expected, "min_dcf")
    check(values["act_dcf"], expected, "act_dcf")
    check(values["cllr"], expected, "cllr")
    check(verification.minimumArchitectureAgnosticCost, expected, "min_a_dcf")
  }

  @Test func `are undefined with a reason where they mean nothing`() throws {
    let constant = RankedScores(scores: [0.5, 0.5, 0.2], fake: [true, false, true])
    #expect(TandemCosts(constant, .asvspoof5).minimum2021.reason == "there are fewer than three distinct scores")
    let one = RankedScores(scores: [0.5, 0.1, 0.2], fake: [true, true, true])
    #expect(one.minimumDetectionCost().reason == "there are no real items")
    let useless = VerificationRates(falseAccept: 1, miss: 1, spoofAccept: 1)
    let three = RankedScores(scores: [0.5, 0.1, 0.2], fake: [true, false, true])
    #expect(TandemCosts(three, useless).minimum2019.value == nil)
    #expect(throws: EvaluationError.self) {
      try VerificationRates(VerificationScores(target: [1], nontarget: [], spoof: [0]))
    }
    #expect(throws: EvaluationError.self) { try VerificationRates("0.1:0.2") }
    #expect(try VerificationRates("0.1:0.2:0.3") == VerificationRates(falseAccept: 0.1, miss: 0.2, spoofAccept: 0.3))
  }
}
