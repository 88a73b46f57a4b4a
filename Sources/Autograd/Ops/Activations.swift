public import Tensor

// Functions of one element. Each keeps its operand or its result for backward, whichever its derivative is made from.

/// Any operation of one operand.
public func map(_ x: Variable, _ op: UnaryOperation) -> Variable {
  let y = x.value.map(op)
  let kept = op.differentiatesFromResult ? y : x.value
  return Tape.record(y, [x]) { g in [kept.mapGradient(op, g)] }
}

/// max(x, 0)
public func relu(_ x: Variable) -> Variable { map(x, .relu) }
/// x Φ(x), with the error function
public func gelu(_ x: Variable) -> Variable { map(x, .gelu) }
/// The tanh approximation of GELU
public func geluTanh(_ x: Variable) -> Variable { map(x, .geluTanh) }
/// x σ(1.702 x), CLIP's activation
public func quickGelu(_ x: Variable) -> Variable { map(x, .quickGelu) }
/// x σ(x), also called swish
public func silu(_ x: Variable) -> Variable { map(x, .silu) }
/// 1 / (1 + e⁻ˣ)
public func sigmoid(_ x: Variable) -> Variable { map(x, .sigmoid) }
/// Hyperbolic tangent
public func tanh(_ x: Variable) -> Variable { map(x, .tanh) }
/// eˣ
public func exp(_ x: Variable) -> Variable { map(x, .exp) }
/// Natural logarithm
public func log(_ x: Variable) -> Variable { map(x, .log) }
/// Square root
public func sqrt(_ x: Variable) -> Variable { map(x, .sqrt) }
/// x²
public func square(_ x: Variable) -> Variable { map(x, .square) }
/// |x|, with derivative 0 at 0
public func abs(_ x: Variable) -> Variable { map(x, .abs) }
/// log(1 + eˣ)
public func softplus(_ x: Variable) -> Variable { map(x, .softplus) }
