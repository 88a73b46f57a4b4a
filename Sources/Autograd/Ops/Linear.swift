import Tensor

/// x wᵀ + b
///
/// - Shapes: `x [..., in]`, `w [out, in]`, `b [out]?` → `[..., out]`
/// - Cost: 2·rows·in·out flops; keeps x.
public func linear(_ x: Variable, _ w: Variable, _ b: Variable? = nil) -> Variable {
  let shape = x.shape
  let (O, I) = (w.value.dim(0), w.value.dim(1))
  precondition(shape.last == I && w.value.rank == 2, "linear: input \(shape), weight \(w.shape)")
  precondition(b == nil || b!.shape == [O], "linear: bias \(b?.shape ?? []), weight \(w.shape)")
  let rows = x.value.reshaped([-1, I])
  let y = Tensor.product(rows, w.value, transposeB: true, adding: b?.value)
  let weight = w.value
  let needs = (x: x.needsGradient, w: w.needsGradient, b: b?.needsGradient ?? false)
  return Tape.record(y.reshaped(shape.dropLast() + [O]), [x, w] + (b.map { [$0] } ?? [])) { [hasBias = b != nil] g in
    let g = g.reshaped([-1, O])
    let dx = needs.x ? Tensor.product(g, weight).reshaped(shape) : nil
    let dw = needs.w ? Tensor.product(g, rows, transposeA: true) : nil
    let db = needs.b ? g.sum(axes: [0]) : nil
    return hasBias ? [dx, dw, db] : [dx, dw]
  }
}
