import Tensor

// Views and their inverses. Gradients of views are views where they can be.

/// The same elements under another shape; one length may be -1.
public func reshape(_ x: Variable, _ shape: [Int]) -> Variable {
  let from = x.shape
  return Tape.record(x.value.reshaped(shape), [x]) { g in [g.reshaped(from)] }
}

/// Axes `from...` merged to one.
public func flatten(_ x: Variable, from axis: Int = 1) -> Variable {
  reshape(x, Array(x.shape[..<axis]) + [x.shape[axis...].reduce(1, *)])
}

/// Axes in the given order.
public func permute(_ x: Variable, _ axes: [Int]) -> Variable {
  let axes = axes.map(x.value.layout.axis)
  var inverse = [Int](repeating: 0, count: axes.count)
  for (to, from) in axes.enumerated() { inverse[from] = to }
  return Tape.record(x.value.permuted(axes), [x]) { [inverse] g in [g.permuted(inverse)] }
}

/// Two axes exchanged.
public func transpose(_ x: Variable, _ a: Int, _ b: Int) -> Variable {
  Tape.record(x.value.transposed(a, b), [x]) { g in [g.transposed(a, b)] }
}

/// Positions `range` of one axis.
public func slice(_ x: Variable, axis: Int, _ range: Range<Int>) -> Variable {
  let layout = x.value.layout
  let axis = layout.axis(axis)
  return Tape.record(x.value.sliced(axis: axis, range), [x]) { g in
    let around = [(0, range.lowerBound), (range.upperBound, layout.shape[axis])]
    var parts = around.map { from, to in
      var shape = layout.shape
      shape[axis] = to - from
      return Tensor(zeros: shape)
    }
    parts.insert(g, at: 1)
    return [Tensor.concatenated(parts, axis: axis)]
  }
}

/// Position `index` of one axis, which disappears.
public func select(_ x: Variable, axis: Int, _ index: Int) -> Variable {
  let axis = x.value.layout.axis(axis)
  var shape = x.shape
  shape.remove(at: axis)
  return reshape(slice(x, axis: axis, index..<index + 1), shape)
}

/// Tensors one after the other along an axis.
public func concat(_ parts: [Variable], axis: Int) -> Variable {
  let axis = parts[0].value.layout.axis(axis)
  let lengths = parts.map { $0.shape[axis] }
  let needs = parts.map(\.needsGradient)
  return Tape.record(Tensor.concatenated(parts.map(\.value), axis: axis), parts) { g in
    var from = 0
    return zip(lengths, needs).map { length, needed in
      defer { from += length }
      return needed ? g.sliced(axis: axis, from..<from + length) : nil
    }
  }
}

/// Tensors of one shape side by side along a new axis.
public func stack(_ parts: [Variable], axis: Int) -> Variable {
  var shape = parts[0].shape
  let axis = axis < 0 ? axis + shape.count + 1 : axis
  shape.insert(1, at: axis)
  return concat(parts.map { reshape($0, shape) }, axis: axis)
}

/// Axes of one element repeated, and axes added in front.
public func broadcast(_ x: Variable, to shape: [Int]) -> Variable {
  let from = x.shape
  return Tape.record(x.value.broadcast(to: shape), [x]) { g in [g.summed(to: from)] }
}
