public import Autograd

/// A convolution of sequences whose weight is a magnitude times a direction: wav2vec 2.0's positional convolution.
public struct WeightNormConvolution {
  /// `[1, 1, kernel]` for `axis` 2
  public let magnitude: Parameter
  /// `[out, in / groups, kernel]`
  public let direction: Parameter
  /// `[out]`
  public let bias: Parameter
  private let axis, padding, paddingAfter, groups: Int

  /// Makes `bias`, then the two parts under the names of PyTorch's parametrization.
  ///
  /// - Parameters:
  ///   - paddingAfter: padding at the far end, where it differs.
  ///   - axis: the axis of the weight that keeps its own magnitudes.
  public init(
    _ scope: ParameterScope, channels: Int, kernel: Int, padding: Int, paddingAfter: Int? = nil,
    groups: Int, axis: Int = 2
  ) throws {
    let shape = [channels, channels / groups, kernel]
    bias = try scope.parameter("bias", [channels], .zeros)
    let parts = scope["parametrizations", "weight"]
    // A normal direction of this deviation makes unit magnitudes near enough.
    magnitude = try parts.parameter("original0", shape.indices.map { $0 == axis ? shape[$0] : 1 }, .ones)
    direction = try parts.parameter("original1", shape, .kaiming(fan: shape[1] * kernel))
    (self.axis, self.groups) = (axis, groups)
    (self.padding, self.paddingAfter) = (padding, paddingAfter ?? padding)
  }

  /// - Shapes: `[N, channels, L]` → `[N, channels, L + padding + paddingAfter - kernel + 1]`
  public func callAsFunction(_ x: Variable, _ pass: Pass) -> Variable {
    let weight = weightNorm(magnitude: pass[magnitude], direction: pass[direction], axis: axis)
    return convolution(
      x, weight, pass[bias], padding: PerAxis(padding), paddingAfter: PerAxis(paddingAfter), groups: groups)
  }
}
