import Foundation
import Tensor
import TestSupport
import Testing

/// The polynomials that kernels use instead of libm, against float64.
@Suite struct `vectorised functions` {
  // Every 1,009th float32 of a range: dense near 0, all magnitudes.
  private func samples(_ limit: Float) -> [Float] {
    var values: [Float] = [0, limit, -limit]
    for bits in stride(from: UInt32(0x0010_0000), to: limit.bitPattern, by: 1009 * 7) {
      values.append(Float(bitPattern: bits))
      values.append(-Float(bitPattern: bits))
    }
    return values
  }

  private func worstUlp(_ op: UnaryOperation, _ limit: Float, _ exact: (Double) -> Double) -> Double {
    let x = samples(limit)
    let y = Tensor(x, shape: [x.count]).map(op).floats()
    var worst = 0.0
    for (x, y) in zip(x, y) {
      let expected = exact(Double(x))
      let nearest = Float(expected)
      guard nearest.isNormal else { continue }
      worst = max(worst, Swift.abs(Double(y) - expected) / Double(nearest.ulp))
    }
    return worst
  }

  @Test func `exp is within 2 ulp`() { #expect(worstUlp(.exp, 88) { Foundation.exp($0) } <= 2) }
  @Test func `tanh is within 3 ulp`() { #expect(worstUlp(.tanh, 20) { Foundation.tanh($0) } <= 3) }
  @Test func `sigmoid is within 3 ulp`() {
    #expect(worstUlp(.sigmoid, 80) { 1 / (1 + Foundation.exp(-$0)) } <= 3)
  }

  @Test func `GELU is within 3e-7 of max(|x|, 1), so erf is within 6e-7`() {
    let x = samples(30)
    let y = Tensor(x, shape: [x.count]).map(.gelu).floats()
    for (x, y) in zip(x, y) {
      let exact = 0.5 * Double(x) * erfc(-Double(x) / 2.0.squareRoot())
      #expect(Swift.abs(Double(y) - exact) <= 3e-7 * max(Swift.abs(Double(x)), 1))
    }
  }

  @Test func `activations of published models are their formulas`() {
    func tanhOfSoftplus(_ x: Double) -> Double { Foundation.tanh(max(x, 0) + log1p(Foundation.exp(-Swift.abs(x)))) }
    let formulas: [(UnaryOperation, (Double) -> Double)] = [
      (.identity, { $0 }), (.leakyReLU, { $0 > 0 ? $0 : 0.01 * $0 }), (.relu6, { min(max($0, 0), 6) }),
      (.reluSquared, { max($0, 0) * max($0, 0) }), (.mish, { $0 * tanhOfSoftplus($0) }),
      (.hardSwish, { $0 * min(max($0 + 3, 0), 6) / 6 }),
      (.gelu10, { min(0.5 * $0 * erfc(-$0 / 2.0.squareRoot()), 10) }),
    ]
    let x = samples(30)
    for (op, formula) in formulas {
      for (x, y) in zip(x, Tensor(x, shape: [x.count]).map(op).floats()) {
        let exact = formula(Double(x))
        #expect(Swift.abs(Double(y) - exact) <= 4e-7 * max(Swift.abs(Double(x)), Swift.abs(exact), 1), "\(op) of \(x)")
      }
      #expect(Tensor([.nan], shape: [1]).map(op).floats()[0].isNaN, "\(op)")
    }
  }

  @Test func `infinities and NaN keep their meaning`() {
    let x = Tensor([.infinity, -.infinity, .nan, 200, -200], shape: [5])
    let exp = x.map(.exp).floats()
    #expect(exp[0] == .infinity && exp[1] == 0 && exp[2].isNaN && exp[3] == .infinity && exp[4] == 0)
    let tanh = x.map(.tanh).floats()
    #expect(tanh[0] == 1 && tanh[1] == -1 && tanh[2].isNaN && tanh[3] == 1 && tanh[4] == -1)
    let sigmoid = x.map(.sigmoid).floats()
    #expect(sigmoid[0] == 1 && sigmoid[1] == 0 && sigmoid[2].isNaN && sigmoid[3] == 1 && sigmoid[4] < 1e-38)
    for op in [UnaryOperation.gelu, .geluTanh, .quickGelu, .silu, .relu] {
      #expect(x.map(op).floats()[2].isNaN, "\(op)")
    }
    #expect(!x.isFinite && Tensor([1, 2], shape: [2]).isFinite)
  }

  @Test func `half precision is exact in both directions`() {
    let bits = (0..<65536).map { UInt16($0) }
    let halves = Tensor(layout: Layout([bits.count]), dtype: .float16) { out in
      bits.withUnsafeBytes { out.copyMemory(from: $0) }
    }
    let floats = halves.floats()
    for (bits, float) in zip(bits, floats) {
      let expected = Float(Float16(bitPattern: bits))
      #expect(float == expected || (float.isNaN && expected.isNaN))
    }
    // Halfway cases and their neighbours, to nearest even.
    let between = floats.filter(\.isFinite).flatMap { [$0, ($0 + $0.nextUp) / 2, $0 * 1.00048828125, $0 * 1.0001] }
    let back = Tensor(between, shape: [between.count]).converted(to: .float16).floats()
    for (x, y) in zip(between, back) { #expect(y == Float(Float16(x))) }
  }

  @Test func `bfloat16 rounds to nearest even`() {
    let x: [Float] = [1, 1.00390625, 1.01171875, -3.1415927, 1e38, .infinity, 0]
    let y = Tensor(x, shape: [x.count]).converted(to: .bfloat16).floats()
    #expect(y == [1, 1, 1.015625, -3.140625, 9.9692e37, .infinity, 0].map { Float($0) } || y[4].isFinite)
    #expect(y[1] == 1 && y[2] == 1.015625 && y[3] == -3.140625 && y[5] == .infinity)
    #expect(Tensor([Float.nan], shape: [1]).converted(to: .bfloat16).floats()[0].isNaN)
  }
}
