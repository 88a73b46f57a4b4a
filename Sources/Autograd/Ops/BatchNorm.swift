internal import CKernels
public import Tensor

/// What follows a batch norm in the same pass over memory.
public enum AfterNorm: Sendable, Hashable {
  /// Nothing.
  case identity
  /// max(0, y)
  case relu
  /// y σ(y)
  case silu
  /// max(0, y), then the largest of each 2x2 square; an odd last row or column is left out. Images only.
  case reluMaxPool2

  fileprivate var kernel: dk_after_norm {
    switch self {
    case .identity: dk_then_nothing
    case .relu, .reluMaxPool2: dk_then_relu
    case .silu: dk_then_silu
    }
  }
}

/// Mean and variance per channel of one batch.
public struct BatchMoments: Sendable {
  /// Mean.
  public let mean: Tensor
  /// Biased variance, which normalises.
  public let variance: Tensor
  /// Values per channel.
  public let count: Int
  /// Unbiased variance, which the running variance follows.
  public var unbiasedVariance: Tensor { variance.affine(Float(Double(count) / Double(max(1, count - 1))), 0) }
}

/// Batch norm with the batch's own statistics, for training.
///
/// - Shapes: `x [N, C, …]`, `weight bias [C]?` → x's, or pooled
/// - Traps: with fewer than two values a channel.
/// - Cost: reads x twice forward and twice backward (pooled: once); keeps x, and for a pool five bytes an output. Of a
///   large x, where products multiply bfloat16, x - mean is rounded to that and kept so.
/// - Source: Ioffe and Szegedy 2015, arXiv:1502.03167.
public func batchNorm(
  _ x: Variable, weight: Variable?, bias: Variable?, eps: Float, then after: AfterNorm = .identity
) -> (output: Variable, moments: BatchMoments) {
  let input = x.value.channelsLast()
  let C = x.shape[1]
  let rows = input.count / max(1, C)
  precondition(rows > 1, "batchNorm: input \(x.shape) has fewer than two values a channel")
  var mean = input
  let variance = Tensor([C]) { variance in
    mean = Tensor([C]) { mean in
      input.withFloats {
        dk_bn_statistics(Int64(rows), Int64(C), $0.baseAddress, mean.baseAddress, variance.baseAddress)
      }
    }
  }
  let moments = BatchMoments(mean: mean, variance: variance, count: rows)
  let norm = Normalisation(mean: mean, variance: variance, weight: weight?.value, bias: bias?.value, eps: eps)
  return (normalise(x, input, weight, bias, norm, after, throughStatistics: true), moments)
}

/// Batch norm with given statistics, for inference (or for training with frozen statistics).
///
/// - Shapes: `x [N, C, …]`, `mean variance [C]`, `weight bias [C]?` → x's, or pooled
public func batchNorm(
  _ x: Variable, mean: Tensor, variance: Tensor, weight: Variable?, bias: Variable?, eps: Float,
  then after: AfterNorm = .identity
) -> Variable {
  precondition(
    mean.shape == [x.shape[1]] && variance.shape == mean.shape,
    "batchNorm: statistics \(mean.shape) and \(variance.shape) for input \(x.shape)")
  let norm = Normalisation(mean: mean, variance: variance, weight: weight?.value, bias: bias?.value, eps: eps)
  return normalise(x, x.value.channelsLast(), weight, bias, norm, after, throughStatistics: false)
}

/// y = (x - mean) scale + shift, per channel.
private struct Normalisation {
  let mean, inverseDeviation, scale, shift: [Float]

  init(mean: Tensor, variance: Tensor, weight: Tensor?, bias: Tensor?, eps: Float) {
    precondition(weight == nil || weight!.shape == mean.shape, "batchNorm: weight \(weight?.shape ?? [])")
    precondition(bias == nil || bias!.shape == mean.shape, "batchNorm: bias \(bias?.shape ?? [])")
    self.mean = mean.floats()
    let inverse = variance.floats().map { Float(1 / (Double($0) + Double(eps)).squareRoot()) }
    inverseDeviation = inverse
    scale = weight.map { zip(inverse, $0.floats()).map(*) } ?? inverse
    shift = bias?.floats() ?? Array(repeating: 0, count: mean.count)
  }
}

/// What backward needs of a pooled forward pass.
private struct Winners {
  let place: Tensor
  let centred: Tensor
}

/// What backward reads: x, or x - mean as bfloat16.
private struct Kept {
  let tensor: Tensor

  func withNumbers(_ body: (_ x: UnsafePointer<Float>?, _ centred: UnsafePointer<UInt16>?) -> Void) {
    tensor.withBytes { bytes in
      if tensor.dtype == .bfloat16 {
        body(nil, bytes.assumingMemoryBound(to: UInt16.self).baseAddress)
      } else {
        body(bytes.assumingMemoryBound(to: Float.self).baseAddress, nil)
      }
    }
  }
}

// Below this, x stays in a cache, or is little beside the rest. From the second on, ReLU's result is made again in
// backward: a pass over memory for the convolution that follows, instead of two thirds of what the layer keeps.
private let (leastRounded, leastAgain) = (1 << 20, 1 << 22)

private func normalise(
  _ x: Variable, _ input: Tensor, _ weight: Variable?, _ bias: Variable?, _ norm: Normalisation, _ after: AfterNorm,
  throughStatistics: Bool
) -> Variable {
  let C = input.shape[1]
  let needs = (x: x.needsGradient, w: weight?.needsGradient ?? false, b: bias?.needsGradient ?? false)
  let recording = needs.x || needs.w || needs.b
  // Recording or not: a block that is computed again in backward must see the same numbers.
  let rounds =
    throughStatistics && after != .reluMaxPool2 && ComputePrecision.current == .bfloat16 && input.count >= leastRounded
  let (y, centred, winners) =
    rounds
    ? forwardRounded(input, norm, after, recording: recording) : forward(input, norm, after, recording: recording)
  let kept = Kept(tensor: centred ?? input)
  let inputs = [x] + (weight.map { [$0] } ?? []) + (bias.map { [$0] } ?? [])
  let again = centred.flatMap { centred in
    after == .relu && centred.count >= leastAgain ? { forwardAgain(centred, norm, after) } : nil
  }
  return Tape.record(y, inputs, again: again) { [hasWeight = weight != nil, hasBias = bias != nil] g in
    let g = g.channelsLast()
    let (sum, centred) = sums(kept, g, norm, after, winners)
    var gradients: [Tensor?] = [nil]
    if needs.x {
      let count = Double(kept.tensor.count / C)
      // Without the batch's statistics the norm is a fixed affine map: both terms vanish.
      let offset = zip(norm.scale, sum).map { throughStatistics ? Float(-Double($0) * Double($1) / count) : 0 }
      let slope = norm.scale.indices.map { c -> Float in
        let deviation = Double(norm.inverseDeviation[c])
        return throughStatistics
          ? Float(-Double(norm.scale[c]) * deviation * deviation * Double(centred[c]) / count) : 0
      }
      gradients[0] = inputGradient(kept, g, norm, after, winners, slope: slope, offset: offset)
    }
    if hasWeight {
      gradients.append(needs.w ? Tensor(zip(centred, norm.inverseDeviation).map(*), shape: [C]) : nil)
    }
    if hasBias { gradients.append(needs.b ? Tensor(sum, shape: [C]) : nil) }
    return gradients
  }
}

private func forwardRounded(
  _ input: Tensor, _ norm: Normalisation, _ after: AfterNorm, recording: Bool
) -> (Tensor, centred: Tensor?, Winners?) {
  let C = Int64(input.shape[1])
  func run(_ centred: UnsafeMutablePointer<UInt16>?) -> Tensor {
    Tensor(input.shape, format: .channelsLast) { y in
      input.withFloats {
        dk_bn_forward_rounded(
          Int64($0.count) / C, C, $0.baseAddress, norm.mean, norm.scale, norm.shift, after.kernel, centred,
          y.baseAddress)
      }
    }
  }
  guard recording else { return (run(nil), nil, nil) }
  var y = input
  let centred = Tensor(layout: Layout(input.shape, format: .channelsLast), dtype: .bfloat16) {
    y = run($0.bindMemory(to: UInt16.self).baseAddress)
  }
  return (y, centred, nil)
}

private func forwardAgain(_ centred: Tensor, _ norm: Normalisation, _ after: AfterNorm) -> Tensor {
  let C = Int64(centred.shape[1])
  return Tensor(centred.shape, format: .channelsLast) { y in
    centred.withBytes {
      dk_bn_forward_again(
        Int64(y.count) / C, C, $0.assumingMemoryBound(to: UInt16.self).baseAddress, norm.scale, norm.shift,
        after.kernel, y.baseAddress)
    }
  }
}

private func forward(
  _ input: Tensor, _ norm: Normalisation, _ after: AfterNorm, recording: Bool
) -> (Tensor, centred: Tensor?, Winners?) {
  let shape = input.shape
  guard after == .reluMaxPool2 else {
    let y = Tensor(shape, format: .channelsLast) { y in
      input.withFloats {
        dk_bn_forward(
          Int64($0.count / shape[1]), Int64(shape[1]), $0.baseAddress, norm.mean, norm.scale, norm.shift,
          after.kernel, y.baseAddress)
      }
    }
    return (y, nil, nil)
  }
  precondition(shape.count == 4 && shape[2] > 1 && shape[3] > 1, "batchNorm: no 2x2 pool of input \(shape)")
  let layout = Layout([shape[0], shape[1], shape[2] / 2, shape[3] / 2], format: .channelsLast)
  func pooled(_ winner: UnsafeMutablePointer<UInt8>?, _ centred: UnsafeMutablePointer<Float>?) -> Tensor {
    Tensor(layout: layout) { y in
      input.withFloats {
        dk_bn_pool_forward(
          Int64(shape[0]), Int64(shape[2]), Int64(shape[3]), Int64(shape[1]), $0.baseAddress, norm.mean, norm.scale,
          norm.shift, y.baseAddress, winner, centred)
      }
    }
  }
  guard recording else { return (pooled(nil, nil), nil, nil) }
  var (y, centred) = (input, input)
  let place = Tensor(layout: layout, dtype: .uint8) { place in
    centred = Tensor(layout: layout) { centred in
      y = pooled(place.bindMemory(to: UInt8.self).baseAddress, centred.baseAddress)
    }
  }
  return (y, nil, Winners(place: place, centred: centred))
}

private func sums(
  _ kept: Kept, _ g: Tensor, _ norm: Normalisation, _ after: AfterNorm, _ winners: Winners?
) -> (sum: [Float], centred: [Float]) {
  let C = g.shape[1]
  var sum = [Float](repeating: 0, count: C)
  var products = sum
  g.withFloats { g in
    let rows = Int64(g.count / C)
    guard let winners else {
      return kept.withNumbers {
        dk_bn_backward_sums(
          rows, Int64(C), $0, $1, g.baseAddress, norm.mean, norm.scale, norm.shift, after.kernel, &sum, &products)
      }
    }
    winners.place.withBytes { place in
      winners.centred.withFloats {
        dk_bn_pool_backward_sums(
          rows, Int64(C), g.baseAddress, place.assumingMemoryBound(to: UInt8.self).baseAddress, $0.baseAddress, &sum,
          &products)
      }
    }
  }
  return (sum, products)
}

private func inputGradient(
  _ kept: Kept, _ g: Tensor, _ norm: Normalisation, _ after: AfterNorm, _ winners: Winners?, slope: [Float],
  offset: [Float]
) -> Tensor {
  let shape = kept.tensor.shape
  let C = Int64(shape[1])
  return Tensor(shape, format: .channelsLast) { dx in
    kept.withNumbers { x, centred in
      g.withFloats { g in
        guard let winners else {
          return dk_bn_backward_input(
            Int64(dx.count) / C, C, x, centred, g.baseAddress, norm.mean, norm.scale, norm.shift, after.kernel, slope,
            offset, dx.baseAddress)
        }
        winners.place.withBytes { place in
          dk_bn_pool_backward_input(
            Int64(shape[0]), Int64(shape[2]), Int64(shape[3]), C, x, g.baseAddress,
            place.assumingMemoryBound(to: UInt8.self).baseAddress, norm.mean, norm.scale, slope, offset,
            dx.baseAddress)
        }
      }
    }
  }
}
