public import Tensor
import Glibc

/// How a fresh parameter gets its first value.
public struct Initial: Sendable {
  let make: @Sendable (_ shape: [Int], _ random: inout RandomStream) -> Tensor

  /// A rule of one's own.
  public init(_ make: @escaping @Sendable (_ shape: [Int], _ random: inout RandomStream) -> Tensor) { self.make = make }

  /// All 0.
  public static let zeros = constant(0)
  /// All 1.
  public static let ones = constant(1)

  /// All the same.
  public static func constant(_ value: Float) -> Initial { Initial { shape, _ in Tensor(full: value, shape: shape) } }

  /// Evenly within ±bound.
  public static func uniform(_ bound: Float) -> Initial {
    Initial { shape, random in Tensor(uniform: -bound..<bound, shape: shape, random: &random) }
  }

  /// Normal with mean 0.
  public static func normal(_ deviation: Float) -> Initial {
    Initial { shape, random in Tensor(normal: deviation, shape: shape, random: &random) }
  }

  /// Normal with mean 0, drawn again beyond two deviations, as vision transformers and ConvNeXt begin.
  public static func truncatedNormal(_ deviation: Float) -> Initial {
    Initial { shape, random in
      var stream = random
      let value = Tensor(shape) { out in
        for i in out.indices {
          var x = stream.normal()
          while x < -2 || x > 2 { x = stream.normal() }
          out[i] = deviation * Float(x)
        }
      }
      random = stream
      return value
    }
  }

  /// Evenly within ±1/√fanIn: PyTorch's default for linear and convolution weights and biases.
  public static func fanIn(_ count: Int) -> Initial { uniform(1 / Float(max(1, count)).squareRoot()) }

  /// Normal with deviation √(2 / fan): He et al. 2015, for layers before a ReLU.
  public static func kaiming(fan: Int) -> Initial { normal((2 / Float(max(1, fan))).squareRoot()) }
}
