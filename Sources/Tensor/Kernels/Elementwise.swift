internal import CKernels

/// Operations of one operand that our C kernels know.
public enum UnaryOperation: Sendable {
  case relu, gelu, geluTanh, quickGelu, silu, sigmoid, tanh, exp, log, sqrt, square, abs, negate, reciprocal, softplus
  case identity, gelu10, leakyReLU, relu6, reluSquared, mish, hardSwish

  var kernel: dk_unary {
    switch self {
    case .relu: dk_relu
    case .gelu: dk_gelu
    case .geluTanh: dk_gelu_tanh
    case .quickGelu: dk_quick_gelu
    case .silu: dk_silu
    case .sigmoid: dk_sigmoid
    case .tanh: dk_tanh
    case .exp: dk_exp
    case .log: dk_log
    case .sqrt: dk_sqrt
    case .square: dk_square
    case .abs: dk_abs
    case .negate: dk_negate
    case .reciprocal: dk_reciprocal
    case .softplus: dk_softplus
    case .identity: dk_identity
    case .gelu10: dk_gelu_10
    case .leakyReLU: dk_leaky_relu
    case .relu6: dk_relu6
    case .reluSquared: dk_relu_squared
    case .mish: dk_mish
    case .hardSwish: dk_hard_swish
    }
  }

  /// Whether the derivative is computed from the result, not from the operand.
  public var differentiatesFromResult: Bool {
    switch self {
    case .sigmoid, .tanh, .exp, .sqrt, .reciprocal: true
    // relu: y > 0 exactly where x > 0, and the result is usually alive anyway.
    case .relu: true
    default: false
    }
  }
}

/// Operations of two operands that our C kernels know.
public enum BinaryOperation: Sendable {
  case add, subtract, multiply, divide, maximum, minimum

  var kernel: dk_binary {
    switch self {
    case .add: dk_add
    case .subtract: dk_subtract
    case .multiply: dk_multiply
    case .divide: dk_divide
    case .maximum: dk_maximum
    case .minimum: dk_minimum
    }
  }
}

// Results keep the memory order of their (first, dense) operand.
extension Tensor {
  /// `op` of every element.
  public func map(_ op: UnaryOperation) -> Tensor {
    let x = dense()
    return Tensor(layout: x.layout.withoutOffset) { y in
      x.withFloats { x in
        guard let y = y.baseAddress, let x = x.baseAddress else { return }
        dk_apply(op.kernel, x, y, count)
      }
    }
  }

  /// `gradient` times the derivative of `op`, where `self` is the operand, or the result if
  /// `op.differentiatesFromResult`.
  public func mapGradient(_ op: UnaryOperation, _ gradient: Tensor) -> Tensor {
    precondition(gradient.shape == shape, "gradient of \(op): \(gradient.shape) for \(shape)")
    let x = dense()
    let g = gradient.laidOut(like: x.layout)
    return Tensor(layout: x.layout.withoutOffset) { d in
      x.withFloats { x in
        g.withFloats { g in
          guard let d = d.baseAddress, let x = x.baseAddress, let g = g.baseAddress else { return }
          dk_apply_gradient(op.kernel, x, g, d, count)
        }
      }
    }
  }

  /// `op` of elements at the same place; shapes broadcast as in NumPy.
  public func combined(_ op: BinaryOperation, _ other: Tensor) -> Tensor {
    if shape != other.shape { return combinedBroadcasting(op, other) }
    let a = layout.isDense ? self : (other.layout.isDense ? laidOut(like: other.layout) : contiguous())
    let b = other.laidOut(like: a.layout)
    return Tensor(layout: a.layout.withoutOffset) { y in
      a.withFloats { a in
        b.withFloats { b in
          guard let y = y.baseAddress, let a = a.baseAddress, let b = b.baseAddress else { return }
          dk_combine(op.kernel, a, b, y, count)
        }
      }
    }
  }

  private func combinedBroadcasting(_ op: BinaryOperation, _ other: Tensor) -> Tensor {
    let shape = Tensor.broadcastShape(self.shape, other.shape)
    if shape == self.shape, let fast = combinedAlongOneAxis(op, other) { return fast }
    let a = broadcast(to: shape)
    // The operand that already fills the result decides the memory order.
    let order = a.layout.isDense ? a.layout : other.broadcast(to: shape).layout
    let target = order.isDense ? order.withoutOffset : Layout(shape)
    return a.laidOut(like: target).combined(op, other.broadcast(to: shape).laidOut(like: target))
  }

  // `other` varies along exactly the last axis in memory, or along none but leading ones: no copy of it is made.
  private func combinedAlongOneAxis(_ op: BinaryOperation, _ other: Tensor) -> Tensor? {
    guard layout.isDense, count > 0 else { return nil }
    let view = other.layout.broadcast(to: shape)
    let order = shape.indices.filter { shape[$0] != 1 }.sorted { layout.strides[$0] > layout.strides[$1] }
    // Trailing axes in memory order along which `other` varies densely, all before them constant: a row.
    var columns = 1
    var rest = order[...]
    while let axis = rest.last, view.strides[axis] == columns {
      columns *= shape[axis]
      rest.removeLast()
    }
    let isRow = columns == other.count && rest.allSatisfy { view.strides[$0] == 0 }
    // The same for each index of leading axes: a row of its own, for each sample for instance.
    var (repeats, samples) = (1, 1)
    while let axis = rest.last, view.strides[axis] == 0 {
      repeats *= shape[axis]
      rest.removeLast()
    }
    while let axis = rest.last, view.strides[axis] == columns * samples {
      samples *= shape[axis]
      rest.removeLast()
    }
    let isRowEach = !isRow && rest.isEmpty && columns >= 8 && columns * samples == other.count
    // Leading axes along which it varies densely, all after them constant: a column.
    var inner = 1
    rest = order[...]
    while let axis = rest.last, view.strides[axis] == 0 {
      inner *= shape[axis]
      rest.removeLast()
    }
    var step = 1
    var isColumn = true
    for axis in rest.reversed() {
      isColumn = isColumn && view.strides[axis] == step
      step *= shape[axis]
    }
    isColumn = isColumn && step == other.count
    guard isRow || isColumn || isRowEach else { return nil }
    return Tensor(layout: layout.withoutOffset) { y in
      withFloats { a in
        other.withStridedFloats { b in
          if isRow {
            dk_combine_row(op.kernel, a.baseAddress!, b, y.baseAddress!, count / columns, columns)
          } else if isRowEach {
            for sample in 0..<samples {
              let start = sample * repeats * columns
              dk_combine_row(
                op.kernel, a.baseAddress! + start, b + sample * columns, y.baseAddress! + start, repeats, columns)
            }
          } else {
            dk_combine_column(op.kernel, a.baseAddress!, b, y.baseAddress!, count / inner, inner)
          }
        }
      }
    }
  }

  /// The shape that both broadcast to.
  ///
  /// - Traps: if there is none.
  public static func broadcastShape(_ a: [Int], _ b: [Int]) -> [Int] {
    let rank = max(a.count, b.count)
    return (0..<rank).map { axis in
      let x = axis < rank - a.count ? 1 : a[axis - (rank - a.count)]
      let y = axis < rank - b.count ? 1 : b[axis - (rank - b.count)]
      precondition(x == y || x == 1 || y == 1, "shapes \(a) and \(b) do not broadcast")
      return x == 1 ? y : x
    }
  }

  /// `scale · self + offset`.
  public func affine(_ scale: Float, _ offset: Float) -> Tensor {
    let x = dense()
    return Tensor(layout: x.layout.withoutOffset) { y in
      x.withFloats { x in
        guard let y = y.baseAddress, let x = x.baseAddress else { return }
        dk_affine(x, scale, offset, y, count)
      }
    }
  }

  /// Every element held within `range`.
  public func clamped(_ range: ClosedRange<Float>) -> Tensor {
    let x = dense()
    return Tensor(layout: x.layout.withoutOffset) { y in
      x.withFloats { x in
        guard let y = y.baseAddress, let x = x.baseAddress else { return }
        dk_clamp(x, range.lowerBound, range.upperBound, y, count)
      }
    }
  }

  /// `gradient` where the element lies within `range`, 0 elsewhere.
  public func clampGradient(_ gradient: Tensor, _ range: ClosedRange<Float>) -> Tensor {
    let x = dense()
    let g = gradient.laidOut(like: x.layout)
    return Tensor(layout: x.layout.withoutOffset) { d in
      x.withFloats { x in
        g.withFloats { g in
          guard let d = d.baseAddress, let x = x.baseAddress, let g = g.baseAddress else { return }
          dk_clamp_gradient(x, g, range.lowerBound, range.upperBound, d, count)
        }
      }
    }
  }
}
