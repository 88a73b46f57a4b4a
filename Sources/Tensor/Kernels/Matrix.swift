internal import CKernels

extension Tensor {
  /// `op(a) · op(b)` of two matrices, where `op` transposes or not, plus `row` on every row.
  ///
  /// - Shapes: `a [m, k]` (or `[k, m]` transposed), `b [k, n]` (or `[n, k]`), `row [n]?` → `[m, n]`
  public static func product(
    _ a: Tensor, _ b: Tensor, transposeA ta: Bool = false, transposeB tb: Bool = false, adding row: Tensor? = nil
  ) -> Tensor {
    precondition(a.rank == 2 && b.rank == 2, "product: \(a.shape) and \(b.shape) are not matrices")
    let (m, k) = ta ? (a.shape[1], a.shape[0]) : (a.shape[0], a.shape[1])
    let (inner, n) = tb ? (b.shape[1], b.shape[0]) : (b.shape[0], b.shape[1])
    precondition(row == nil || row!.shape == [n], "product: a row of \(row?.shape ?? []) for \(n) columns")
    precondition(k == inner, "product: \(a.shape)\(ta ? "ᵀ" : "") · \(b.shape)\(tb ? "ᵀ" : "")")
    let (x, xt) = a.asMatrixOperand(ta)
    let (z, zt) = b.asMatrixOperand(tb)
    return Tensor([m, n]) { y in
      guard let y = y.baseAddress else { return }
      // The rows are there before the product adds to them: one pass over the result less.
      row?.contiguous().withFloats { row in for i in 0..<m { (y + i * n).update(from: row.baseAddress!, count: n) } }
      x.tensor.withStridedFloats { a in
        z.tensor.withStridedFloats { b in
          dk_matrix_product(
            xt ? 1 : 0, zt ? 1 : 0, Int64(m), Int64(n), Int64(k), 1, a, Int64(x.stride), b, Int64(z.stride),
            row == nil ? 0 : 1, y,
            Int64(n))
        }
      }
    }
  }

  // A matrix that BLAS can read in place: rows adjacent, or columns adjacent and the transposition turned around.
  private func asMatrixOperand(_ transposed: Bool) -> ((tensor: Tensor, stride: Int), Bool) {
    let (rows, columns) = (shape[0], shape[1])
    let (s0, s1) = (layout.strides[0], layout.strides[1])
    if (s1 == 1 || columns == 1) && (s0 >= columns || rows == 1) { return ((self, max(s0, columns, 1)), transposed) }
    if (s0 == 1 || rows == 1) && (s1 >= rows || columns == 1) { return ((self, max(s1, rows, 1)), !transposed) }
    return ((contiguous(), max(columns, 1)), transposed)
  }
}
