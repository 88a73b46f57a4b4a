import NN
import Tensor
import Testing

@Suite struct `numerics fingerprint` {
  @Test func `is the same every time, whatever the thread's own setting`() {
    let once = NumericsFingerprint.compute()
    #expect(once.count == 16)
    #expect(ComputeThreads.with(2) { NumericsFingerprint.compute() } == once)
  }
}
