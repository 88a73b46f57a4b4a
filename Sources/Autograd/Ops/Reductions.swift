import Tensor

/// The sum of all elements, a scalar.
public func sum(_ x: Variable) -> Variable {
  Tape.record(Tensor(Float(x.value.sum())), [x]) { [layout = x.value.layout] g in
    [filled(g.scalar, like: layout)]
  }
}

/// The mean of all elements, a scalar.
public func mean(_ x: Variable) -> Variable {
  let n = Double(x.value.count)
  return Tape.record(Tensor(Float(x.value.sum() / n)), [x]) { [layout = x.value.layout] g in
    [filled(Float(Double(g.scalar) / n), like: layout)]
  }
}

private func filled(_ value: Float, like layout: Layout) -> Tensor {
  Tensor(layout: layout.isDense ? layout.withoutOffset : Layout(layout.shape)) { $0.update(repeating: value) }
}

/// Sums over `axes`, which stay as axes of one element if `keepingAxes`.
public func sum(_ x: Variable, axes: [Int], keepingAxes: Bool = false) -> Variable {
  let shape = x.shape
  let summed = Set(axes.map(x.value.layout.axis))
  let kept = shape.indices.map { summed.contains($0) ? 1 : shape[$0] }
  return Tape.record(x.value.sum(axes: axes, keepingAxes: keepingAxes), [x]) { g in
    [g.reshaped(kept).broadcast(to: shape)]
  }
}

/// Means over `axes`, which stay as axes of one element if `keepingAxes`.
public func mean(_ x: Variable, axes: [Int], keepingAxes: Bool = false) -> Variable {
  let n = Set(axes.map(x.value.layout.axis)).reduce(1) { $0 * x.shape[$1] }
  return affine(sum(x, axes: axes, keepingAxes: keepingAxes), 1 / Float(n))
}
