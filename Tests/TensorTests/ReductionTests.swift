import CKernels
import Tensor
import TestSupport
import Testing

@Suite struct `reductions and products` {
  @Test(arguments: [1, 7, 16, 17, 4095, 4096, 4097, 100_003]) func `sums are those of float64`(_ count: Int) {
    let x = testValues([count])
    let values = x.floats().map(Double.init)
    #expect(abs(x.sum() - values.reduce(0, +)) <= 1e-6 * values.reduce(0) { $0 + abs($1) })
    let squares = values.reduce(0) { $0 + $1 * $1 }
    #expect(abs(x.sumOfSquares() - squares) <= 1e-6 * squares)
    #expect(x.largestMagnitude() == x.floats().map { abs($0) }.max())
  }

  @Test func `sums over axes agree with loops in every memory order`() {
    let x = testValues([3, 5, 4, 7])
    let v = x.floats().map(Double.init)
    for format in [MemoryFormat.contiguous, .channelsLast] {
      let y = x.inFormat(format).sum(axes: [0, 2])
      var expected = [Double](repeating: 0, count: 35)
      for a in 0..<3 {
        for b in 0..<5 { for c in 0..<4 { for d in 0..<7 { expected[b * 7 + d] += v[((a * 5 + b) * 4 + c) * 7 + d] } } }
      }
      #expect(relativeL2(y.floats(), expected.map { Float($0) }) < 1e-6)
      #expect(x.inFormat(format).sum(axes: [1], keepingAxes: true).shape == [3, 1, 4, 7])
    }
  }

  @Test(arguments: [(1, 1, 1), (3, 5, 7), (65, 33, 129), (1, 200, 3), (300, 1, 2)])
  func `products agree with loops, transposed or not`(_ m: Int, _ n: Int, _ k: Int) {
    let (a, b) = (testValues([m, k], 1), testValues([k, n], 2))
    let (x, z) = (a.floats().map(Double.init), b.floats().map(Double.init))
    var expected = [Float](repeating: 0, count: m * n)
    for i in 0..<m {
      for j in 0..<n { expected[i * n + j] = Float((0..<k).reduce(0.0) { $0 + x[i * k + $1] * z[$1 * n + j] }) }
    }
    let at = a.transposed(0, 1).contiguous()
    let bt = b.transposed(0, 1).contiguous()
    // 2e-6: float32 sums of up to 129 terms.
    for y in [
      Tensor.product(a, b), Tensor.product(at, b, transposeA: true), Tensor.product(a, bt, transposeB: true),
      Tensor.product(at, bt, transposeA: true, transposeB: true),
      Tensor.product(at.transposed(0, 1), bt.transposed(0, 1)),
    ] { #expect(relativeL2(y.floats(), expected) < 2e-6) }
  }

  @Test func `the thread count changes no bit of sums and element-wise results`() {
    let x = testValues([64, 5000])
    func results() -> [[Float]] {
      [
        x.map(.gelu).floats(), x.combined(.multiply, x).floats(), x.sum(axes: [0]).floats(), x.sum(axes: [1]).floats(),
        [Float(x.sum())],
      ]
    }
    let one = results()
    for count in [2, 3] { #expect(ComputeThreads.with(count) { results() } == one) }
    #expect(ComputeThreads.count == 1)
  }

  @Test func `a fixed thread count gives the same bits again`() {
    let (a, b) = (testValues([300, 200], 1), testValues([200, 100], 2))
    for count in [1, 2] {
      ComputeThreads.with(count) {
        let first = Tensor.product(a, b).floats()
        for _ in 0..<5 { #expect(Tensor.product(a, b).floats() == first) }
      }
    }
  }
}
