import Ledger
import Testing
import Training
import Wire

@testable import Cluster

@Suite struct `the sample audit` {
  // Three epochs of four steps of ten views; a step's tally is any numbers, an epoch's their sum.
  private let plan = (0..<3).map { epoch in (0..<4).map { tally(epoch, $0) }.reduce(SampleTally(), +) }

  private static func tally(_ epoch: Int, _ step: Int) -> SampleTally {
    SampleTally(count: 10, sum: UInt64(epoch * 4 + step + 1) &* 0x9E37_79B9_7F4A_7C15)
  }

  private func use(_ token: UInt64, _ epoch: Int, _ steps: Range<Int>) -> LedgerReader.Use {
    let sum = steps.map { Self.tally(epoch, $0) }.reduce(SampleTally(), +)
    return LedgerReader.Use(token: token, use: SampleUse(epoch: epoch, steps: steps, count: sum.count, sum: sum.sum))
  }

  private func audit(_ uses: [LedgerReader.Use]) -> SampleAudit.Entry {
    SampleAudit.audit(model: "m", fold: 0, planned: plan, uses: uses)
  }

  @Test func `is clean for one attempt, and for several of which the last one counts`() {
    let whole = (0..<3).map { use(5, $0, 0..<4) }
    #expect(audit(whole).problems.isEmpty && audit(whole).views == 120)
    // The first ended its training, and was lost before it handed the model over.
    #expect(audit(whole + (0..<3).map { use(6, $0, 0..<4) }).problems.isEmpty)
    // As ledgers of earlier versions have it: what went on from a checkpoint tells of its own steps alone.
    let parts = [use(5, 0, 0..<4), use(5, 1, 0..<2), use(5, 1, 2..<3), use(6, 1, 2..<4), use(6, 2, 0..<1)]
    #expect(audit(parts + [use(9, 2, 0..<4)]).problems.isEmpty)
  }

  @Test func `finds what was left out, used twice, exchanged, or never told of`() {
    let whole = [use(5, 0, 0..<4), use(5, 1, 0..<4), use(5, 2, 0..<4)]
    #expect(audit([]).problems.count == 3)
    #expect(audit(Array(whole.dropLast())).problems == ["epoch 3: 0 views were used where 40 were planned"])
    var wrong = whole
    wrong[1].use.count += 1
    wrong[1].use.sum &+= 12
    #expect(audit(wrong).problems == ["epoch 2: 41 views were used where 40 were planned"])
    wrong = whole
    wrong[1].use.sum &+= 1
    #expect(audit(wrong).problems.count == 1 && audit(wrong).problems[0].contains("not the same ones"))
    // An attempt went on from a step later than the last checkpoint: steps 1 and 2 are nobody's.
    wrong = [whole[0], use(5, 1, 0..<1), use(6, 1, 3..<4), use(6, 2, 0..<4)]
    #expect(audit(wrong).problems == ["epoch 2: 20 views were used where 40 were planned"])
    #expect(audit(whole + [use(5, 3, 0..<4)]).problems == ["epoch 4: it was trained, and is in no result"])
  }

  @Test func `reads uses as they were told, and nothing else`() throws {
    let message = Metrics(job: "j", token: 3, epoch: 2, metrics: use(3, 2, 1..<4).use.metrics)
    #expect(SampleUse(message) == use(3, 2, 1..<4).use)
    var odd = message
    odd.metrics[3].value = 1e12
    #expect(SampleUse(odd) == nil)
    odd = message
    odd.metrics[1].value = 1  // no step at all
    #expect(SampleUse(odd) == nil)
    #expect(SampleUse(Metrics(job: "j", token: 3, epoch: 2, metrics: [Metric(name: "loss", value: 1)])) == nil)
  }
}
