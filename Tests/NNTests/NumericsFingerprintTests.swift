import NN
import Tensor
import Testing

@Suite struct `numerics fingerprint` {
  @Test func `is the same every time, whatever the thread's own setting`() {
    let once = NumericsFingerprint.compute()
    #expect(once.count == 16)
    #expect(ComputeThreads.with(2) { NumericsFingerprint.compute() } == once)
    let all = NumericsFingerprint.computeAll()
    #expect(all.hasPrefix(once + " bf16 ") && ComputeThreads.with(2) { NumericsFingerprint.computeAll() } == all)
    #expect(all.hasSuffix(" none") == !ComputePrecision.hasBFloat16)
  }
}
