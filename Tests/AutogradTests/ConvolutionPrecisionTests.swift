import Autograd
import Tensor
import TestSupport
import Testing

/// Convolutions of bfloat16 numbers: the same as float32 convolutions of rounded numbers, with the same bits every time.
/// Larger ones with 3x3 windows round transformed numbers instead: `convolutions by minimal filtering`.
@Suite struct `convolutions in bfloat16` {
  struct Shape: CustomTestStringConvertible {
    let x, w: [Int]
    let stride, padding, after: PerAxis
    let groups: Int
    var testDescription: String { "\(x) by \(w)" }
  }

  /// One to three axes, strides that leave positions unread, one tap, groups, and channels that make runs of 6 or 9.
  static let shapes = [
    Shape(x: [2, 16, 9, 11], w: [18, 16, 3, 3], stride: 1, padding: 1, after: 1, groups: 1),
    Shape(
      x: [2, 8, 5, 6, 7], w: [10, 8, 3, 2, 3], stride: [2, 1, 2], padding: [1, 0, 1], after: [0, 1, 1], groups: 1),
    Shape(x: [1, 16, 23], w: [9, 16, 4], stride: 3, padding: 0, after: 0, groups: 1),
    Shape(x: [2, 16, 12, 13], w: [33, 16, 1, 1], stride: 2, padding: 0, after: 0, groups: 1),
    Shape(x: [3, 34, 5, 3], w: [6, 34, 1, 1], stride: 1, padding: 0, after: 0, groups: 1),
    Shape(x: [2, 3, 8, 8], w: [20, 3, 2, 2], stride: 2, padding: 0, after: 0, groups: 1),
    Shape(x: [1, 3, 12, 13], w: [6, 3, 3, 3], stride: 1, padding: 1, after: 1, groups: 1),
    // Channels of 32: windows are read where they lie. Short rows, strides, wide padding, planes without some taps.
    Shape(x: [2, 32, 9, 17], w: [64, 32, 3, 3], stride: 1, padding: 1, after: 1, groups: 1),
    Shape(x: [2, 64, 6, 33], w: [32, 64, 5, 2], stride: 1, padding: [4, 1], after: [1, 2], groups: 1),
    Shape(x: [1, 32, 3, 5, 20], w: [32, 32, 3, 3, 3], stride: 1, padding: 1, after: 1, groups: 1),
    Shape(x: [1, 64, 4, 7, 7], w: [64, 64, 3, 3, 3], stride: 2, padding: 1, after: 1, groups: 1),
    Shape(x: [2, 128, 70], w: [64, 128, 3], stride: 1, padding: 3, after: 0, groups: 1),
    Shape(x: [2, 96, 40], w: [96, 48, 16], stride: 1, padding: 8, after: 7, groups: 2),
  ]

  static func results(_ s: Shape, _ x: Tensor, _ w: Tensor, _ g: Tensor, _ precision: ComputePrecision) -> [Tensor] {
    ComputePrecision.with(precision) {
      let tape = Tape()
      let leaves = [x, w, testValues([s.w[0]], 3)].map(tape.leaf)
      let y = convolution(
        leaves[0], leaves[1], leaves[2], stride: s.stride, padding: s.padding, paddingAfter: s.after, groups: s.groups)
      var results = [y.value]
      var gradients: [Int: Tensor] = [:]
      tape.backward(from: y, gradient: g.shape == y.shape ? g : testValues(y.shape, 9)) { gradients[$0] = $1 }
      for leaf in leaves { results.append(gradients[leaf.index!]!) }
      return results
    }
  }

  private static func rounded(_ x: Tensor) -> Tensor { x.converted(to: .bfloat16).converted(to: .float32) }

  @Test(arguments: shapes) func `round factors and nothing else`(_ s: Shape) {
    let (x, w) = (testValues(s.x, 1), testValues(s.w, 2))
    let halves = Self.results(s, x, w, Tensor(zeros: [0]), .bfloat16)
    let exact = Self.results(s, x, w, Tensor(zeros: [0]), .float32)
    let g = testValues(halves[0].shape, 9)
    let plain = Self.results(s, Self.rounded(x), Self.rounded(w), Self.rounded(g), .float32)
    for (index, name) in ["result", "gradient of x", "gradient of w"].enumerated() {
      let (a, b, c) = (halves[index], plain[index], exact[index])
      // Layers whose runs are odd stay float32; either way no number is far from the exact one.
      let error = min(relativeL2(a.floats(), b.floats()), relativeL2(a.floats(), c.floats()))
      #expect(error < 2e-6, "\(name): \(error)")
    }
    // The bias's gradient is a sum, not a product.
    expectClose(halves[3], exact[3], tolerance: 1e-6)
  }

  @Test(arguments: shapes) func `have the same bits every time`(_ s: Shape) {
    let (x, w) = (testValues(s.x, 1), testValues(s.w, 2))
    for precision in [ComputePrecision.float32, .bfloat16] {
      // Our own kernels give the same for any number of threads, too; the library's may not.
      let isOwn = precision == .bfloat16 && ComputePrecision.hasBFloat16 && s.x[1] % 32 == 0 && s.w[0] % 32 == 0
      let runs = [2, 1, 2].map { threads in
        ComputeThreads.with(isOwn ? threads : 2) {
          Self.results(s, x, w, Tensor(zeros: [0]), precision).map { $0.floats() }
        }
      }
      #expect(runs.allSatisfy { $0 == runs[0] })
    }
  }
}
