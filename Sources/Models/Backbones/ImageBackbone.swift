import Autograd
import NN
import Tensor

/// A backbone of pictures: its input is called `pixel_values`.
protocol ImageBackbone: Backbone {
  /// Channels of a picture.
  var channels: Int { get }
  /// Smallest side that leaves something.
  var smallestSide: Int { get }
}

extension ImageBackbone {
  /// The pictures among reference inputs.
  ///
  /// - Throws: `ModelError` if they are missing or have an impossible shape.
  func pixelValues(_ inputs: [String: Variable]) throws -> Variable {
    try checked(inputs, "pixel_values", "[N, \(channels), H, W] with H and W at least \(smallestSide)") {
      $0.count == 4 && $0[1] == channels && $0[2] >= smallestSide && $0[3] >= smallestSide
    }
  }
}

extension ModelConfiguration {
  /// Refuses a network of other channels than files have. Reference cases may have any; a detector's input can't.
  ///
  /// - Throws: `ModelError` naming the key and the number.
  func requireColours(_ key: String = "num_channels") throws {
    let channels = try int(key, default: 3, in: 1...64)
    guard channels == 3 else {
      throw ModelError("\(source): \"\(key)\" is \(channels); pictures have 3, so no detector can be made of it")
    }
  }
}

/// The input of that name if its shape is as the network needs it, and its elements are such as layers compute with.
///
/// - Throws: `ModelError` naming the input and the shape.
func checked(
  _ inputs: [String: Variable], _ name: String, _ expected: String, isMask: Bool = false, _ fits: ([Int]) -> Bool
) throws -> Variable {
  guard let input = inputs[name] else { throw ModelError("the network needs an input \(name) of shape \(expected)") }
  guard input.shape.first != 0, fits(input.shape) else {
    throw ModelError("the input \(name) has shape \(input.shape), not \(expected)")
  }
  guard isMask || !input.value.dtype.isInteger else {
    throw ModelError("the input \(name) has elements of type \(input.value.dtype); it must be floating-point")
  }
  return input
}

/// `x + branch`, the sum made within the branch's last layer unless stochastic depth comes between them.
///
/// - Parameter branch: gives its result added to what it is handed, or alone if that is nil.
func residual(_ x: Variable, dropRate: Float, _ pass: Pass, _ branch: (Variable?) -> Variable) -> Variable {
  pass.training && dropRate > 0 ? x + dropPath(branch(nil), rate: dropRate, pass) : branch(x)
}

/// Tokens of non-overlapping patches.
///
/// - Shapes: `[B, C, H, W]` → `[B, H/P · W/P, D]` and the grid's size
func patchTokens(_ pixels: Variable, _ convolution: Conv2d, _ pass: Pass) -> (tokens: Variable, grid: [Int]) {
  let patches = convolution(pixels, pass)  // [B, D, H/P, W/P], channels last in memory
  let (B, D, grid) = (patches.shape[0], patches.shape[1], Array(patches.shape[2...]))
  return (reshape(channelsToEnd(patches), [B, grid[0] * grid[1], D]), grid)
}

/// One learnt token in front of each sample's own, or several.
///
/// - Shapes: `token` of K·D values → `[B, K, D]`
func repeated(_ token: Variable, batch: Int, width: Int) -> Variable {
  let tokens = reshape(token, [1, -1, width])
  return broadcast(tokens, to: [batch, tokens.shape[1], width])
}
