import Tensor
import TestSupport
import Testing

@testable import Autograd

/// The fused forms against the plain ones, and gradients against finite differences.
@Suite struct `batch norm` {
  static let shapes = [[5, 3], [3, 2, 5], [2, 17, 5, 7], [2, 8, 4, 6], [3, 40, 3, 3], [2, 3, 2, 3, 3]]

  @Test(arguments: shapes) func `gradients match differences`(_ shape: [Int]) {
    let inputs = [testValues(shape), testValues([shape[1]], 1), testValues([shape[1]], 2)]
    expectGradientsMatchDifferences(inputs) { batchNorm($0[0], weight: $0[1], bias: $0[2], eps: 1e-3).output }
  }

  @Test(arguments: shapes, [true, false])
  func `with ReLU is the plain norm, then ReLU`(_ shape: [Int], _ training: Bool) {
    expectSame(shape, training, .relu) { relu($0) }
    expectSame(shape, training, .silu) { silu($0) }
  }

  @Test(arguments: [[2, 17, 5, 7], [2, 32, 4, 6], [1, 3, 2, 2], [3, 24, 9, 3]], [true, false])
  func `with ReLU and pool is the plain norm, then ReLU, then pool`(_ shape: [Int], _ training: Bool) {
    expectSame(shape, training, .reluMaxPool2) { maxPool(relu($0), kernel: 2) }
  }

  private func expectSame(
    _ shape: [Int], _ training: Bool, _ after: AfterNorm, _ plain: (Variable) -> Variable
  ) {
    let C = shape[1]
    let values = [testValues(shape), testValues([C], 1), testValues([C], 2)]
    func norm(_ v: [Variable], _ after: AfterNorm) -> Variable {
      guard training else {
        return batchNorm(
          v[0], mean: testValues([C], 3), variance: testValues([C], 4).map(.square), weight: v[1], bias: v[2],
          eps: 1e-2, then: after)
      }
      return batchNorm(v[0], weight: v[1], bias: v[2], eps: 1e-2, then: after).output
    }
    let tape = Tape()
    let (a, b) = (values.map(tape.leaf), values.map(tape.leaf))
    let (fused, separate) = (norm(a, after), plain(norm(b, .identity)))
    expectClose(fused.value, separate.value, tolerance: 1e-6, "output")
    var gradients: [Int: Tensor] = [:]
    let g = testValues(fused.shape, 9)
    tape.backward(from: [(fused, g), (separate, g)]) { gradients[$0] = $1 }
    for (x, y) in zip(a, b) {
      expectClose(gradients[x.index!]!, gradients[y.index!]!, tolerance: 2e-6, "gradient of \(x.shape)")
    }
    let constants = values.map { Variable($0) }
    expectClose(norm(constants, after).value, separate.value, tolerance: 1e-6, "without a tape")
  }

  // Float32 has 24 bits: a mean of 1000 with a deviation of 0.01 leaves the deviation about 8 of them.
  @Test func `a mean far from zero does not spoil the variance`() {
    let deviations = testValues([64, 4, 16, 16]).affine(0.01, 0)
    let x = deviations.affine(1, 1000)
    let exact = x.affine(1, -1000)  // what float32 kept of the deviations, exactly
    let far = batchNorm(Variable(x), weight: nil, bias: nil, eps: 1e-9).moments
    let near = batchNorm(Variable(exact), weight: nil, bias: nil, eps: 1e-9).moments
    expectClose(far.variance, near.variance, tolerance: 1e-4, "variance")
  }

  // 3e-3: x - mean is rounded to 8 bits. 3e-2: ReLU opens or shuts for numbers that near 0, each with its whole gradient.
  @Test(
    .enabled(if: ComputePrecision.hasBFloat16),
    arguments: [
      ([2, 17, 200, 160], AfterNorm.identity, 3e-3), ([2, 17, 200, 160], .silu, 3e-3),
      ([2, 32, 8, 96, 96], .relu, 3e-2),
    ])
  func `of a large input in bfloat16 keeps its distances from the mean rounded`(
    _ shape: [Int], _ after: AfterNorm, _ tolerance: Double
  ) {
    let C = shape[1]
    let values = [testValues(shape).channelsLast(), testValues([C], 1), testValues([C], 2)]
    let tape = Tape()
    let (a, b) = (values.map(tape.leaf), values.map(tape.leaf))
    func norm(_ v: [Variable]) -> Variable { batchNorm(v[0], weight: v[1], bias: v[2], eps: 1e-2, then: after).output }
    let exact = norm(b)
    let rounded = ComputePrecision.with(.bfloat16) { norm(a) }
    expectClose(rounded.value, exact.value, tolerance: 3e-3, "output")
    #expect(rounded.value.floats() != exact.value.floats())
    // What is computed again in backward, and what is not recorded, has the same bits.
    let constants = ComputePrecision.with(.bfloat16) { norm(values.map { Variable($0) }) }
    #expect(constants.value.floats() == rounded.value.floats())
    #expect((rounded.again != nil) == (after == .relu))
    if let again = rounded.again { #expect(again().floats() == rounded.value.floats()) }
    var gradients: [Int: Tensor] = [:]
    let g = testValues(shape, 9).channelsLast()
    tape.backward(from: [(rounded, g), (exact, g)]) { gradients[$0] = $1 }
    for (x, y) in zip(a, b) {
      expectClose(gradients[x.index!]!, gradients[y.index!]!, tolerance: tolerance, "gradient of \(x.shape)")
    }
  }

  @Test(.enabled(if: ComputePrecision.hasBFloat16))
  func `a convolution that makes its input again has the same gradients`() {
    let x = testValues([2, 32, 8, 96, 96]).channelsLast()
    let w = testValues([8, 32, 1, 1, 1], 1)
    ComputePrecision.with(.bfloat16) {
      let tape = Tape()
      let (a, b, input) = (tape.leaf(w), tape.leaf(w), tape.leaf(x))
      let norm = batchNorm(input, weight: nil, bias: nil, eps: 1e-5, then: .relu).output
      let (again, kept) = (conv3d(norm, a), conv3d(Variable(norm.value), b))
      let g = testValues(again.shape, 9).channelsLast()
      var gradients: [Int: Tensor] = [:]
      tape.backward(from: [(again, g), (kept, g)]) { gradients[$0] = $1 }
      #expect(gradients[a.index!]!.floats() == gradients[b.index!]!.floats())
      #expect(gradients[input.index!]!.isFinite)
    }
  }

  @Test func `a broken input is seen in the output`() {
    var values = testValues([2, 3, 4, 4]).floats()
    values[5] = .nan
    let x = Variable(Tensor(values, shape: [2, 3, 4, 4]))
    for after in [AfterNorm.identity, .relu, .silu, .reluMaxPool2] {
      #expect(!batchNorm(x, weight: nil, bias: nil, eps: 1e-5, then: after).output.value.isFinite)
    }
  }
}
