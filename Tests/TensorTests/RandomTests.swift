import Testing

@testable import Tensor

@Suite struct `random streams` {
  @Test func `Philox gives the published numbers`() {
    // Random123's known answer for counter 0 and key 0.
    var zero = RandomStream(key: 0, lane: 0)
    #expect(zero.next() == 0xe169_c58d_6627_e8d5)
    #expect(zero.next() == 0x9b00_dbd8_bc57_ac4c)
  }

  @Test func `the same keys give the same numbers and others do not`() {
    func first(_ stream: RandomStream) -> [UInt64] {
      var stream = stream
      return (0..<4).map { _ in stream.next() }
    }
    let a = RandomStream(seed: 7, "fold", 2, "sample", "a.mp4")
    #expect(first(a) == first(RandomStream(seed: 7).keyed("fold", 2).keyed("sample", "a.mp4")))
    let others = [
      RandomStream(seed: 8, "fold", 2, "sample", "a.mp4"), RandomStream(seed: 7, "fold", 3, "sample", "a.mp4"),
      RandomStream(seed: 7, "fold", 2, "samplea", ".mp4"), RandomStream(seed: 7, "fold", "2", "sample", "a.mp4"),
      RandomStream(seed: 7, 2, "fold", "sample", "a.mp4"), a.keyed(0),
    ]
    #expect(Set(others.map(first)).union([first(a)]).count == others.count + 1)
  }

  @Test func `numbers are evenly and normally distributed`() {
    var stream = RandomStream(seed: 1)
    let uniform = (0..<100_000).map { _ in stream.unit() }
    #expect(uniform.allSatisfy { $0 >= 0 && $0 < 1 })
    // Three standard errors of the mean, and of the mean square.
    #expect(abs(uniform.reduce(0, +) / 100_000 - 0.5) < 0.003)
    let normal = (0..<100_000).map { _ in stream.normal() }
    #expect(abs(normal.reduce(0, +) / 100_000) < 0.01)
    #expect(abs(normal.reduce(0) { $0 + $1 * $1 } / 100_000 - 1) < 0.015)
    var counts = [Int](repeating: 0, count: 7)
    for _ in 0..<70_000 { counts[stream.below(7)] += 1 }
    #expect(counts.allSatisfy { abs($0 - 10_000) < 400 })
    let order = stream.permutation(100)
    #expect(order.sorted() == Array(0..<100) && order != Array(0..<100))
  }
}
