internal import CKernels

/// What follows a product, done while its numbers are still near the core.
public struct AfterProduct {
  /// Added to every row.
  public var row: Tensor?
  /// Applied after that; relu, gelu, geluTanh, quickGelu or silu.
  public var activation: UnaryOperation?
  /// Multiplied with, number by number, in the activation's place: its slopes, where a gradient goes back through it.
  /// Floats or bfloat16 numbers, of the product's shape.
  public var factors: Tensor?
  /// Multiplies every row, after the activation.
  public var scale: Tensor?
  /// Added last; of the product's shape.
  public var residual: Tensor?

  /// Nothing, unless told.
  public init(
    row: Tensor? = nil, activation: UnaryOperation? = nil, factors: Tensor? = nil, scale: Tensor? = nil,
    residual: Tensor? = nil
  ) {
    (self.row, self.activation, self.factors, self.scale, self.residual) = (row, activation, factors, scale, residual)
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
    product(a, b, transposeA: ta, transposeB: tb, then: AfterProduct(row: row))
  }

  /// The product, and what follows it in the same pass over the result. Operands may be bfloat16 where
  /// `ComputePrecision.hasBFloat16`; both are multiplied as such then.
  ///
  /// - Parameters:
  ///   - packed: `b`, packed already under this thread's precision.
  ///   - result: `bfloat16` rounds the result, as the next product would.
  ///   - slopes: gets the activation's slopes, of the product's shape and of the result's type, if it is not nil.
  ///   - finish: may change the result before anybody sees it.
  /// - Traps: if an operand is bfloat16 whose rows, adjacent along the sum, have an odd number of terms.
  public static func product(
    _ a: Tensor, _ b: Tensor, packed: PackedFactor? = nil, transposeA ta: Bool = false, transposeB tb: Bool = false,
    then after: AfterProduct, result type: DType = .float32, slopes: UnsafeMutableRawPointer? = nil,
    finish: (UnsafeMutableRawPointer) -> Void = { _ in }
  ) -> Tensor {
    precondition(a.rank == 2 && b.rank == 2, "product: \(a.shape) and \(b.shape) are not matrices")
    let (m, k) = ta ? (a.shape[1], a.shape[0]) : (a.shape[0], a.shape[1])
    let (inner, n) = tb ? (b.shape[1], b.shape[0]) : (b.shape[0], b.shape[1])
    precondition(k == inner, "product: \(a.shape)\(ta ? "ᵀ" : "") · \(b.shape)\(tb ? "ᵀ" : "")")
    for row in [after.row, after.scale] {
      precondition(row == nil || row!.shape == [n], "product: a row of \(row?.shape ?? []) for \(n) columns")
    }
    for whole in [after.factors, after.residual] {
      precondition(whole == nil || whole!.shape == [m, n], "product: \(whole?.shape ?? []) beside [\(m), \(n)]")
    }
    let (x, z) = (a.asMatrixOperand(ta), b.asMatrixOperand(tb))
    let rounds = type == .bfloat16
    guard packed != nil || rounds || a.dtype == .bfloat16 || b.dtype == .bfloat16 else {
      return Tensor([m, n]) { y in
        guard let y = y.baseAddress else { return }
        after.withCall(stride: n, slopes, rounded: nil) { after in
          x.tensor.withStridedFloats { a in
            z.tensor.withStridedFloats { b in
              dk_matrix_product(
                x.isTransposed ? 1 : 0, z.isTransposed ? 1 : 0, Int64(m), Int64(n), Int64(k), 1, a, Int64(x.stride), b,
                Int64(z.stride), 0, y, Int64(n), after)
            }
          }
        }
        finish(y)
      }
    }
    precondition(
      (packed != nil && !rounds && a.dtype == .float32) || ComputePrecision.hasBFloat16,
      "product: this processor has no bfloat16 arithmetic")
    for (operand, isAlong) in [(x, !x.isTransposed), (z, z.isTransposed)] where operand.tensor.dtype == .bfloat16 {
      precondition(!isAlong || k % 2 == 0, "product: rows of \(k) bfloat16 terms")
    }
    return Tensor(layout: Layout([m, n]), dtype: type) { y in
      guard let y = y.baseAddress else { return }
      let floats = rounds ? nil : y.assumingMemoryBound(to: Float.self)
      after.withCall(stride: n, slopes, rounded: rounds ? y.assumingMemoryBound(to: UInt16.self) : nil) { after in
        x.withOperand { a in
          if let packed {
            return dk_packed_product(Int64(m), Int64(n), Int64(k), a, packed.panels, 0, floats, Int64(n), after)
          }
          z.withOperand { b in
            dk_matrix_product_rounded(Int64(m), Int64(n), Int64(k), a, b, floats, Int64(n), after)
          }
        }
      }
      finish(y)
    }
  }

  private struct MatrixOperand {
    let tensor: Tensor
    let stride: Int
    let isTransposed: Bool

    func withOperand(_ body: (dk_operand) -> Void) {
      tensor.withStridedBytes {
        body(
          dk_operand(
            base: $0, stride: Int64(stride), transposed: isTransposed ? 1 : 0, halves: tensor.dtype == .bfloat16 ? 1 : 0
          ))
      }
    }
  }

  // A matrix that can be read in place: rows adjacent, or columns adjacent and the transposition turned around.
  private func asMatrixOperand(_ transposed: Bool) -> MatrixOperand {
    let (rows, columns) = (shape[0], shape[1])
    let (s0, s1) = (layout.strides[0], layout.strides[1])
    if (s1 == 1 || columns == 1) && (s0 >= columns || rows == 1) {
      return MatrixOperand(tensor: self, stride: max(s0, columns, 1), isTransposed: transposed)
    }
    if (s0 == 1 || rows == 1) && (s1 >= rows || columns == 1) {
      return MatrixOperand(tensor: self, stride: max(s1, rows, 1), isTransposed: !transposed)
    }
    return MatrixOperand(tensor: contiguous(), stride: max(columns, 1), isTransposed: transposed)
  }
}

extension AfterProduct {
  fileprivate func withCall(
    stride: Int, _ slopes: UnsafeMutableRawPointer?, rounded: UnsafeMutablePointer<UInt16>?,
    _ body: (UnsafePointer<dk_after>?) -> Void
  ) {
    let isEmpty = row == nil && activation == nil && factors == nil && scale == nil && residual == nil
    guard !isEmpty || rounded != nil else { return body(nil) }
    let tensors = [row, scale, residual].map { $0?.contiguous() }
    func open(_ index: Int, _ pointers: [UnsafePointer<Float>?]) {
      if index < tensors.count {
        guard let tensor = tensors[index] else { return open(index + 1, pointers + [nil]) }
        return tensor.withFloats { open(index + 1, pointers + [$0.baseAddress]) }
      }
      let factors = factors?.contiguous()
      let halves = rounded != nil || factors?.dtype == .bfloat16
      precondition(factors == nil || (factors!.dtype == .bfloat16) == halves, "product: factors of another type")
      func call(_ factors: UnsafeRawPointer?) {
        var call = dk_after(
          bias: pointers[0], has_activation: activation == nil ? 0 : 1, activation: activation?.kernel ?? dk_relu,
          slopes: slopes, factors: factors, scale: pointers[1], residual: pointers[2], stride: Int64(stride),
          halves: halves ? 1 : 0, rounded: rounded)
        body(&call)
      }
      guard let factors else { return call(nil) }
      factors.withBytes { call($0.baseAddress) }
    }
    open(0, [])
  }
}
