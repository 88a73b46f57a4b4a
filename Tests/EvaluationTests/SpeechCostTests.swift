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

  @Test func `by attack are those of the attack's trials alone, with its own share let in`() throws {
    var noise = SplitMix64(state: 12)
    func draw(_ mean: Double, _ count: Int) -> [Double] {
      (0..<count).map { _ in mean + Double.random(in: -2...2, using: &noise) }
    }
    let (target, nontarget, easy, hard) = (draw(2, 60), draw(-2, 60), draw(-2, 40), draw(1.5, 40))
    let (bonafide, weak, strong) = (draw(-1.5, 80), draw(2, 40), draw(0, 40))
    var text = "kind,asv,score,type\n"
    for (index, score) in (target + nontarget).enumerated() {
      text += "\(index < 60 ? "target" : "nontarget"),\(score),\(bonafide[index % 80] + Double(index) * 1e-6),\n"
    }
    for (name, asv, cm) in [("A01", easy, weak), ("A02", hard, strong)] {
      for (asv, cm) in zip(asv, cm) { text += "spoof,\(asv),\(cm),\(name)\n" }
    }
    let table = try CSVReader(Array(text.utf8), name: "t")
    let rates = try VerificationRates(
      VerificationScores(
        table, name: "t", .init(score: "asv", kind: "kind", target: "target", spoof: "spoof", attack: "type")))
    let rows = try ScoreFile.read(table, name: "t", model: "t", .init(names: ["label": "kind"], fakeLabel: "spoof"))
    let found = try ScoreEvaluation(model: "t", rows: rows, verification: rates, bootstrap: nil)
    #expect(found.kinds.map(\.type) == ["A01", "A02"])
    for (kind, asv) in zip(found.kinds, [easy, hard]) {
      let alone = rows.filter { $0.type.isEmpty || $0.type == kind.type }
      let own = VerificationRates(
        falseAccept: rates.falseAccept, miss: rates.miss,
        spoofAccept: Double(asv.count { $0 >= rates.threshold! }) / Double(asv.count))
      let ranked = RankedScores(scores: alone.map { $0.score! }, fake: alone.map(\.isFake))
      #expect(kind.tandem == TandemCosts(ranked, own))
      #expect(kind.equalErrorRate.value == ranked.referenceEqualErrorRate?.rate)
    }
    #expect(found.kinds[0].tandem!.minimum2021 != found.kinds[1].tandem!.minimum2021)
    // The challenges' listing names the attack before the kind.
    let file = FileManager.default.temporaryDirectory.appending(path: "asv-\(UUID().uuidString).txt")
    defer { try? FileManager.default.removeItem(at: file) }
    var listing = zip(target, nontarget).map { "bonafide target \($0)\nbonafide nontarget \($1)\n" }.joined()
    for (name, list) in [("A01", easy), ("A02", hard)] { listing += list.map { "\(name) spoof \($0)\n" }.joined() }
    try writeAtomically(listing, to: file)
    let listed = try VerificationRates(VerificationScores(listing: file))
    #expect(listed.against("A02") == rates.against("A02") && listed.against("A01") != listed.against("A02"))
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
