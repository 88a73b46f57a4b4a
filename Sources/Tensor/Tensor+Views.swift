internal import CKernels

// Views share storage; only `contiguous`, `channelsLast`, `laidOut` and sometimes `reshaped` copy.
extension Tensor {
  /// The same elements in row-major order.
  public func contiguous() -> Tensor { layout.isContiguous ? self : copied(to: Layout(shape)) }

  /// The same elements with channels adjacent in memory; rank 2 or less: contiguous.
  public func channelsLast() -> Tensor {
    guard rank >= 3 else { return contiguous() }
    return layout.isChannelsLast ? self : copied(to: Layout(shape, format: .channelsLast))
  }

  /// The same elements in one of the two formats.
  public func inFormat(_ format: MemoryFormat) -> Tensor { format == .channelsLast ? channelsLast() : contiguous() }

  /// The same elements in the memory order of `other`, a dense layout of the same shape.
  public func laidOut(like other: Layout) -> Tensor {
    layout.hasSameOrder(as: other) ? self : copied(to: other.withoutOffset)
  }

  /// Itself if its elements fill memory without gaps, else a contiguous copy.
  public func dense() -> Tensor { layout.isDense ? self : contiguous() }

  private func copied(to target: Layout) -> Tensor {
    precondition(target.shape == shape && rank <= 8, "copy: \(shape) to \(target.shape)")
    return Tensor(layout: target, dtype: dtype) { out in
      guard count > 0 else { return }
      let source = storage.base + layout.offset * dtype.size
      withExtendedLifetime(storage) {
        dk_copy_strided(
          Int32(rank), shape.map(Int64.init), source, layout.strides.map(Int64.init), out.baseAddress!,
          target.strides.map(Int64.init), dtype.size)
      }
    }
  }

  /// The same elements under another shape; one length may be -1. Copies where the memory order does not allow a view.
  public func reshaped(_ shape: [Int]) -> Tensor {
    var shape = shape
    if let free = shape.firstIndex(of: -1) {
      let rest = shape.reduce(1) { $1 == -1 ? $0 : $0 * $1 }
      precondition(rest > 0 && count % rest == 0, "reshaped: \(self.shape) to \(shape)")
      shape[free] = count / rest
    }
    if shape == self.shape { return self }
    if let view = layout.reshaped(to: shape) { return Tensor(storage: storage, layout: view, dtype: dtype) }
    let dense = contiguous()
    return Tensor(storage: dense.storage, layout: dense.layout.reshaped(to: shape)!, dtype: dtype)
  }

  /// Two axes exchanged.
  public func transposed(_ a: Int, _ b: Int) -> Tensor {
    var axes = Array(0..<rank)
    axes.swapAt(layout.axis(a), layout.axis(b))
    return permuted(axes)
  }

  /// Axes in the given order.
  public func permuted(_ axes: [Int]) -> Tensor {
    Tensor(storage: storage, layout: layout.permuted(axes), dtype: dtype)
  }

  /// Positions `range` of one axis.
  public func sliced(axis: Int, _ range: Range<Int>) -> Tensor {
    Tensor(storage: storage, layout: layout.sliced(axis: axis, range), dtype: dtype)
  }

  /// Axes of one element repeated, and axes added in front.
  public func broadcast(to shape: [Int]) -> Tensor {
    shape == self.shape ? self : Tensor(storage: storage, layout: layout.broadcast(to: shape), dtype: dtype)
  }

  /// The same values as another element type: floats to floats, or whole numbers to floats.
  ///
  /// - Traps: on a conversion to whole numbers.
  public func converted(to target: DType) -> Tensor {
    if target == dtype { return self }
    let source = dense()
    let layout = source.layout.withoutOffset
    if dtype == .float32 {
      return Tensor(layout: layout, dtype: target) { out in
        source.withFloats { x in
          guard let x = x.baseAddress else { return }
          let bits = out.assumingMemoryBound(to: UInt16.self).baseAddress!
          switch target {
          case .bfloat16: dk_float_to_bfloat16(x, bits, count)
          case .float16: dk_float_to_float16(x, bits, count)
          default: preconditionFailure("converted: \(dtype) to \(target)")
          }
        }
      }
    }
    let floats = Tensor(layout: layout) { out in
      source.withBytes { bytes in
        guard let y = out.baseAddress, let x = bytes.baseAddress else { return }
        switch dtype {
        case .bfloat16: dk_bfloat16_to_float(x.assumingMemoryBound(to: UInt16.self), y, count)
        case .float16: dk_float16_to_float(x.assumingMemoryBound(to: UInt16.self), y, count)
        case .int64: for (i, v) in bytes.assumingMemoryBound(to: Int64.self).enumerated() { y[i] = Float(v) }
        case .int32: for (i, v) in bytes.assumingMemoryBound(to: Int32.self).enumerated() { y[i] = Float(v) }
        case .uint8, .bool: for (i, v) in bytes.enumerated() { y[i] = Float(v) }
        case .float32: break
        }
      }
    }
    return floats.converted(to: target)
  }
}
