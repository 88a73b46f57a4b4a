import CKernels
import Tensor

/// a · b, or a · bᵀ, of matrices or of equally many of them.
///
/// - Shapes: `a [..., m, k]`, `b [..., k, n]` (`[..., n, k]` if transposed) with the same leading axes → `[..., m, n]`
/// - Cost: 2·m·k·n flops each; keeps both.
public func matmul(_ a: Variable, _ b: Variable, transposeB: Bool = false) -> Variable {
  let (x, z) = (a.value, b.value)
  let needs = (a: a.needsGradient, b: b.needsGradient)
  return Tape.record(product(x, z, false, transposeB), [a, b]) { g in
    let da = needs.a ? product(g, z, false, !transposeB) : nil
    let db = needs.b ? (transposeB ? product(g, x, true, false) : product(x, g, true, false)) : nil
    return [da, db]
  }
}

private func product(_ a: Tensor, _ b: Tensor, _ ta: Bool, _ tb: Bool) -> Tensor {
  precondition(a.rank == b.rank && a.rank >= 2, "matmul: \(a.shape) and \(b.shape)")
  if a.rank == 2 { return Tensor.product(a, b, transposeA: ta, transposeB: tb) }
  let batch = Array(a.shape.dropLast(2))
  let (m, k) = ta ? (a.dim(-1), a.dim(-2)) : (a.dim(-2), a.dim(-1))
  let (inner, n) = tb ? (b.dim(-1), b.dim(-2)) : (b.dim(-2), b.dim(-1))
  precondition(batch == Array(b.shape.dropLast(2)) && k == inner, "matmul: \(a.shape) and \(b.shape)")
  return Tensor(batch + [m, n]) { y in
    withFloats(a.contiguous(), b.contiguous()) { x, z in
      guard let x, let z, let y = y.baseAddress else { return y.update(repeating: 0) }
      dk_matrix_product_batch(
        Int64(batch.reduce(1, *)), ta ? 1 : 0, tb ? 1 : 0, Int64(m), Int64(n), Int64(k), 1, x, Int64(a.dim(-1)),
        Int64(m * k), z, Int64(b.dim(-1)), Int64(k * n), 0, y, Int64(n), Int64(m * n))
    }
  }
}
