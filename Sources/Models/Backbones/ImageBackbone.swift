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

/// The input of that name if its shape is as the network needs it.
///
/// - Throws: `ModelError` naming the input and the shape.
func checked(
  _ inputs: [String: Variable], _ name: String, _ expected: String, _ fits: ([Int]) -> Bool
) throws -> Variable {
  guard let input = inputs[name] else { throw ModelError("the network needs an input \(name) of shape \(expected)") }
  guard input.shape.first != 0, fits(input.shape) else {
    throw ModelError("the input \(name) has shape \(input.shape), not \(expected)")
  }
  return input
}

/// Statistics of natural pictures as the families' own processors use them.
enum PixelStatistics {
  case imageNet, clip

  var mean: [Float] {
    switch self {
    case .imageNet: [0.485, 0.456, 0.406]
    case .clip: [0.48145466, 0.4578275, 0.40821073]
    }
  }

  var deviation: [Float] {
    switch self {
    case .imageNet: [0.229, 0.224, 0.225]
    case .clip: [0.26862954, 0.26130258, 0.27577711]
    }
  }
}

/// Frames of `size` pixels, with the mean and deviation of `preprocessor_config.json` where there is one.
///
/// - Throws: `ModelError` for a processor that no picture can be prepared with.
func frames(_ processor: ModelConfiguration?, size: Int, _ usual: PixelStatistics) throws -> Preprocessing {
  let mean = try processor?.doubles("image_mean", default: [], count: 3).map(Float.init) ?? []
  let deviation = try processor?.doubles("image_std", default: [], count: 3).map(Float.init) ?? []
  let input = Preprocessing.frames(
    .init(
      size: size, mean: mean.isEmpty ? usual.mean : mean, deviation: deviation.isEmpty ? usual.deviation : deviation))
  try input.validate()
  return input
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
