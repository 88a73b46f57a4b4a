internal import CKernels
import Tensor
import Glibc

/// How values between positions are found.
public enum Interpolation: Sendable, Hashable {
  /// The position at or before: PyTorch's `nearest`.
  case nearest
  /// The position whose area holds the output's centre: PyTorch's `nearest-exact`.
  case nearestExact
  /// Bilinear in two dimensions.
  case linear
  /// Bicubic in two dimensions: a = -0.75, with antialiasing a = -0.5.
  case cubic
}

/// Resizes the spatial axes. Pixels are areas, as PyTorch's `align_corners=False`, unless the corners are aligned.
///
/// - Shapes: `[N, C, spatial…]` → `[N, C, size…]`
/// - Parameter scale: how many outputs an input gives, per axis, where it is not size / input exactly.
/// - Parameter antialias: widens the filter when shrinking and normalises it, as PIL does.
public func interpolate(
  _ x: Variable, size: [Int], mode: Interpolation, antialias: Bool = false, scale: [Double]? = nil,
  aligningCorners: Bool = false
) -> Variable {
  let spatial = x.shape.count - 2
  precondition(spatial >= 1 && size.count == spatial && !size.contains { $0 < 1 }, "interpolate: \(x.shape) to \(size)")
  precondition(!x.shape.contains(0), "interpolate: empty input \(x.shape)")
  let maps = (0..<spatial).map { axis in
    AxisMap(
      from: x.shape[axis + 2], to: size[axis], mode: mode, antialias: antialias, scale: scale?[axis],
      aligningCorners: aligningCorners)
  }
  let format = x.value.layout.format
  let y = maps.indices.reduce(x.value.inFormat(format)) { $0.resampled(axis: $1 + 2, maps[$1], format) }
  return Tape.record(y, [x]) { g in
    let dx = maps.indices.reversed().reduce(g.inFormat(format)) { g, axis in
      g.resampled(axis: axis + 2, maps[axis], format, transposed: true)
    }
    return [dx]
  }
}

/// Each output of one axis as a weighted sum of adjacent inputs.
private struct AxisMap {
  let from, to, taps: Int
  let start: [Int32]
  let weights: [Float]

  init(from: Int, to: Int, mode: Interpolation, antialias: Bool, scale: Double?, aligningCorners: Bool) {
    let step =
      aligningCorners ? Double(from - 1) / Double(max(1, to - 1)) : scale.map { 1 / $0 } ?? Double(from) / Double(to)
    // For each output the inputs it takes, clamped to the edge, and their weights.
    let sources = (0..<to).map { output -> [(Int, Double)] in
      if mode == .nearest || mode == .nearestExact {
        // In float32, as PyTorch: which neighbour it is hangs on the rounding.
        let position = (Float(output) + (mode == .nearest ? 0 : 0.5)) * Float(step)
        return [(min(Int(position), from - 1), 1)]
      }
      if antialias { return AxisMap.antialiased(output, from, step, mode) }
      let position = aligningCorners ? step * Double(output) : step * (Double(output) + 0.5) - 0.5
      if mode == .linear {
        let clamped = max(0, position)
        let left = Int(clamped)
        let t = clamped - Double(left)
        return [(min(left, from - 1), 1 - t), (min(left + 1, from - 1), t)]
      }
      let left = Int(floor(position))
      let t = position - Double(left)
      return (-1...2).map { (min(max(left + $0, 0), from - 1), cubic(t - Double($0), -0.75)) }
    }
    let taps = sources.map { $0.map(\.0).max()! - $0.map(\.0).min()! + 1 }.max()!
    var start: [Int32] = []
    var weights = [Float](repeating: 0, count: to * taps)
    for (output, source) in sources.enumerated() {
      let first = source.map(\.0).min()!
      start.append(Int32(first))
      var sums = [Double](repeating: 0, count: taps)
      for (index, weight) in source { sums[index - first] += weight }
      for tap in 0..<taps { weights[output * taps + tap] = Float(sums[tap]) }
    }
    (self.from, self.to, self.taps, self.start, self.weights) = (from, to, taps, start, weights)
  }

  private static func antialiased(_ output: Int, _ from: Int, _ step: Double, _ mode: Interpolation)
    -> [(Int, Double)]
  {
    let wide = max(step, 1)
    let support = (mode == .cubic ? 2 : 1) * wide
    let centre = step * (Double(output) + 0.5)
    let first = max(0, Int(centre - support + 0.5))
    let last = min(from, Int(centre + support + 0.5))
    let weights = (first..<last).map { index -> Double in
      let distance = (Double(index) - centre + 0.5) / wide
      return mode == .cubic ? cubic(distance, -0.5) : max(0, 1 - abs(distance))
    }
    let total = weights.reduce(0, +)
    return zip(first..<last, weights).map { ($0, $1 / total) }
  }
}

/// Keys' cubic convolution kernel.
private func cubic(_ x: Double, _ a: Double) -> Double {
  let x = abs(x)
  if x <= 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0
}

extension Tensor {
  /// One axis of a dense tensor mapped; `transposed` maps gradients back.
  fileprivate func resampled(axis: Int, _ map: AxisMap, _ format: MemoryFormat, transposed: Bool = false) -> Tensor {
    let lasts = format == .channelsLast
    let before = lasts ? shape[0] * shape[2..<axis].reduce(1, *) : shape[..<axis].reduce(1, *)
    let after = shape[(axis + 1)...].reduce(lasts ? shape[1] : 1, *)
    var result = shape
    result[axis] = transposed ? map.from : map.to
    return Tensor(result, format: format) { out in
      withFloats { values in
        let resample = transposed ? dk_resample_transposed : dk_resample
        resample(
          Int64(before), Int64(map.from), Int64(map.to), Int64(after), Int64(map.taps), map.start, map.weights,
          values.baseAddress, out.baseAddress)
      }
    }
  }
}
