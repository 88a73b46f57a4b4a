internal import CKernels

/// What follows a product, done while its numbers are still near the core.
public struct AfterProduct {
  /// Added to every row.
  public var row: Tensor?
  /// Applied after that; relu, gelu, geluTanh, quickGelu or silu.
  public var activation: UnaryOperation?
  /// Multiplies by the activation's slope at these numbers, of the product's shape, instead of applying it.
  public var slopeAt: Tensor?
  /// Multiplies every row, after the activation.
  public var scale: Tensor?
  /// Added last; of the product's shape.
  public var residual: Tensor?

  /// Nothing, unless told.
  public init(
    row: Tensor? = nil, activation: UnaryOperation? = nil, slopeAt: Tensor? = nil, scale: Tensor? = nil,
    residual: Tensor? = nil
  ) {
    (self.row, self.activation, self.slopeAt, self.scale, self.residual) = (row, activation, slopeAt, scale, residual)
  }

  /// Whether products can end with this activation.
  public static func fuses(_ activation: UnaryOperation) -> Bool {
    [.relu, .gelu, .geluTanh, .quickGelu, .silu].contains(activation)
  }
}

extension Tensor {
  /// `op(a) · op(b)` of two matrices, where `op` transposes or not, plus `row` on every row.
  ///
  /// - Shapes: `a [m, k]` (or `[k, m]` transposed), `b [k, n]` (or `[n, k]`), `row [n]?` → `[m, n]`
  public static func product(
    _ a: Tensor, _ b: Tensor, transposeA ta: Bool = false, transposeB tb: Bool = false, adding row: Tensor? = nil
  ) -> Tensor {
    product(a, b, transposeA: ta, transposeB: tb, then: AfterProduct(row: row), keeping: nil)
  }

  /// The product, and what follows it in the same pass over the result.
  ///
  /// - Parameter kept: gets the numbers before the activation, of the product's shape, if it is not nil.
  public static func product(
    _ a: Tensor, _ b: Tensor, transposeA ta: Bool = false, transposeB tb: Bool = false, then after: AfterProduct,
    keeping kept: UnsafeMutablePointer<Float>?
  ) -> Tensor {
    precondition(a.rank == 2 && b.rank == 2, "product: \(a.shape) and \(b.shape) are not matrices")
    let (m, k) = ta ? (a.shape[1], a.shape[0]) : (a.shape[0], a.shape[1])
    let (inner, n) = tb ? (b.shape[1], b.shape[0]) : (b.shape[0], b.shape[1])
    precondition(k == inner, "product: \(a.shape)\(ta ? "ᵀ" : "") · \(b.shape)\(tb ? "ᵀ" : "")")
    for row in [after.row, after.scale] {
      precondition(row == nil || row!.shape == [n], "product: a row of \(row?.shape ?? []) for \(n) columns")
    }
    for whole in [after.slopeAt, after.residual] {
      precondition(whole == nil || whole!.shape == [m, n], "product: \(whole?.shape ?? []) beside [\(m), \(n)]")
    }
    let (x, xt) = a.asMatrixOperand(ta)
    let (z, zt) = b.asMatrixOperand(tb)
    return Tensor([m, n]) { y in
      guard let y = y.baseAddress else { return }
      after.withCall(stride: n, kept) { after in
        x.tensor.withStridedFloats { a in
          z.tensor.withStridedFloats { b in
            dk_matrix_product(
              xt ? 1 : 0, zt ? 1 : 0, Int64(m), Int64(n), Int64(k), 1, a, Int64(x.stride), b, Int64(z.stride), 0, y,
              Int64(n), after)
          }
        }
      }
    }
  }

  // A matrix that can be read in place: rows adjacent, or columns adjacent and the transposition turned around.
  private func asMatrixOperand(_ transposed: Bool) -> ((tensor: Tensor, stride: Int), Bool) {
    let (rows, columns) = (shape[0], shape[1])
    let (s0, s1) = (layout.strides[0], layout.strides[1])
    if (s1 == 1 || columns == 1) && (s0 >= columns || rows == 1) { return ((self, max(s0, columns, 1)), transposed) }
    if (s0 == 1 || rows == 1) && (s1 >= rows || columns == 1) { return ((self, max(s1, rows, 1)), !transposed) }
    return ((contiguous(), max(columns, 1)), transposed)
  }
}

extension AfterProduct {
  fileprivate func withCall(
    stride: Int, _ kept: UnsafeMutablePointer<Float>?, _ body: (UnsafePointer<dk_after>?) -> Void
  ) {
    guard row != nil || activation != nil || scale != nil || residual != nil || kept != nil else { return body(nil) }
    let tensors = [row, slopeAt, scale, residual].map { $0?.contiguous() }
    func open(_ index: Int, _ pointers: [UnsafePointer<Float>?]) {
      if index < tensors.count {
        guard let tensor = tensors[index] else { return open(index + 1, pointers + [nil]) }
        return tensor.withFloats { open(index + 1, pointers + [$0.baseAddress]) }
      }
      var call = dk_after(
        bias: pointers[0], has_activation: activation == nil ? 0 : 1, activation: activation?.kernel ?? dk_relu,
        kept: kept, gate: pointers[1], scale: pointers[2], residual: pointers[3], stride: Int64(stride))
      body(&call)
    }
    open(0, [])
  }
}
