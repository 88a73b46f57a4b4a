public import Autograd
public import Tensor

/// Rows by index.
public struct Embedding {
  /// `[count, width]`
  public let weight: Parameter
  private let paddingIndex: Int?

  /// Makes `weight` below `scope`. The row `paddingIndex` is not learnt.
  public init(
    _ scope: ParameterScope, count: Int, width: Int, paddingIndex: Int? = nil, initial: Initial = .normal(1)
  ) throws {
    weight = try scope.parameter("weight", [count, width], initial)
    self.paddingIndex = paddingIndex
  }

  /// - Shapes: `[...]` of whole numbers → `[..., width]`
  public func callAsFunction(_ indices: Tensor, _ pass: Pass) -> Variable {
    embedding(indices, pass[weight], paddingIndex: paddingIndex)
  }
}
