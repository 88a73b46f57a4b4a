import Autograd
import Tensor
import TestSupport
import Testing

/// Gradients against finite differences at shapes that the reference cases lack, and properties of the kernels.
@Suite struct `convolutions` {
  struct Shape: Sendable, CustomTestStringConvertible {
    let x: [Int]
    let w: [Int]
    var stride: PerAxis = 1
    var padding: PerAxis = 0
    var after: PerAxis? = nil
    var dilation: PerAxis = 1
    var groups = 1
    var testDescription: String { "\(x) * \(w) / \(groups)" }
  }

  static let shapes = [
    Shape(x: [1, 1, 1], w: [1, 1, 1]),
    Shape(x: [1, 3, 7], w: [2, 3, 2], stride: 5),
    Shape(x: [2, 2, 5, 7], w: [3, 2, 1, 3], stride: [3, 2], padding: [0, 2]),
    Shape(x: [1, 6, 5, 5], w: [4, 3, 3, 3], padding: 1, groups: 2),
    Shape(x: [1, 3, 6, 5], w: [2, 3, 2, 2], stride: 2, padding: [0, 0], after: [1, 1]),
    Shape(x: [1, 17, 5, 6], w: [17, 1, 3, 3], padding: 1, groups: 17),
    Shape(x: [2, 3, 7, 6], w: [3, 1, 3, 5], stride: [2, 3], padding: [1, 2], groups: 3),
    Shape(x: [1, 3, 6, 7], w: [3, 1, 2, 2], stride: 3, padding: [2, 0], after: [0, 1], groups: 3),
    Shape(x: [1, 2, 9], w: [2, 1, 4], padding: 2, dilation: 2, groups: 2),
    Shape(x: [2, 64, 8], w: [3, 64, 3], stride: 2),  // wide and strided: products of windows
    Shape(x: [1, 64, 9], w: [2, 64, 2], stride: 3),
    Shape(x: [1, 2, 3, 4, 3], w: [2, 1, 2, 3, 3], stride: [1, 2, 1], padding: 1, groups: 2),
    Shape(x: [1, 2, 4, 3, 3], w: [3, 2, 2, 1, 2], stride: [2, 1, 1], dilation: [1, 1, 2]),
  ]

  @Test(arguments: shapes) func `gradients match differences`(_ shape: Shape) {
    let inputs = [testValues(shape.x), testValues(shape.w, 1), testValues([shape.w[0]], 2)]
    expectGradientsMatchDifferences(inputs) { v in
      convolution(
        v[0], v[1], v[2], stride: shape.stride, padding: shape.padding, paddingAfter: shape.after,
        dilation: shape.dilation, groups: shape.groups)
    }
  }

  // The same sums as a depthwise convolution, through the grouped path: two filters a channel, of which one is used.
  @Test(arguments: [(1, 1), (2, 1), (1, 2), (3, 2)])
  func `depthwise agrees with grouped`(_ stride: Int, _ dilation: Int) {
    let (C, k) = (37, 5)
    let x = testValues([2, C, 19, 23]).channelsLast()
    let w = testValues([C, 1, k, k], 1)
    let pairs = Tensor.concatenated([w, Tensor(zeros: w.shape)], axis: 1).reshaped([2 * C, 1, k, k])
    let tape = Tape()
    let (x1, w1, x2, w2) = (tape.leaf(x), tape.leaf(w), tape.leaf(x), tape.leaf(pairs))
    let options = (stride: PerAxis(stride), dilation: PerAxis(dilation))
    let own = conv2d(x1, w1, stride: options.stride, padding: 4, dilation: options.dilation, groups: C)
    let grouped = conv2d(x2, w2, stride: options.stride, padding: 4, dilation: options.dilation, groups: C)
    let (h, width) = (own.shape[2], own.shape[3])
    let first = grouped.value.reshaped([2, C, 2, h, width]).sliced(axis: 2, 0..<1).reshaped(own.shape)
    expectClose(own.value, first, tolerance: 1e-6, "forward")
    let g = testValues(own.shape, 3)
    let spread = Tensor.concatenated(
      [g.reshaped([2, C, 1, h, width]), Tensor(zeros: [2, C, 1, h, width])], axis: 2
    ).reshaped(grouped.shape)
    var gradients: [Int: Tensor] = [:]
    tape.backward(from: [(own, g), (grouped, spread)]) { gradients[$0] = $1 }
    expectClose(gradients[x1.index!]!, gradients[x2.index!]!, tolerance: 1e-6, "input")
    let used = gradients[w2.index!]!.reshaped([C, 2, k, k]).sliced(axis: 1, 0..<1)
    expectClose(gradients[w1.index!]!, used, tolerance: 1e-6, "weight")
  }

  @Test func `the same bits run after run, in any thread`() async {
    @Sendable func run() -> [[Float]] {
      ComputeThreads.with(2) {
        let tape = Tape()
        let x = tape.leaf(testValues([4, 8, 20, 30]))
        let w = tape.leaf(testValues([16, 8, 3, 3], 1))
        let d = tape.leaf(testValues([16, 1, 3, 3], 2))
        let gamma = tape.leaf(testValues([16], 3))
        let beta = tape.leaf(testValues([16], 4))
        let convolved = conv2d(conv2d(x, w, padding: 1), d, padding: 1, groups: 16)
        let y = batchNorm(convolved, weight: gamma, bias: beta, eps: 1e-5, then: .reluMaxPool2).output
        var gradients: [Int: Tensor] = [:]
        tape.backward(from: y, gradient: testValues(y.shape, 5)) { gradients[$0] = $1 }
        return [y.value.floats()] + [x, w, d, gamma, beta].map { gradients[$0.index!]!.floats() }
      }
    }
    let first = run()
    await withTaskGroup(of: [[Float]].self) { group in
      for _ in 0..<6 { group.addTask { run() } }
      for await other in group { #expect(other == first) }
    }
  }

  // A thread keeps 256 shapes; sound of any length makes more than that.
  @Test func `more shapes than a thread keeps`() {
    let w = Variable(testValues([2, 1, 2], 1))
    let x = testValues([1, 1, 320])
    func run(_ length: Int) -> [Float] { conv1d(Variable(x.sliced(axis: 2, 0..<length)), w).value.floats() }
    let first = run(20)
    for length in 21...300 { #expect(run(length).count == 2 * (length - 1)) }
    #expect(run(20) == first)
  }

  @Test func `no gradient is computed for a constant input`() {
    let tape = Tape()
    let w = tape.leaf(testValues([2, 1, 3, 3], 1))
    let y = conv2d(Variable(testValues([1, 1, 5, 5])), w)
    var reported: [Int] = []
    tape.backward(from: y, gradient: testValues(y.shape)) { index, _ in reported.append(index) }
    #expect(reported == [w.index!])
  }
}
