import Autograd
import Tensor
import TestSupport
import Testing

/// Gradients against finite differences at shapes with ones, primes, and sizes around a vector's width.
@Suite struct `gradients at odd shapes` {
  static let both: [MemoryFormat] = [.contiguous, .channelsLast]

  @Test(arguments: [
    UnaryOperation.gelu, .geluTanh, .quickGelu, .silu, .sigmoid, .tanh, .exp, .square, .softplus, .negate, .reciprocal,
    .identity, .gelu10, .leakyReLU, .relu6, .reluSquared, .mish, .hardSwish,
  ])
  func `of activations`(_ op: UnaryOperation) {
    // Reciprocals bend too much near 0 for a difference of 0.01.
    let far = op == .reciprocal ? testValues([2, 3, 1, 17]).map(.abs).affine(1, 1) : testValues([2, 3, 1, 17])
    expectGradientsMatchDifferences([far], formats: Self.both) { map($0[0], op) }
  }

  @Test func `of logarithm, root, magnitude and clamp`() {
    let positive = testValues([2, 3, 5]).map(.abs).affine(1, 0.5)
    expectGradientsMatchDifferences([positive]) { log($0[0]) + sqrt($0[0]) }
    expectGradientsMatchDifferences([testValues([3, 7])]) { abs($0[0]) }
    // None within a step of an edge.
    expectGradientsMatchDifferences([Tensor([-0.9, -0.6, -0.4, 0, 0.3, 0.55, 0.8], shape: [7])]) {
      clamp($0[0], -0.5...0.5)
    }
  }

  @Test(arguments: [
    ([1], [1]), ([2, 1, 3], [4, 1]), ([5], [3, 1, 5]), ([2, 3, 4, 5], [3, 1, 1]), ([2, 3, 4, 5], [5]), ([2, 3, 4], []),
  ])
  func `of broadcast arithmetic`(_ a: [Int], _ b: [Int]) {
    let far = testValues(b, 2).map(.abs).affine(1, 1)
    for format in Self.both {
      expectGradientsMatchDifferences([testValues(a, 1).inFormat(format), far]) { v in
        v[0] * v[1] - v[0] / v[1] + v[1] * 0.5
      }
    }
  }

  @Test(arguments: [(1, 1, 1), (1, 7, 3), (5, 17, 1), (3, 1, 19)])
  func `of linear`(_ rows: Int, _ inputs: Int, _ outputs: Int) {
    expectGradientsMatchDifferences(
      [testValues([rows, inputs], 1), testValues([outputs, inputs], 2), testValues([outputs], 3)]
    ) { linear($0[0], $0[1], $0[2]) }
    // A view that needs a copy, and one that does not.
    expectGradientsMatchDifferences([testValues([inputs, rows], 1), testValues([outputs, inputs], 2)]) {
      linear(transpose($0[0], 0, 1), $0[1])
    }
  }

  @Test func `of matrix products`() {
    for transposed in [false, true] {
      expectGradientsMatchDifferences([testValues([3, 5], 1), testValues(transposed ? [2, 5] : [5, 2], 2)]) {
        matmul($0[0], $0[1], transposeB: transposed)
      }
      expectGradientsMatchDifferences([
        testValues([2, 3, 4, 1], 1), testValues(transposed ? [2, 3, 5, 1] : [2, 3, 1, 5], 2),
      ]) {
        matmul($0[0], $0[1], transposeB: transposed)
      }
    }
  }

  @Test(arguments: [2, 3, 15, 17, 33]) func `of layer norm`(_ width: Int) {
    let w = testValues([width], 2)
    expectGradientsMatchDifferences(
      [testValues([70, width], 1), w, testValues([width], 3)], step: 3e-3, tolerance: 1e-2
    ) {
      layerNorm($0[0], $0[1], $0[2], normalizedShape: [width], epsilon: 1e-2)
    }
    expectGradientsMatchDifferences([testValues([3, 1, width], 1)], step: 3e-3, tolerance: 1e-2) {
      layerNorm($0[0], normalizedShape: [1, width], epsilon: 1e-2)
    }
  }

  @Test(arguments: [([2, 6, 5], 3), ([1, 4, 1, 3], 2), ([3, 2, 2, 1, 3], 1)])
  func `of group norm`(_ shape: [Int], _ groups: Int) {
    let C = shape[1]
    expectGradientsMatchDifferences(
      [testValues(shape, 1), testValues([C], 2), testValues([C], 3)], step: 3e-3, tolerance: 1e-2, formats: Self.both
    ) { groupNorm($0[0], groups: groups, $0[1], $0[2], epsilon: 1e-2) }
  }

  @Test(arguments: [0, 1, 2, -1]) func `of softmax`(_ axis: Int) {
    expectGradientsMatchDifferences([testValues([3, 17, 1])]) { softmax($0[0], axis: axis) + $0[0] }
    expectGradientsMatchDifferences([testValues([3, 5, 2])]) { logSoftmax($0[0], axis: axis) }
  }

  @Test(arguments: [(1, 1), (1, 9), (67, 3), (70, 70)]) func `of attention`(_ queries: Int, _ keys: Int) {
    // 67 and 70 queries cross the block of 64.
    let q = testValues([1, 2, queries, 3], 1)
    let (k, v) = (testValues([1, 2, keys, 3], 2), testValues([1, 2, keys, 2], 3))
    expectGradientsMatchDifferences([q, k, v]) { scaledDotProductAttention($0[0], $0[1], $0[2]) }
    expectGradientsMatchDifferences([q, k, v]) {
      scaledDotProductAttention($0[0], $0[1], $0[2], mask: testValues([queries, keys], 4), causal: true, scale: 0.8)
    }
    // Heads split from one projection, as models do it: strided views.
    expectGradientsMatchDifferences([testValues([1, queries, 6], 1), testValues([1, keys, 6], 2)]) {
      let split = { (x: Variable, n: Int) in transpose(reshape(x, [1, n, 2, 3]), 1, 2) }
      let y = scaledDotProductAttention(split($0[0], queries), split($0[1], keys), split($0[1], keys))
      return reshape(transpose(y, 1, 2), [1, queries, 6])
    }
  }

  @Test(arguments: [(1, 2), (5, 9), (67, 3), (70, 70)])
  func `of attention with dropout`(_ queries: Int, _ keys: Int) {
    let q = testValues([1, 2, queries, 3], 1)
    let (k, v) = (testValues([1, 2, keys, 3], 2), testValues([1, 2, keys, 2], 3))
    // The same chance at every call: what is dropped does not change with the inputs.
    expectGradientsMatchDifferences([q, k, v]) {
      var random = RandomStream(seed: 9, queries)
      return scaledDotProductAttention(
        $0[0], $0[1], $0[2], mask: testValues([queries, keys], 4), dropout: 0.4, random: &random)
    }
  }

  @Test func `dropped attention weights are the plain ones over the kept share, or 0`() {
    let (queries, keys, rate) = (150, 37, Float(0.3))
    let (q, k) = (Variable(testValues([2, 3, queries, 5], 1)), Variable(testValues([2, 3, keys, 5], 2)))
    // With the identity as values the result is the weights themselves.
    let identity = Tensor(
      (0..<6 * keys * keys).map { $0 % (keys * keys) % (keys + 1) == 0 ? 1 : 0 }, shape: [2, 3, keys, keys])
    let plain = scaledDotProductAttention(q, k, Variable(identity)).value.floats()
    var random = RandomStream(seed: 4)
    let dropped = scaledDotProductAttention(q, k, Variable(identity), dropout: rate, random: &random).value.floats()
    let next = scaledDotProductAttention(q, k, Variable(identity), dropout: rate, random: &random).value.floats()
    var (zeros, both, mean) = (0, 0, 0.0)
    for (index, (w, d)) in zip(plain, dropped).enumerated() {
      if d == 0 { zeros += 1 } else { #expect(abs(d * (1 - rate) - w) <= 1e-6) }
      if d == 0 && next[index] == 0 { both += 1 }
      mean += Double(d)
    }
    // Some 33,000 draws: five standard deviations of the share are 0.013.
    let count = Double(plain.count)
    #expect(abs(Double(zeros) / count - 0.3) < 0.013)
    #expect(abs(Double(both) / count - 0.09) < 0.013, "two calls must drop independently")
    #expect(abs(mean / count * Double(keys) - 1) < 0.03)
  }

  @Test func `attention and recurrent layers take a lone sample`() {
    let (q, k) = (testValues([5, 3], 1), testValues([4, 3], 2))
    let mask = testValues([5, 4], 3)
    let lone = scaledDotProductAttention(Variable(q), Variable(k), Variable(k), mask: mask).value
    let whole = scaledDotProductAttention(
      Variable(q.reshaped([1, 1, 5, 3])), Variable(k.reshaped([1, 1, 4, 3])), Variable(k.reshaped([1, 1, 4, 3])),
      mask: mask)
    #expect(lone.shape == [5, 3] && lone.floats() == whole.value.floats())

    let w = RecurrentWeights(input: Variable(testValues([8, 3], 4)), hidden: Variable(testValues([8, 2], 5)))
    let one = lstm(Variable(q), layers: [[w]])
    let batch = lstm(Variable(q.reshaped([1, 5, 3])), layers: [[w]])
    #expect(one.output.shape == [5, 2] && one.c.shape == [1, 2])
    #expect(one.output.value.floats() == batch.output.value.floats() && one.h.value.floats() == batch.h.value.floats())
  }

  @Test func `a query that sees no key gets zero and no gradient`() {
    let mask = Tensor(integers: [1, 1, 0, 0], shape: [1, 1, 2, 2])
    let tape = Tape()
    let leaves = (0..<3).map { tape.leaf(testValues([1, 1, 2, 3], $0)) }
    let y = scaledDotProductAttention(leaves[0], leaves[1], leaves[2], mask: mask)
    #expect(Array(y.value.floats()[3...]) == [0, 0, 0])
    tape.backward(from: sum(y)) { _, g in #expect(g.isFinite) }
  }

  @Test func `of embedding`() {
    let indices = Tensor(integers: [2, 0, 2, 1, 2, 2], shape: [2, 3])
    expectGradientsMatchDifferences([testValues([4, 3])]) { embedding(indices, $0[0]) + 0 }
  }

  @Test(arguments: [(1, 1, 1), (4, 2, 3), (3, 5, 17)]) func `of LSTM and GRU`(_ T: Int, _ B: Int, _ H: Int) {
    let lengths = (0..<B).map { 1 + $0 % T }
    for reversed in [false, true] {
      let inputs = [
        testValues([T, B, 2], 1), testValues([4 * H, 2], 2), testValues([4 * H, H], 3), testValues([4 * H], 4),
        testValues([B, H], 5), testValues([B, H], 6),
      ]
      expectGradientsMatchDifferences(inputs, tolerance: 1e-2) { v in
        let w = RecurrentWeights(input: v[1], hidden: v[2], inputBias: v[3])
        let r = lstmLayer(v[0], w, h0: v[4], c0: v[5], lengths: lengths, reversed: reversed)
        return concat([reshape(r.output, [T * B, H]), r.h, r.c], axis: 0)
      }
      let three = inputs.enumerated().map { i, x in
        (1...3).contains(i) ? x.sliced(axis: 0, 0..<3 * H).contiguous() : x
      }
      expectGradientsMatchDifferences(three.dropLast() + [testValues([3 * H], 7)], tolerance: 1e-2) { v in
        let w = RecurrentWeights(input: v[1], hidden: v[2], inputBias: v[3], hiddenBias: v[5])
        let r = gruLayer(v[0], w, h0: v[4], lengths: lengths, reversed: reversed)
        return concat([reshape(r.output, [T * B, H]), r.h], axis: 0)
      }
    }
  }

  @Test func `dropout drops the given share and its gradient the same elements`() {
    var random = RandomStream(seed: 3)
    let tape = Tape()
    let x = tape.leaf(Tensor(full: 1, shape: [100, 1003]))
    let y = dropout(x, rate: 0.3, random: &random)
    let values = y.value.floats()
    #expect(values.allSatisfy { $0 == 0 || abs($0 - 1 / 0.7) < 1e-6 })
    // Four standard deviations of a share of 100,300 elements.
    #expect(abs(Double(values.count { $0 == 0 }) / Double(values.count) - 0.3) < 0.006)
    tape.backward(from: sum(y)) { _, g in #expect(g.floats() == values) }
    var again = RandomStream(seed: 3)
    #expect(dropout(Variable(x.value), rate: 0.3, random: &again).value.floats() == values)
    #expect(
      ComputeThreads.with(2) {
        var again = RandomStream(seed: 3)
        return dropout(Variable(x.value), rate: 0.3, random: &again).value.floats()
      } == values)
    #expect(dropout(Variable(x.value), rate: 0.3, random: &again).value.floats() != values)
  }

  @Test func `a constant input gets no gradient`() {
    let tape = Tape()
    let w = tape.leaf(testValues([3, 4], 2))
    var reported = 0
    tape.backward(from: sum(linear(Variable(testValues([2, 4], 1)), w))) { _, _ in reported += 1 }
    #expect(reported == 1)
  }
}
