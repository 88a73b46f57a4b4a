import Autograd
import NN
import Tensor

/// A residual network whose convolutions are three-dimensional throughout: R3D.
///
/// - Source: Tran et al. 2018, arXiv:1711.11248; names and outputs of torchvision's `VideoResNet` (`r3d_18`).
struct R3D: Backbone {
  /// Two 3×3×3 convolutions beside the input, or beside its projection where sizes change.
  private struct Block {
    let convolution1, convolution2: Conv3d
    let norm1, norm2: BatchNorm
    let shortcut: (convolution: Conv3d, norm: BatchNorm)?

    init(_ scope: ParameterScope, in inputs: Int, out outputs: Int, stride: Int) throws {
      func convolution(_ scope: ParameterScope, in inputs: Int, stride: Int) throws -> Conv3d {
        try Conv3d(
          scope, in: inputs, out: outputs, kernel: 3, stride: PerAxis(stride), padding: 1, bias: false,
          initial: .kaiming(fan: 27 * outputs))
      }
      convolution1 = try convolution(scope["conv1", 0], in: inputs, stride: stride)
      norm1 = try BatchNorm(scope["conv1", 1], channels: outputs)
      convolution2 = try convolution(scope["conv2", 0], in: outputs, stride: 1)
      norm2 = try BatchNorm(scope["conv2", 1], channels: outputs)
      shortcut =
        stride == 1 && inputs == outputs
        ? nil
        : (
          try Conv3d(
            scope["downsample", 0], in: inputs, out: outputs, kernel: 1, stride: PerAxis(stride), bias: false,
            initial: .kaiming(fan: outputs)),
          try BatchNorm(scope["downsample", 1], channels: outputs)
        )
    }

    /// `[B, in, T, H, W]` → `[B, out, T/s, H/s, W/s]`
    func callAsFunction(_ x: Variable, _ pass: Pass) -> Variable {
      let y = norm2(convolution2(norm1(convolution1(x, pass), pass, then: .relu), pass), pass)
      return relu(y + (shortcut.map { $0.norm($0.convolution(x, pass), pass) } ?? x))
    }
  }

  let featureCount: Int
  private let channels: Int
  private let stem: (convolution: Conv3d, norm: BatchNorm)
  private let layers: [[Block]]

  init(_ scope: ParameterScope, _ configuration: ModelConfiguration) throws {
    let widths = try configuration.ints("widths", default: [64, 128, 256, 512], in: 1...8192)
    let depths = try configuration.ints("layers", default: [2, 2, 2, 2], count: widths.count, in: 1...64)
    channels = try configuration.int("in_channels", default: 3, in: 1...64)
    guard let last = widths.last, widths.count <= 8 else {
      throw ModelError("\(configuration.source): widths names no layer, or more than 8")
    }
    featureCount = last
    stem = (
      try Conv3d(
        scope["stem", 0], in: channels, out: widths[0], kernel: [3, 7, 7], stride: [1, 2, 2], padding: [1, 3, 3],
        bias: false, initial: .kaiming(fan: 147 * widths[0])),
      try BatchNorm(scope["stem", 1], channels: widths[0])
    )
    var width = widths[0]
    layers = try widths.indices.map { layer in
      try (0..<depths[layer]).map { index in
        defer { width = widths[layer] }
        return try Block(
          scope["layer\(layer + 1)", index], in: width, out: widths[layer], stride: layer > 0 && index == 0 ? 2 : 1)
      }
    }
  }

  func features(_ input: Variable, _ pass: Pass) -> Variable {
    var x = stem.norm(stem.convolution(input, pass), pass, then: .relu)
    for block in layers.joined() { x = pass.block(x) { block($0, $1) } }
    return flatten(adaptiveAveragePool(x, output: 1))
  }

  func outputs(_ inputs: [String: Variable], _ pass: Pass) throws -> [String: Variable] {
    let video = try checked(inputs, "video", "[N, \(channels), T, H, W]") {
      $0.count == 5 && $0[1] == channels && !$0.contains(0)
    }
    return ["features": features(video, pass)]
  }

  var stages: [[String]] {
    [["stem."]]
      + layers.enumerated().flatMap { layer, blocks in blocks.indices.map { ["layer\(layer + 1).\($0)."] } }
  }

  static let family = BackboneFamily(
    name: "r3d", modelTypes: ["r3d", "r3d_18", "VideoResNet"],
    make: { try R3D($0, $1) },
    rename: { $0.hasPrefix("fc.") ? nil : $0 },
    preprocessing: { configuration, _ in
      try configuration.requireColours("in_channels")
      // What torchvision's weights were trained on: 16 frames at 15 a second, and Kinetics' own statistics.
      return .clips(
        .init(
          count: 3, length: 16, rate: 15, size: 112, mean: [0.43216, 0.394666, 0.37645],
          deviation: [0.22803, 0.22145, 0.216989]))
    })

  static let r3d18 = Architecture(
    name: "r3d-18", modality: .video, family: family,
    configuration: """
      {"model_type": "r3d", "architecture": "r3d_18"}
      """,
    summary: "3D residual network of 18 layers (64-128-256-512 channels) on 16 frames.",
    paper: "Tran et al. 2018, arXiv:1711.11248",
    licence: "code of torchvision: BSD 3-clause; weights trained on Kinetics-400, for research",
    recipe: Recipe(views: 2, minimumShard: 4))
}
