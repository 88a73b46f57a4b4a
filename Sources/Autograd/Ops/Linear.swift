public import Tensor

/// scale · (x wᵀ + b) + residual, in one pass over the result.
///
/// - Shapes: `x [..., in]`, `w [out, in]`, `b scale [out]?`, `residual [..., out]?` → `[..., out]`
/// - Cost: 2·rows·in·out flops; keeps x. The gradient of `scale` is made from that of w: nothing more is kept for it.
public func linear(
  _ x: Variable, _ w: Variable, _ b: Variable? = nil, scale: Variable? = nil, residual: Variable? = nil
) -> Variable {
  let shape = x.shape
  let (O, I) = (w.value.dim(0), w.value.dim(1))
  precondition(shape.last == I && w.value.rank == 2, "linear: input \(shape), weight \(w.shape)")
  precondition(b == nil || b!.shape == [O], "linear: bias \(b?.shape ?? []), weight \(w.shape)")
  let result = Array(shape.dropLast()) + [O]
  precondition(residual == nil || residual!.shape == result, "linear: residual \(residual?.shape ?? []) for \(result)")
  let rows = x.value.reshaped([-1, I])
  let after = AfterProduct(
    row: b?.value, scale: scale?.value, residual: residual.map { $0.value.contiguous().reshaped([-1, O]) })
  let y = byWeights(rows, w.value, transposed: true, then: after)
  let needsX = x.needsGradient
  let map = LinearMap(w, b, scale)
  return Tape.record(y.reshaped(result), [x, w] + [b, scale, residual].compactMap { $0 }) {
    [hasResidual = residual != nil, isScaled = scale != nil] g in
    let flat = g.reshaped([-1, O])
    let dx = needsX ? byWeights(flat, map.scaledWeight, isShared: !isScaled).reshaped(shape) : nil
    return [dx] + map.gradients(flat, input: rows) + (hasResidual ? [g] : [])
  }
}

/// scale · (f(x w₁ᵀ + b₁) w₂ᵀ + b₂) + residual: the two layers of a transformer's block, where the activation and its
/// slope are done in the products' own passes.
///
/// - Parameter dropout: drops numbers of the hidden layer.
/// - Shapes: `x [..., in]`, `w1 [hidden, in]`, `w2 [out, hidden]`, `residual [..., out]?` → `[..., out]`
/// - Traps: if products cannot end with `activation`; see `AfterProduct.fuses`.
/// - Cost: keeps x, and the hidden layer's values and slopes; these two as bfloat16 where products multiply such.
public func feedForward(
  _ x: Variable, _ w1: Variable, _ b1: Variable?, _ activation: UnaryOperation, _ w2: Variable, _ b2: Variable?,
  scale: Variable? = nil, residual: Variable? = nil, dropout: DropoutMask? = nil
) -> Variable {
  precondition(AfterProduct.fuses(activation), "feed forward: \(activation) does not end a product")
  let shape = x.shape
  let (hidden, I, O) = (w1.value.dim(0), w1.value.dim(1), w2.value.dim(0))
  precondition(
    shape.last == I && w2.shape == [O, hidden], "feed forward: input \(shape), weights \(w1.shape), \(w2.shape)")
  let result = Array(shape.dropLast()) + [O]
  precondition(residual == nil || residual!.shape == result, "feed forward: residual \(residual?.shape ?? [])")
  let rows = x.value.reshaped([-1, I])
  let inputs = [x, w1] + [b1].compactMap { $0 } + [w2] + [b2, scale, residual].compactMap { $0 }
  let first = AfterProduct(row: b1?.value, activation: activation)
  let last = AfterProduct(
    row: b2?.value, scale: scale?.value, residual: residual.map { $0.value.contiguous().reshaped([-1, O]) })
  func finish(_ middle: Tensor) -> Tensor {
    Tensor.product(middle, w2.value, transposeB: true, then: last).reshaped(result)
  }
  // What only products read is stored as they read it.
  let type: DType = ComputePrecision.current == .bfloat16 && hidden % 2 == 0 ? .bfloat16 : .float32
  guard dropout != nil || inputs.contains(where: \.needsGradient) else {
    return Variable(finish(Tensor.product(rows, w1.value, transposeB: true, then: first, result: type)))
  }
  var middle = Tensor(zeros: [0])
  let slopes = Tensor(layout: Layout([rows.shape[0], hidden]), dtype: type) { slopes in
    middle = Tensor.product(rows, w1.value, transposeB: true, then: first, result: type, slopes: slopes.baseAddress) {
      dropout?.apply(to: $0, slopes.baseAddress, type, count: rows.shape[0] * hidden)
    }
  }
  let needsX = x.needsGradient
  let (lower, upper) = (LinearMap(w1, b1, nil), LinearMap(w2, b2, scale))
  let needsLower = needsX || lower.needsGradient
  return Tape.record(finish(middle), inputs) { [middle, hasResidual = residual != nil] g in
    let flat = g.reshaped([-1, O])
    let above = upper.gradients(flat, input: middle)
    var below: [Tensor?] = lower.noGradients
    var dx: Tensor?
    if needsLower {
      let inner = Tensor.product(flat, upper.scaledWeight, then: AfterProduct(factors: slopes), result: type)
      below = lower.gradients(inner, input: rows)
      if needsX { dx = Tensor.product(inner, lower.scaledWeight).reshaped(shape) }
    }
    return [dx] + below + above + (hasResidual ? [g] : [])
  }
}

// x times weights, which shards side by side pack together.
private func byWeights(
  _ x: Tensor, _ weight: Tensor, transposed: Bool = false, isShared: Bool = true, then after: AfterProduct = .init()
) -> Tensor {
  let packed = isShared ? PackedFactors.shared(weight, transposed: transposed, rows: x.shape[0]) : nil
  return Tensor.product(x, weight, packed: packed, transposeB: transposed, then: after)
}

// What backward needs of one linear layer's parameters.
private struct LinearMap {
  let weight: Tensor
  let bias, scale: Tensor?
  let needs: (w: Bool, b: Bool, scale: Bool)

  init(_ w: Variable, _ b: Variable?, _ scale: Variable?) {
    (weight, bias, self.scale) = (w.value, b?.value, scale?.value)
    needs = (w.needsGradient, b?.needsGradient ?? false, scale?.needsGradient ?? false)
  }

  var needsGradient: Bool { needs.w || needs.b || needs.scale }

  /// What a gradient is multiplied with on its way to the input.
  var scaledWeight: Tensor { scale.map { weight.combined(.multiply, $0.reshaped([-1, 1])) } ?? weight }

  var noGradients: [Tensor?] { [Tensor?](repeating: nil, count: 1 + [bias, scale].compactMap { $0 }.count) }

  /// Gradients of w, b and scale, of those that there are. Σ g·z, scale's, where z = x wᵀ + b, is Σ w·(gᵀ x) + b Σ g.
  func gradients(_ g: Tensor, input: Tensor) -> [Tensor?] {
    let plain = needs.w || needs.scale ? Tensor.product(g, input, transposeA: true) : nil
    let sum = needs.b || (needs.scale && bias != nil) ? g.sumOfRows() : nil
    guard let scale else { return [plain] + (bias == nil ? [] : [sum]) }
    let dw = needs.w ? plain!.combined(.multiply, scale.reshaped([-1, 1])) : nil
    var results = [dw]
    if bias != nil { results.append(needs.b ? sum!.combined(.multiply, scale) : nil) }
    guard needs.scale else { return results + [nil] }
    let slope = weight.combined(.multiply, plain!).sum(axes: [1])
    return results + [bias.map { slope.combined(.add, $0.combined(.multiply, sum!)) } ?? slope]
  }
}
