internal import CKernels
import Tensor

// Pools over the spatial axes of `[N, C, spatial…]`, one to three of them, computed channels-last. Every kind is a list of
// windows for each axis, so that one pair of kernels serves all.

/// Largest value of each window.
///
/// - Shapes: `[N, C, spatial…]` → `[N, C, spatial'…]`; `ceil` rounds sizes up as PyTorch's `ceil_mode` does.
/// - Cost: keeps the place of each winner, four bytes an output.
public func maxPool(
  _ x: Variable, kernel: PerAxis, stride: PerAxis? = nil, padding: PerAxis = 0, dilation: PerAxis = 1,
  ceil: Bool = false
) -> Variable {
  let windows = spatialSizes(x, "maxPool").indices.map { axis in
    Windows(
      length: x.shape[axis + 2], spatial: x.shape.count - 2, axis: axis, kernel: kernel, stride: stride ?? kernel,
      padding: padding, dilation: dilation, ceil: ceil, countingPadding: false)
  }
  return maxPool(x, windows)
}

/// Mean of each window; padding counts as zeros if `countingPadding`, else only inputs are averaged. A `divisor` replaces
/// the number of values.
///
/// - Shapes: `[N, C, spatial…]` → `[N, C, spatial'…]`
public func averagePool(
  _ x: Variable, kernel: PerAxis, stride: PerAxis? = nil, padding: PerAxis = 0, ceil: Bool = false,
  countingPadding: Bool = true, divisor: Int? = nil
) -> Variable {
  var windows = spatialSizes(x, "averagePool").indices.map { axis in
    Windows(
      length: x.shape[axis + 2], spatial: x.shape.count - 2, axis: axis, kernel: kernel, stride: stride ?? kernel,
      padding: padding, dilation: 1, ceil: ceil, countingPadding: countingPadding)
  }
  if let divisor {
    for axis in windows.indices {
      windows[axis].extent = windows[axis].extent.map { _ in axis == 0 ? Int32(divisor) : 1 }
    }
  }
  return averagePool(x, windows)
}

/// Means over windows that divide the input into `output` parts; they overlap where it does not divide.
public func adaptiveAveragePool(_ x: Variable, output: PerAxis) -> Variable {
  averagePool(x, adaptiveWindows(x, output))
}

/// Largest values of windows that divide the input into `output` parts.
public func adaptiveMaxPool(_ x: Variable, output: PerAxis) -> Variable { maxPool(x, adaptiveWindows(x, output)) }

private func adaptiveWindows(_ x: Variable, _ output: PerAxis) -> [Windows] {
  let sizes = spatialSizes(x, "adaptive pool")
  return zip(sizes, output.expanded(to: sizes.count)).map { Windows(length: $0, parts: $1) }
}

private func spatialSizes(_ x: Variable, _ what: String) -> [Int] {
  precondition((3...5).contains(x.shape.count) && !x.shape.contains(0), "\(what): input \(x.shape)")
  return Array(x.shape.dropFirst(2))
}

/// The windows along one axis, clipped to the input.
private struct Windows {
  let length: Int
  let step: Int
  var begin: [Int32] = []
  var end: [Int32] = []
  var extent: [Int32] = []

  /// The only window of an axis that a tensor does not have.
  static let unused = Windows(length: 1, parts: 1)

  init(
    length: Int, spatial: Int, axis: Int, kernel: PerAxis, stride: PerAxis, padding: PerAxis, dilation: PerAxis,
    ceil: Bool, countingPadding: Bool
  ) {
    func own(_ values: PerAxis) -> Int { values.expanded(to: spatial)[axis] }
    let (kernel, stride, padding, dilation) = (own(kernel), own(stride), own(padding), own(dilation))
    precondition(kernel > 0 && stride > 0 && dilation > 0, "pool: kernel \(kernel), stride \(stride)")
    self.length = length
    step = dilation
    let reach = dilation * (kernel - 1) + 1
    precondition(padding >= 0 && padding * 2 <= reach, "pool: padding \(padding) is over half of kernel \(kernel)")
    let room = length + 2 * padding - reach + (ceil ? stride - 1 : 0)
    precondition(room >= 0, "pool: kernel \(kernel) on an axis of \(length)")
    var count = room / stride + 1
    // A window must begin inside the input or its left padding.
    if ceil && (count - 1) * stride >= length + padding { count -= 1 }
    for output in 0..<count {
      let start = output * stride - padding
      let stop = min(start + reach, length + padding)
      let first = start >= 0 ? start : start + (dilation - 1 - start) / dilation * dilation
      begin.append(Int32(first))
      end.append(Int32(min(stop, length)))
      extent.append(Int32(countingPadding ? stop - start : min(stop, length) - first))
    }
  }

  init(length: Int, parts: Int) {
    precondition(parts > 0, "adaptive pool: \(parts) outputs")
    self.length = length
    step = 1
    for part in 0..<parts {
      begin.append(Int32(part * length / parts))
      end.append(Int32(((part + 1) * length + parts - 1) / parts))
      extent.append(end[part] - begin[part])
    }
  }
}

private func withPool<R>(_ shape: [Int], _ windows: [Windows], _ body: (UnsafePointer<dk_pool>) -> R) -> R {
  let axes = Array(repeating: Windows.unused, count: 3 - windows.count) + windows
  func triple<T, U>(_ values: [T], _ part: (T) -> U) -> (U, U, U) {
    (part(values[0]), part(values[1]), part(values[2]))
  }
  // One array for all windows, so that one closure holds the pointers.
  let all = axes.flatMap { $0.begin + $0.end + $0.extent }
  return all.withUnsafeBufferPointer { all in
    var at = all.baseAddress!
    let pointers = axes.map { axis in
      defer { at += 3 * axis.begin.count }
      return (begin: at, end: at + axis.begin.count, extent: at + 2 * axis.begin.count)
    }
    var pool = dk_pool()
    pool.batch = Int64(shape[0])
    pool.channels = Int64(shape[1])
    pool.in = triple(axes) { Int64($0.length) }
    pool.out = triple(axes) { Int64($0.begin.count) }
    pool.step = triple(axes) { Int64($0.step) }
    pool.begin = triple(pointers) { $0.begin }
    pool.end = triple(pointers) { $0.end }
    pool.extent = triple(pointers) { $0.extent }
    return body(&pool)
  }
}

private func pooledLayout(_ shape: [Int], _ windows: [Windows]) -> Layout {
  Layout(shape.prefix(2) + windows.map(\.begin.count), format: .channelsLast)
}

private func maxPool(_ x: Variable, _ windows: [Windows]) -> Variable {
  let input = x.value.channelsLast()
  let shape = input.shape
  let layout = pooledLayout(shape, windows)
  func forward(_ index: UnsafeMutablePointer<Int32>?) -> Tensor {
    Tensor(layout: layout) { y in
      input.withFloats { x in
        withPool(shape, windows) { dk_max_pool_forward($0, x.baseAddress, y.baseAddress, index) }
      }
    }
  }
  guard x.needsGradient else { return Variable(forward(nil)) }
  var y = input
  let winners = Tensor(layout: layout, dtype: .int32) { y = forward($0.bindMemory(to: Int32.self).baseAddress) }
  return Tape.record(y, [x]) { g in
    let g = g.channelsLast()
    let dx = Tensor(shape, format: .channelsLast) { dx in
      g.withFloats { g in
        winners.withBytes { winners in
          let winners = winners.assumingMemoryBound(to: Int32.self).baseAddress
          withPool(shape, windows) { dk_max_pool_backward($0, g.baseAddress, winners, dx.baseAddress) }
        }
      }
    }
    return [dx]
  }
}

private func averagePool(_ x: Variable, _ windows: [Windows]) -> Variable {
  let input = x.value.channelsLast()
  let shape = input.shape
  let y = Tensor(layout: pooledLayout(shape, windows)) { y in
    input.withFloats { x in
      withPool(shape, windows) { dk_average_pool_forward($0, x.baseAddress, y.baseAddress) }
    }
  }
  return Tape.record(y, [x]) { g in
    let g = g.channelsLast()
    let dx = Tensor(shape, format: .channelsLast) { dx in
      g.withFloats { g in
        withPool(shape, windows) { dk_average_pool_backward($0, g.baseAddress, dx.baseAddress) }
      }
    }
    return [dx]
  }
}
