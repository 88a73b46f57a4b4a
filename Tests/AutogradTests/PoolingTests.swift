import Autograd
import Tensor
import TestSupport
import Testing

/// Pools and resizing against finite differences at odd shapes.
@Suite struct `pools` {
  @Test(arguments: [[1, 1, 1], [2, 3, 7], [1, 17, 5, 4], [2, 8, 3, 3], [1, 2, 3, 5, 2]])
  func `gradients match differences`(_ shape: [Int]) {
    let kernel = PerAxis(shape.dropFirst(2).map { min(2, $0) })
    // Values apart by more than the step, so that no winner changes.
    let spread = Tensor((0..<shape.reduce(1, *)).map { Float($0 * 7919 % 1009) / 100 }, shape: shape)
    expectGradientsMatchDifferences([spread], formats: [.contiguous, .channelsLast]) {
      maxPool($0[0], kernel: kernel, stride: 1)
    }
    expectGradientsMatchDifferences([spread], tolerance: 1e-2) { averagePool($0[0], kernel: kernel, stride: 3) }
    expectGradientsMatchDifferences([spread], tolerance: 1e-2) { adaptiveAveragePool($0[0], output: 2) }
    expectGradientsMatchDifferences([spread]) { adaptiveMaxPool($0[0], output: 1) }
  }

  @Test func `the first of equal values wins`() {
    let tape = Tape()
    let x = tape.leaf(Tensor([3, 3, 3, 3], shape: [1, 1, 2, 2]))
    var gradient = Tensor(0)
    tape.backward(from: maxPool(x, kernel: 2), gradient: Tensor(full: 1, shape: [1, 1, 1, 1])) { gradient = $1 }
    #expect(gradient.floats() == [1, 0, 0, 0])
  }

  @Test func `a broken input is seen in the output`() {
    let x = Variable(Tensor([1, .nan, 2, 0], shape: [1, 1, 2, 2]))
    #expect(!maxPool(x, kernel: 2).value.isFinite)
  }

  @Test func `resizing has the gradients of finite differences`() {
    for mode in [Interpolation.linear, .cubic] {
      expectGradientsMatchDifferences([testValues([1, 2, 3, 5])], formats: [.contiguous, .channelsLast]) {
        interpolate($0[0], size: [7, 2], mode: mode, antialias: mode == .cubic)
      }
    }
    expectGradientsMatchDifferences([testValues([2, 3, 5])]) { interpolate($0[0], size: [9], mode: .nearest) }
    expectGradientsMatchDifferences([testValues([1, 2, 2, 3, 2])]) {
      interpolate($0[0], size: [3, 2, 5], mode: .linear)
    }
  }

  @Test func `padding keeps channels-last memory`() {
    let x = testValues([2, 3, 4, 5])
    let y = pad(Variable(x.channelsLast()), before: [1, 0], after: [0, 2], with: .reflect)
    #expect(y.value.layout.isChannelsLast)
    expectClose(y.value, pad(Variable(x), before: [1, 0], after: [0, 2], with: .reflect).value, tolerance: 0)
  }
}
