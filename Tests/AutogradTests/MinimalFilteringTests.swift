import Autograd
import Tensor
import TestSupport
import Testing

/// Convolutions with 3x3 windows, or three taps every two numbers, that are large enough for minimal filtering, against
/// sums in double precision.
@Suite struct `convolutions by minimal filtering` {
  struct Shape: CustomTestStringConvertible {
    let x, w: [Int]
    var stride: PerAxis = 1
    var padding: PerAxis = 1
    var after: PerAxis? = nil
    var dilation: PerAxis = 1
    var testDescription: String { "\(x) by \(w)" }
  }

  /// Odd and even sizes, padding of none to more than the window, bands of many rows and of many samples, depth with
  /// strides, dilation, and planes that nothing reaches.
  static let shapes = [
    Shape(x: [4, 32, 17, 16], w: [64, 32, 3, 3]),
    Shape(x: [2, 64, 21, 27], w: [32, 64, 3, 3], padding: 0),
    Shape(x: [5, 32, 13, 15], w: [32, 32, 3, 3], padding: [0, 2], after: [2, 1]),
    Shape(x: [9, 128, 7, 8], w: [32, 128, 3, 3]),
    Shape(x: [2, 32, 6, 13, 14], w: [32, 32, 3, 3, 3]),
    Shape(x: [2, 64, 5, 14, 15], w: [32, 64, 2, 3, 3], stride: [2, 1, 1], padding: [3, 1, 1], after: [0, 0, 2]),
    Shape(x: [3, 32, 7, 12, 11], w: [32, 32, 3, 3, 3], padding: [2, 1, 1], dilation: [2, 1, 1]),
    // As many channels as the gradient's sums of all points may have, and more.
    Shape(x: [20, 256, 7, 7], w: [512, 256, 3, 3]),
    // Every second number: an odd and an even number of outputs, with and without a number left over.
    Shape(x: [2, 128, 131], w: [160, 128, 3], stride: 2, padding: 0),
    Shape(x: [3, 160, 130], w: [128, 160, 3], stride: 2, padding: 0),
    Shape(x: [2, 128, 137], w: [128, 128, 3], stride: 2, padding: 0),
    Shape(x: [1, 128, 138], w: [128, 128, 3], stride: 2, padding: 0),
  ]

  /// Result and gradients by their definition.
  private static func plain(_ s: Shape, _ x: Tensor, _ w: Tensor, _ g: Tensor) -> [[Double]] {
    let spatial = s.x.count - 2
    func three(_ axes: some Sequence<Int>, _ missing: Int) -> [Int] {
      Array(repeating: missing, count: 3 - spatial) + axes
    }
    let (size, kernel, out) = (
      three(s.x.suffix(spatial), 1), three(s.w.suffix(spatial), 1), three(g.shape.suffix(spatial), 1)
    )
    let (stride, low, dilation) = (
      three(s.stride.expanded(to: spatial), 1), three(s.padding.expanded(to: spatial), 0),
      three(s.dilation.expanded(to: spatial), 1)
    )
    let (N, C, O) = (s.x[0], s.x[1], s.w[0])
    let (xs, ws, gs) = (x.floats(), w.floats(), g.floats())
    let (pixels, taps, places) = (size.reduce(1, *), kernel.reduce(1, *), out.reduce(1, *))
    var y = [Double](repeating: 0, count: N * O * places)
    var dx = [Double](repeating: 0, count: xs.count)
    var dw = [Double](repeating: 0, count: ws.count)
    for t in 0..<taps {
      let tap = [t / (kernel[1] * kernel[2]), t / kernel[2] % kernel[1], t % kernel[2]]
      for p in 0..<places {
        let place = [p / (out[1] * out[2]), p / out[2] % out[1], p % out[2]]
        let at = (0..<3).map { place[$0] * stride[$0] - low[$0] + tap[$0] * dilation[$0] }
        guard (0..<3).allSatisfy({ (0..<size[$0]).contains(at[$0]) }) else { continue }
        let pixel = (at[0] * size[1] + at[1]) * size[2] + at[2]
        for n in 0..<N {
          for o in 0..<O {
            let slope = Double(gs[(n * O + o) * places + p])
            var sum = 0.0
            for c in 0..<C {
              let (i, j) = ((n * C + c) * pixels + pixel, (o * C + c) * taps + t)
              sum += Double(xs[i]) * Double(ws[j])
              dx[i] += slope * Double(ws[j])
              dw[j] += slope * Double(xs[i])
            }
            y[(n * O + o) * places + p] += sum
          }
        }
      }
    }
    return [y, dx, dw]
  }

  private static func results(_ s: Shape, _ x: Tensor, _ w: Tensor, threads: Int, _ precision: ComputePrecision)
    -> (g: Tensor, all: [Tensor])
  {
    ComputeThreads.with(threads) {
      ComputePrecision.with(precision) {
        let tape = Tape()
        let leaves = [x, w].map(tape.leaf)
        let y = convolution(
          leaves[0], leaves[1], stride: s.stride, padding: s.padding, paddingAfter: s.after, dilation: s.dilation)
        let g = testValues(y.shape, 9)
        var gradients: [Int: Tensor] = [:]
        tape.backward(from: y, gradient: g) { gradients[$0] = $1 }
        return (g, [y.value] + leaves.map { gradients[$0.index!]! })
      }
    }
  }

  private static func error(_ a: [Float], _ b: [Double]) -> Double {
    let (difference, size) = zip(a, b).reduce((0.0, 0.0)) {
      ($0.0 + (Double($1.0) - $1.1) * (Double($1.0) - $1.1), $0.1 + $1.1 * $1.1)
    }
    return (difference / size).squareRoot()
  }

  @Test(arguments: shapes) func `are sums of products`(_ s: Shape) {
    let (x, w) = (testValues(s.x, 1), testValues(s.w, 2))
    let (g, exact) = Self.results(s, x, w, threads: 1, .float32)
    let (_, halves) = Self.results(s, x, w, threads: 1, .bfloat16)
    let expected = Self.plain(s, x, w, g)
    for (i, name) in ["result", "gradient of x", "gradient of w"].enumerated() {
      let (a, b) = (Self.error(exact[i].floats(), expected[i]), Self.error(halves[i].floats(), expected[i]))
      #expect(a < 1e-6, "\(name): \(a)")
      #expect(b < 6e-3, "\(name) in bfloat16: \(b)")  // bfloat16 has 8 bits; rounded factors alone give 3e-3
    }
  }

  @Test(arguments: shapes) func `have the same bits on any number of threads`(_ s: Shape) {
    let (x, w) = (testValues(s.x, 1), testValues(s.w, 2))
    for precision in [ComputePrecision.float32, .bfloat16] {
      let runs = [1, 2, 3].map { Self.results(s, x, w, threads: $0, precision).all.map { $0.floats() } }
      #expect(runs.allSatisfy { $0 == runs[0] })
    }
  }
}
