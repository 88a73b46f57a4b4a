public import Autograd
import Tensor

/// Layer norm over the last axes.
public struct LayerNorm {
  /// `[dims]`, nil without an affine map
  public let weight: Parameter?
  /// `[dims]`, nil without an affine map
  public let bias: Parameter?
  private let dims: [Int]
  private let eps: Float

  /// Makes `weight` and `bias` below `scope`. There is no default ε: models differ (1e-5, 1e-6, 1e-12).
  public init(_ scope: ParameterScope, _ dims: Int..., eps: Float, affine: Bool = true) throws {
    weight = affine ? try scope.parameter("weight", dims, .ones) : nil
    bias = affine ? try scope.parameter("bias", dims, .zeros) : nil
    self.dims = dims
    self.eps = eps
  }

  /// - Shapes: `[..., dims]` → the same
  public func callAsFunction(_ x: Variable, _ pass: Pass) -> Variable {
    layerNorm(x, weight.map { pass[$0] }, bias.map { pass[$0] }, normalizedShape: dims, epsilon: eps)
  }

  /// Over the channels of an image-like tensor, each position by itself; free of copies if it is channels-last.
  ///
  /// - Shapes: `[N, C, ...]` → the same, channels-last in memory
  public func overChannels(_ x: Variable, _ pass: Pass) -> Variable {
    channelsFirst(self(channelsToEnd(x), pass))
  }
}

/// `[N, C, ...]` as `[N, ..., C]`: a view.
public func channelsToEnd(_ x: Variable) -> Variable {
  permute(x, [0] + Array(2..<x.shape.count) + [1])
}

/// `[N, ..., C]` as `[N, C, ...]`: a view, channels-last in memory.
public func channelsFirst(_ x: Variable) -> Variable {
  permute(x, [0, x.shape.count - 1] + Array(1..<x.shape.count - 1))
}

/// Group norm.
public struct GroupNorm {
  /// `[C]`
  public let weight: Parameter
  /// `[C]`
  public let bias: Parameter
  private let groups: Int
  private let eps: Float

  /// Makes `weight` and `bias` below `scope`.
  public init(_ scope: ParameterScope, groups: Int, channels: Int, eps: Float = 1e-5) throws {
    weight = try scope.parameter("weight", [channels], .ones)
    bias = try scope.parameter("bias", [channels], .zeros)
    self.groups = groups
    self.eps = eps
  }

  /// - Shapes: `[N, C, ...]` → the same
  public func callAsFunction(_ x: Variable, _ pass: Pass) -> Variable {
    groupNorm(x, groups: groups, pass[weight], pass[bias], epsilon: eps)
  }
}
