import Autograd
import NN
import Tensor

/// ConvNeXt: a convolutional network modernised with the habits of vision transformers.
///
/// - Source: Liu et al. 2022, "A ConvNet for the 2020s", arXiv:2201.03545; the atto size after Woo et al. 2023
///   (ConvNeXt V2, arXiv:2301.00808), here with fewer blocks because it is trained from scratch on small data.
struct ConvNeXt: Network {
  /// Depthwise 7×7, norm over channels, and an MLP four times as wide, scaled channel by channel and added.
  private struct Block {
    let depthwise: Conv2d
    let norm: LayerNorm
    let expand, project: Linear
    let scale: Parameter  // [C]

    init(_ scope: ParameterScope, dim: Int) throws {
      depthwise = try Conv2d(scope["dwconv"], in: dim, out: dim, kernel: 7, padding: 3, groups: dim)
      norm = try LayerNorm(scope["layernorm"], dim, eps: 1e-6)
      expand = try Linear(scope["pwconv1"], in: dim, out: 4 * dim)
      project = try Linear(scope["pwconv2"], in: 4 * dim, out: dim)
      // The paper starts at 1e-6 for 18 and more blocks; with this few, 0.1 trains faster from scratch.
      scale = try scope.parameter("layer_scale_parameter", [dim], .constant(0.1))
    }

    /// `[B, C, H, W]` → the same
    func callAsFunction(_ x: Variable, _ pass: Pass) -> Variable {
      let y = norm(channelsToEnd(depthwise(x, pass)), pass)  // [B, H, W, C]
      return x + channelsFirst(project(gelu(expand(y, pass)), pass) * pass[scale])
    }
  }

  /// Norm over channels, then a 2×2 convolution that halves the picture.
  private struct Downsampling {
    let norm: LayerNorm
    let convolution: Conv2d

    init(_ scope: ParameterScope, in channels: Int, out width: Int) throws {
      norm = try LayerNorm(scope[0], channels, eps: 1e-6)
      convolution = try Conv2d(scope[1], in: channels, out: width, kernel: 2, stride: 2)
    }

    func callAsFunction(_ x: Variable, _ pass: Pass) -> Variable {
      convolution(norm.overChannels(x, pass), pass)
    }
  }

  private let stem: Conv2d
  private let stemNorm: LayerNorm
  private let stages: [(downsampling: Downsampling?, blocks: [Block])]
  private let norm: LayerNorm
  private let head: Linear

  init(_ scope: ParameterScope, widths: [Int], depths: [Int]) throws {
    stem = try Conv2d(scope["embeddings", "patch_embeddings"], in: 3, out: widths[0], kernel: 4, stride: 4)
    stemNorm = try LayerNorm(scope["embeddings", "layernorm"], widths[0], eps: 1e-6)
    stages = try widths.indices.map { index in
      let stage = scope["encoder", "stages", index]
      let downsampling =
        index == 0
        ? nil : try Downsampling(stage["downsampling_layer"], in: widths[index - 1], out: widths[index])
      return (downsampling, try (0..<depths[index]).map { try Block(stage["layers", $0], dim: widths[index]) })
    }
    norm = try LayerNorm(scope["layernorm"], widths.last!, eps: 1e-6)
    head = try Linear(scope["head"], in: widths.last!, out: 1)
  }

  func logits(_ input: Variable, _ pass: Pass) -> Variable {
    var x = stemNorm.overChannels(stem(input, pass), pass)  // [B, C, H/4, W/4]
    for (downsampling, blocks) in stages {
      if let downsampling { x = downsampling(x, pass) }
      for block in blocks { x = block(x, pass) }
    }
    return flatten(head(norm(mean(x, axes: [2, 3]), pass), pass), from: 0)
  }

  static let atto = Architecture(
    name: "convnext-atto", modality: .image,
    summary: "ConvNeXt with 40-80-160-320 channels, trained from scratch on single frames.",
    paper: "Liu et al. 2022, arXiv:2201.03545", licence: "trained from scratch, no outside weights",
    preprocessing: .frames(.init(size: 96)), recipe: Recipe(views: 4),
    build: { scope, _ in try ConvNeXt(scope, widths: [40, 80, 160, 320], depths: [1, 1, 2, 1]) })
}
