import CKernels
import Tensor

/// (x − mean) / √(variance + ε) · w + b over the last axes, those of `normalizedShape`.
///
/// - Shapes: `x [..., normalizedShape]`, `w b [normalizedShape]?` → the shape of x
/// - Cost: keeps x and three numbers a row.
/// - Source: Ba et al. 2016, arXiv:1607.06450.
public func layerNorm(
  _ x: Variable, _ weight: Variable? = nil, _ bias: Variable? = nil, normalizedShape: [Int], epsilon: Float
) -> Variable {
  precondition(
    Array(x.shape.suffix(normalizedShape.count)) == normalizedShape, "layer norm over \(normalizedShape) of \(x.shape)")
  precondition(weight == nil || weight!.shape == normalizedShape, "layer norm: weight \(weight?.shape ?? [])")
  precondition(bias == nil || bias!.shape == normalizedShape, "layer norm: bias \(bias?.shape ?? [])")
  let columns = normalizedShape.reduce(1, *)
  let rows = columns == 0 ? 0 : x.value.count / columns
  let input = x.value.contiguous()
  let w = weight?.value.contiguous()
  let b = bias?.value.contiguous()
  var statistics = Tensor(zeros: [0])
  let y = Tensor(x.shape) { y in
    guard let y = y.baseAddress else { return }
    statistics = Tensor([rows, 3]) { s in
      withFloats(input, w, b) { dk_layer_norm($0!, $1, $2, epsilon, rows, columns, y, s.baseAddress!) }
    }
  }
  let needs = (x: x.needsGradient, w: weight?.needsGradient ?? false, b: bias?.needsGradient ?? false)
  let inputs = [x] + [weight, bias].compactMap { $0 }
  let given = (w: weight != nil, b: bias != nil)
  return Tape.record(y, inputs) { [statistics] g in
    let result = normalizationGradients(needs, like: input, normalizedShape) { dx, dw, db in
      withFloats(input, g.contiguous(), w, statistics) { x, g, w, s in
        dk_layer_norm_gradient(x!, g!, w, s!, rows, columns, dx, dw, db)
      }
    }
    return [result.x] + (given.w ? [result.w] : []) + (given.b ? [result.b] : [])
  }
}

/// Normalises each group of channels of each sample, then scales and shifts each channel.
///
/// - Shapes: `x [N, C, ...]`, `w b [C]?` → the shape of x
/// - Cost: keeps x and three numbers a group.
/// - Source: Wu and He 2018, arXiv:1803.08494.
public func groupNorm(
  _ x: Variable, groups: Int, _ weight: Variable? = nil, _ bias: Variable? = nil, epsilon: Float
) -> Variable {
  let shape = x.shape
  precondition(shape.count >= 2 && shape[1] % groups == 0, "group norm: \(groups) groups of \(shape)")
  let (N, C) = (shape[0], shape[1])
  precondition(weight == nil || weight!.shape == [C], "group norm: weight \(weight?.shape ?? [])")
  precondition(bias == nil || bias!.shape == [C], "group norm: bias \(bias?.shape ?? [])")
  let positions = shape[2...].reduce(1, *)
  let format = x.value.layout.format
  let isLast = format == .channelsLast
  let input = x.value.inFormat(format)
  let w = weight?.value
  let b = bias?.value
  var statistics = Tensor(zeros: [0])
  let y = Tensor(shape, format: format) { y in
    guard let y = y.baseAddress else { return }
    statistics = Tensor([N * groups, 3]) { s in
      withFloats(input, w, b) {
        let call = isLast ? dk_group_norm_last : dk_group_norm
        call($0!, $1, $2, epsilon, N, C, groups, positions, y, s.baseAddress!)
      }
    }
  }
  let needs = (x: x.needsGradient, w: weight?.needsGradient ?? false, b: bias?.needsGradient ?? false)
  let inputs = [x] + [weight, bias].compactMap { $0 }
  let given = (w: weight != nil, b: bias != nil)
  return Tape.record(y, inputs) { [statistics] g in
    let result = normalizationGradients(needs, like: input, [C]) { dx, dw, db in
      withFloats(input, g.inFormat(format), w, statistics) { x, g, w, s in
        let call = isLast ? dk_group_norm_last_gradient : dk_group_norm_gradient
        call(x!, g!, w, s!, N, C, groups, positions, dx, dw, db)
      }
    }
    return [result.x] + (given.w ? [result.w] : []) + (given.b ? [result.b] : [])
  }
}

private typealias FloatPointer = UnsafeMutablePointer<Float>?

// Makes those of the three gradients that are wanted, in one call of `fill`.
private func normalizationGradients(
  _ needs: (x: Bool, w: Bool, b: Bool), like x: Tensor, _ affineShape: [Int],
  _ fill: (_ dx: FloatPointer, _ dw: FloatPointer, _ db: FloatPointer) -> Void
) -> (x: Tensor?, w: Tensor?, b: Tensor?) {
  var (dw, db): (Tensor?, Tensor?)
  func affine(_ dx: FloatPointer) {
    if x.count == 0 {
      dw = Tensor(zeros: affineShape)
      db = dw
      return
    }
    dw = Tensor(affineShape) { w in
      db = Tensor(affineShape) { b in fill(dx, needs.w ? w.baseAddress : nil, needs.b ? b.baseAddress : nil) }
    }
  }
  var dx: Tensor?
  if needs.x { dx = Tensor(x.shape, format: x.layout.format) { affine($0.baseAddress) } } else { affine(nil) }
  return (dx, needs.w ? dw : nil, needs.b ? db : nil)
}
