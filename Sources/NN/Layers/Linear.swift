public import Autograd
public import Tensor

/// x wᵀ + b
public struct Linear {
  /// `[out, in]`
  public let weight: Parameter
  /// `[out]`
  public let bias: Parameter?

  /// Makes `weight` and, unless `bias` is false, `bias` below `scope`.
  public init(
    _ scope: ParameterScope, in inputs: Int, out outputs: Int, bias: Bool = true, initial: Initial? = nil
  ) throws {
    weight = try scope.parameter("weight", [outputs, inputs], initial ?? .fanIn(inputs))
    self.bias = bias ? try scope.parameter("bias", [outputs], initial == nil ? .fanIn(inputs) : .zeros) : nil
  }

  /// scale · (x wᵀ + b) + residual, in one pass over the result.
  ///
  /// - Shapes: `[..., in]` → `[..., out]`
  public func callAsFunction(
    _ x: Variable, _ pass: Pass, scale: Parameter? = nil, residual: Variable? = nil
  ) -> Variable {
    linear(x, pass[weight], bias.map { pass[$0] }, scale: scale.map { pass[$0] }, residual: residual)
  }
}

/// scale · second(f(first(x))) + residual, a transformer's two layers, with the activation inside the products' passes
/// where products know it.
///
/// - Parameter dropoutRate: of the hidden layer, in training.
/// - Shapes: `x [..., in]`, `scale [out]?`, `residual [..., out]?` → `[..., out]`
public func feedForward(
  _ x: Variable, _ first: Linear, _ activation: UnaryOperation, _ second: Linear, _ pass: Pass,
  scale: Parameter? = nil, residual: Variable? = nil, dropoutRate: Float = 0
) -> Variable {
  guard AfterProduct.fuses(activation) else {
    let hidden = dropout(map(first(x, pass), activation), rate: dropoutRate, pass)
    return second(hidden, pass, scale: scale, residual: residual)
  }
  let hidden = x.value.count / max(1, x.shape.last!) * first.weight.value.dim(0)
  let drops = pass.training && dropoutRate > 0
  return feedForward(
    x, pass[first.weight], first.bias.map { pass[$0] }, activation, pass[second.weight],
    second.bias.map { pass[$0] }, scale: scale.map { pass[$0] }, residual: residual,
    dropout: drops ? DropoutMask(count: hidden, rate: dropoutRate, random: &pass.random) : nil)
}
