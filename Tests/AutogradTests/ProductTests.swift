import Autograd
import Dispatch
import Synchronization
import Tensor
import TestSupport
import Testing

/// Our products against plain sums in float64, in both kinds of numbers, and their bits over threads and runs.
@Suite struct `products` {
  /// Sizes around tiles of 14 and 32, blocks of 336 and 384, and one term to sum.
  static let sizes = [
    (1, 1, 1), (3, 17, 2), (14, 32, 16), (15, 33, 31), (29, 48, 385), (28, 16, 770), (343, 40, 33), (65, 130, 801),
  ]

  static func plain(_ a: Tensor, _ b: Tensor, _ ta: Bool, _ tb: Bool) -> [Float] {
    let (m, k) = ta ? (a.shape[1], a.shape[0]) : (a.shape[0], a.shape[1])
    let n = tb ? b.shape[0] : b.shape[1]
    let (x, z) = (a.floats(), b.floats())
    return (0..<m * n).map { at in
      let (i, j) = (at / n, at % n)
      var sum = 0.0
      for p in 0..<k { sum += Double(x[ta ? p * m + i : i * k + p]) * Double(z[tb ? j * k + p : p * n + j]) }
      return Float(sum)
    }
  }

  @Test(arguments: sizes) func `equal plain sums`(_ m: Int, _ n: Int, _ k: Int) {
    for (ta, tb) in [(false, false), (false, true), (true, false), (true, true)] {
      let a = testValues(ta ? [k, m] : [m, k], 1)
      let b = testValues(tb ? [n, k] : [k, n], 2)
      let expected = Tensor(Self.plain(a, b, ta, tb), shape: [m, n])
      expectClose(Tensor.product(a, b, transposeA: ta, transposeB: tb), expected, tolerance: 1e-6, "\(ta) \(tb)")
      let halves = ComputePrecision.with(.bfloat16) { Tensor.product(a, b, transposeA: ta, transposeB: tb) }
      // Rounded factors give rounded sums: the same as products of the rounded numbers.
      let (x, z) = (a.converted(to: .bfloat16), b.converted(to: .bfloat16))
      let rounded = Tensor(
        Self.plain(x.converted(to: .float32), z.converted(to: .float32), ta, tb), shape: [m, n])
      expectClose(halves, ComputePrecision.hasBFloat16 ? rounded : expected, tolerance: 1e-6, "bf16 \(ta) \(tb)")
    }
  }

  @Test(.enabled(if: ComputePrecision.hasBFloat16), arguments: sizes)
  func `take bfloat16 operands as they are`(_ m: Int, _ n: Int, _ k: Int) {
    let k = k + k % 2
    for (ta, tb) in [(false, false), (false, true), (true, false), (true, true)] {
      let a = testValues(ta ? [k, m] : [m, k], 1)
      let b = testValues(tb ? [n, k] : [k, n], 2)
      let (x, z) = (a.converted(to: .bfloat16), b.converted(to: .bfloat16))
      let expected = ComputePrecision.with(.bfloat16) { Tensor.product(a, b, transposeA: ta, transposeB: tb) }
      for (left, right) in [(x, z), (x, b), (a, z)] {
        let product = Tensor.product(left, right, transposeA: ta, transposeB: tb, then: AfterProduct())
        #expect(product.floats() == expected.floats(), "\(ta) \(tb)")
        let halves = Tensor.product(
          left, right, transposeA: ta, transposeB: tb, then: AfterProduct(), result: .bfloat16)
        #expect(halves.floats() == expected.converted(to: .bfloat16).floats(), "\(ta) \(tb)")
      }
    }
    let rows = testValues([m, n], 3).converted(to: .bfloat16)
    expectClose(rows.sumOfRows(), rows.converted(to: .float32).sum(axes: [0]), tolerance: 1e-6)
  }

  @Test(arguments: [ComputePrecision.float32, .bfloat16], sizes)
  func `have the same bits by a factor that threads pack together`(
    _ precision: ComputePrecision, _ size: (m: Int, n: Int, k: Int)
  ) {
    let (m, n, k) = size
    let (a, row) = (testValues([m, k], 1), testValues([n], 3))
    for transposed in [false, true] {
      let b = testValues(transposed ? [n, k] : [k, n], 2)
      let after = { @Sendable in AfterProduct(row: row, activation: .gelu) }
      let plain = ComputePrecision.with(precision) {
        Tensor.product(a, b, transposeB: transposed, then: after()).floats()
      }
      let factors = PackedFactors()
      let team = DispatchQueue(label: "team", attributes: .concurrent)
      let results = Mutex<[(identity: ObjectIdentifier?, values: [Float])]>([])
      for _ in 0..<3 {
        team.async {
          factors.shared {
            ComputePrecision.with(precision) {
              let packed = PackedFactor.of(b, transposed: transposed)
              let product = Tensor.product(a, b, packed: packed, transposeB: transposed, then: after())
              results.withLock { $0.append((packed.map(ObjectIdentifier.init), product.floats())) }
            }
          }
        }
      }
      team.sync(flags: .barrier) {}
      results.withLock { results in
        #expect(results.count == 3 && results.allSatisfy { $0.values == plain })
        #expect(Set(results.map(\.identity)).count == 1)
      }
    }
  }

  @Test(arguments: [ComputePrecision.float32, .bfloat16])
  func `drop numbers of a hidden layer as dropout does`(_ precision: ComputePrecision) {
    let (x, w, w2) = (testValues([9, 36], 1), testValues([50, 36], 2), testValues([20, 50], 4))
    func run(_ body: ([Variable], inout RandomStream) -> Variable) -> [Tensor] {
      ComputePrecision.with(precision) {
        let tape = Tape()
        let leaves = [x, w, w2].map(tape.leaf)
        var random = RandomStream(seed: 4)
        let y = body(leaves, &random)
        var results = [y.value]
        var gradients: [Int: Tensor] = [:]
        tape.backward(from: y, gradient: testValues(y.shape, 9)) { gradients[$0] = $1 }
        for leaf in leaves { results.append(gradients[leaf.index!]!) }
        return results
      }
    }
    let fused = run { v, random in
      let mask = DropoutMask(count: 9 * 50, rate: 0.3, random: &random)
      return feedForward(v[0], v[1], nil, .gelu, v[2], nil, dropout: mask)
    }
    let plain = run { v, random in
      linear(dropout(map(linear(v[0], v[1]), .gelu), rate: 0.3, random: &random), v[2])
    }
    for (a, b) in zip(fused, plain) { expectClose(a, b, tolerance: precision == .float32 ? 2e-6 : 2e-2) }
  }

  @Test func `have the same bits on threads of the caller's`() {
    let (a, b) = (testValues([401, 777], 1), testValues([333, 777], 2))
    let plain = Tensor.product(a, b, transposeB: true)
    let pieces = Atomic<Int>(0)
    let results = ComputeThreads.with(
      3,
      team: { count, piece in
        for index in (0..<count).reversed() { ComputeThreads.with(1) { piece(index) } }
        pieces.add(count, ordering: .relaxed)
      }
    ) { (Tensor.product(a, b, transposeB: true), a.sumOfSquares()) }
    #expect(results.0.floats() == plain.floats() && results.1 == a.sumOfSquares())
    #expect(pieces.load(ordering: .relaxed) > 3)
    #expect(ComputeThreads.count == 1)
  }

  @Test func `have the same bits for any number of threads`() {
    let (a, b) = (testValues([401, 777], 1), testValues([333, 777], 2))
    for precision in [ComputePrecision.float32, .bfloat16] {
      let results = [1, 2, 3, 2].map { threads in
        ComputeThreads.with(threads) {
          ComputePrecision.with(precision) { Tensor.product(a, b, transposeB: true).floats() }
        }
      }
      #expect(results.allSatisfy { $0 == results[0] })
    }
  }

  @Test(arguments: [UnaryOperation.relu, .gelu, .geluTanh, .quickGelu, .silu])
  func `end with an activation as if it came after`(_ activation: UnaryOperation) {
    let (x, w, b) = (testValues([2, 9, 35], 1), testValues([50, 35], 2), testValues([50], 3))
    let (w2, b2, scale) = (testValues([20, 50], 4), testValues([20], 5), testValues([20], 6))
    let residual = testValues([2, 9, 20], 7)
    func run(_ body: ([Variable]) -> Variable) -> [Tensor] {
      let tape = Tape()
      let leaves = [x, w, b, w2, b2, scale, residual].map(tape.leaf)
      let y = body(leaves)
      var results = [y.value]
      var gradients: [Int: Tensor] = [:]
      tape.backward(from: y, gradient: testValues(y.shape, 9)) { gradients[$0] = $1 }
      for leaf in leaves { results.append(gradients[leaf.index!]!) }
      return results
    }
    let fused = run { feedForward($0[0], $0[1], $0[2], activation, $0[3], $0[4], scale: $0[5], residual: $0[6]) }
    let plain = run { v in linear(map(linear(v[0], v[1], v[2]), activation), v[3], v[4]) * v[5] + v[6] }
    for (a, b) in zip(fused, plain) { expectClose(a, b, tolerance: 2e-6, "\(activation)") }
    let constants = [x, w, b, w2, b2, scale, residual].map { Variable($0) }
    let alone = feedForward(
      constants[0], constants[1], constants[2], activation, constants[3], constants[4], scale: constants[5],
      residual: constants[6])
    #expect(alone.value.floats() == fused[0].floats())
  }

  @Test func `scale and residual of a linear layer have gradients`() {
    expectGradientsMatchDifferences([
      testValues([5, 7], 1), testValues([6, 7], 2), testValues([6], 3), testValues([6], 4), testValues([5, 6], 5),
    ]) { linear($0[0], $0[1], $0[2], scale: $0[3], residual: $0[4]) }
    expectGradientsMatchDifferences([testValues([5, 7], 1), testValues([6, 7], 2), testValues([6], 4)]) {
      linear($0[0], $0[1], scale: $0[2])
    }
  }

  @Test func `attention in bfloat16 is near the exact one`() {
    let (q, k, v) = (testValues([2, 3, 65, 16], 1), testValues([2, 3, 70, 16], 2), testValues([2, 3, 70, 16], 3))
    let exact = scaledDotProductAttention(Variable(q), Variable(k), Variable(v)).value
    let halves = ComputePrecision.with(.bfloat16) {
      scaledDotProductAttention(Variable(q), Variable(k), Variable(v)).value
    }
    expectClose(halves, exact, tolerance: 1e-2)  // bfloat16 has 8 bits
  }
}
