import CKernels
import Tensor

/// eˣ / Σ eˣ along an axis.
public func softmax(_ x: Variable, axis: Int) -> Variable {
  alongAxis(x, axis, dk_softmax, dk_softmax_gradient)
}

/// The logarithm of softmax, without taking it of small numbers.
public func logSoftmax(_ x: Variable, axis: Int) -> Variable {
  alongAxis(x, axis, dk_log_softmax, dk_log_softmax_gradient)
}

private typealias RowKernel = (UnsafePointer<Float>?, UnsafeMutablePointer<Float>?, Int, Int) -> Void
private typealias RowGradientKernel = (
  UnsafePointer<Float>?, UnsafePointer<Float>?, UnsafeMutablePointer<Float>?, Int, Int
) -> Void

// Kernels work on rows: another axis is brought to the end and back. The result is what backward needs.
private func alongAxis(
  _ x: Variable, _ axis: Int, _ kernel: @escaping RowKernel, _ gradient: @escaping RowGradientKernel
) -> Variable {
  let axis = x.value.layout.axis(axis)
  let last = x.shape.count - 1
  let rows = x.value.transposed(axis, last).contiguous()
  let columns = rows.shape[last]
  let count = columns == 0 ? 0 : rows.count / columns
  let y = Tensor(rows.shape) { y in withFloats(rows) { kernel($0, y.baseAddress, count, columns) } }
  return Tape.record(y.transposed(axis, last), [x]) { g in
    let g = g.transposed(axis, last).contiguous()
    let d = Tensor(y.shape) { d in withFloats(y, g) { gradient($0, $1, d.baseAddress, count, columns) } }
    return [d.transposed(axis, last)]
  }
}
