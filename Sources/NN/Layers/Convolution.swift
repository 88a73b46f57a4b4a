public import Autograd

/// How many spatial axes a convolution has.
public protocol SpatialAxes {
  /// The number.
  static var count: Int { get }
}

/// Sequences, `[N, C, L]`.
public enum OneAxis: SpatialAxes {
  /// The number.
  public static let count = 1
}
/// Images, `[N, C, H, W]`.
public enum TwoAxes: SpatialAxes {
  /// The number.
  public static let count = 2
}
/// Clips, `[N, C, D, H, W]`.
public enum ThreeAxes: SpatialAxes {
  /// The number.
  public static let count = 3
}

/// A convolution of sequences.
public typealias Conv1d = Convolution<OneAxis>
/// A convolution of images.
public typealias Conv2d = Convolution<TwoAxes>
/// A convolution of clips.
public typealias Conv3d = Convolution<ThreeAxes>

/// A convolution with its weights.
public struct Convolution<Axes: SpatialAxes> {
  /// `[out, in / groups, kernel…]`
  public let weight: Parameter
  /// `[out]`
  public let bias: Parameter?
  private let stride, padding, paddingAfter, dilation: PerAxis
  private let groups: Int

  /// Makes `weight` and, unless `bias` is false, `bias` below `scope`.
  ///
  /// - Parameter paddingAfter: padding at the far end of each axis, where it differs.
  public init(
    _ scope: ParameterScope, in inputs: Int, out outputs: Int, kernel: PerAxis, stride: PerAxis = 1,
    padding: PerAxis = 0, paddingAfter: PerAxis? = nil, dilation: PerAxis = 1, groups: Int = 1, bias: Bool = true,
    initial: Initial? = nil
  ) throws {
    precondition(inputs % groups == 0, "convolution: \(inputs) channels in \(groups) groups")
    let shape = [outputs, inputs / groups] + kernel.expanded(to: Axes.count)
    let fan = shape.dropFirst().reduce(1, *)
    weight = try scope.parameter("weight", shape, initial ?? .fanIn(fan))
    self.bias = bias ? try scope.parameter("bias", [outputs], initial == nil ? .fanIn(fan) : .zeros) : nil
    self.stride = stride
    self.padding = padding
    self.paddingAfter = paddingAfter ?? padding
    self.dilation = dilation
    self.groups = groups
  }

  /// - Shapes: `[N, in, spatial…]` → `[N, out, spatial'…]`
  public func callAsFunction(_ x: Variable, _ pass: Pass) -> Variable {
    convolution(
      x, pass[weight], bias.map { pass[$0] }, stride: stride, padding: padding, paddingAfter: paddingAfter,
      dilation: dilation, groups: groups)
  }
}
