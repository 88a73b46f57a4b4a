internal import CKernels

extension Tensor {
  /// Tensors one after the other along an axis; the memory order of the first one decides.
  ///
  /// - Traps: if types differ, or lengths on other axes.
  public static func concatenated(_ parts: [Tensor], axis: Int) -> Tensor {
    precondition(!parts.isEmpty, "concatenated: nothing")
    let axis = parts[0].layout.axis(axis)
    var shape = parts[0].shape
    shape[axis] = 0
    for part in parts {
      var expected = part.shape
      expected[axis] = 0
      precondition(
        expected
          == {
            var s = shape; s[axis] = 0; return s
          }() && part.dtype == parts[0].dtype,
        "concatenated: \(parts[0].shape) and \(part.shape) along axis \(axis)")
      shape[axis] += part.shape[axis]
    }
    let target = Layout(shape, format: parts.first { $0.count > 0 }?.layout.format ?? .contiguous)
    let size = parts[0].dtype.size
    return Tensor(layout: target, dtype: parts[0].dtype) { out in
      var at = 0
      for part in parts where part.count > 0 {
        withExtendedLifetime(part.storage) {
          dk_copy_strided(
            Int32(part.rank), part.shape.map(Int64.init), part.storage.base + part.layout.offset * size,
            part.layout.strides.map(Int64.init), out.baseAddress! + at * target.strides[axis] * size,
            target.strides.map(Int64.init), size)
        }
        at += part.shape[axis]
      }
    }
  }
}
