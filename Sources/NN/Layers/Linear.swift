public import Autograd
import Tensor

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

  /// - Shapes: `[..., in]` → `[..., out]`
  public func callAsFunction(_ x: Variable, _ pass: Pass) -> Variable {
    linear(x, pass[weight], bias.map { pass[$0] })
  }
}
