import Autograd
import Tensor
import TestSupport
import Testing

@Suite struct `tape` {
  @Test func `linear, relu and mean match finite differences`() {
    expectGradientsMatchDifferences([testValues([3, 5], 1), testValues([4, 5], 2), testValues([4], 3)]) { v in
      mean(relu(linear(v[0], v[1], v[2])), axes: [1])
    }
  }

  @Test func `element-wise operations broadcast and keep channels-last`() {
    let x = testValues([2, 3, 4, 5], 1)
    let row = testValues([1, 3, 1, 1], 2)
    expectGradientsMatchDifferences([x, row], formats: [.contiguous, .channelsLast]) { v in v[0] * v[1] + v[1] }
    let y = Variable(x.channelsLast()) * Variable(row)
    #expect(y.value.layout.isChannelsLast)
    let plain = Variable(x) * Variable(row)
    #expect(y.value.floats() == plain.value.floats())
  }

  @Test func `a value used twice gets both gradients`() {
    let tape = Tape()
    let x = tape.leaf(Tensor([2, 3], shape: [2]))
    var gradient: [Float] = []
    tape.backward(from: sum(x * x + x)) { _, g in gradient = g.floats() }
    #expect(gradient == [5, 7])
  }

  @Test func `an operation of several outputs works when one is unused`() {
    let tape = Tape()
    let x = tape.leaf(Tensor([2, 3], shape: [2]))
    let outputs = Tape.recordMany([x.value, x.value.affine(3, 0)], [x]) { g in
      #expect(g[0] == nil)
      return [g[1]?.affine(3, 0)]
    }
    var gradient: [Float] = []
    tape.backward(from: sum(outputs[1])) { _, g in gradient = g.floats() }
    #expect(gradient == [3, 3])
  }

  @Test func `a chain of a million operations neither overflows the stack nor is slow to free`() {
    let tape = Tape()
    var x = tape.leaf(Tensor(1))
    let one = Tensor(1)
    for _ in 0..<1_000_000 { x = Tape.record(one, [x]) { g in [g] } }
    var reported = 0
    tape.backward(from: x) { _, _ in reported += 1 }
    #expect(reported == 1)
  }

  @Test func `shape operations match finite differences`() {
    let x = testValues([2, 3, 4], 1)
    expectGradientsMatchDifferences([x]) { v in reshape(permute(v[0], [2, 0, 1]), [4, 6]) }
    expectGradientsMatchDifferences([x]) { v in slice(v[0], axis: 1, 1..<3) }
    expectGradientsMatchDifferences([x]) { v in select(v[0], axis: -1, 2) }
    expectGradientsMatchDifferences([x, testValues([2, 1, 4], 2)]) { v in concat([v[0], v[1], v[0]], axis: 1) }
    expectGradientsMatchDifferences([x, testValues([2, 3, 4], 2)]) { v in stack([v[0], v[1]], axis: 1) }
    expectGradientsMatchDifferences([testValues([3, 1], 2)]) { v in broadcast(v[0], to: [2, 3, 4]) }
    for axes in [[0], [1], [2], [0, 2], [0, 1, 2], [1, 2]] {
      expectGradientsMatchDifferences([x], formats: [.contiguous, .channelsLast]) { v in
        sum(v[0], axes: axes) + mean(v[0], axes: axes)
      }
    }
  }
}
