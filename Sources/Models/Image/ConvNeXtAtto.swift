import Autograd
import NN
import Tensor

/// ConvNeXt blocks in a network that trains from scratch on small data: a convolutional stem instead of 4×4 patches,
/// batch norm instead of layer norm, and three stages of one block each. With the paper's stem and norms, six epochs of
/// the sample data set left the loss where it began; with these it falls in the first. Single frames of a face swap are
/// told by local texture, and layer norm takes the strength of texture away at every place.
///
/// - Source: Liu et al. 2022, "A ConvNet for the 2020s", arXiv:2201.03545; widths of the atto size after Woo et al. 2023
///   (arXiv:2301.00808); the stem after Xiao et al. 2021, "Early convolutions help transformers see better",
///   arXiv:2106.14881.
struct ConvNeXtAtto: Network {
  /// Depthwise 7×7, batch norm, and an MLP four times as wide, scaled channel by channel and added.
  private struct Block {
    let depthwise: Conv2d
    let norm: BatchNorm
    let expand, project: Linear
    let scale: Parameter  // [C]

    init(_ scope: ParameterScope, dim: Int) throws {
      depthwise = try Conv2d(scope["dwconv"], in: dim, out: dim, kernel: 7, padding: 3, groups: dim)
      norm = try BatchNorm(scope["norm"], channels: dim)
      expand = try Linear(scope["pwconv1"], in: dim, out: 4 * dim)
      project = try Linear(scope["pwconv2"], in: 4 * dim, out: dim)
      // The paper starts at 1e-6 for 18 and more blocks; this few need no such care.
      scale = try scope.parameter("layer_scale_parameter", [dim], .ones)
    }

    /// `[B, C, H, W]` → the same
    ///
    /// - Parameter dropRate: how probably training leaves the block out for a picture.
    func callAsFunction(_ x: Variable, _ pass: Pass, dropRate: Float) -> Variable {
      let y = channelsToEnd(norm(depthwise(x, pass), pass))  // [B, H, W, C]
      let branch = channelsFirst(project(gelu(expand(y, pass)), pass) * pass[scale])
      return x + dropPath(branch, rate: dropRate, pass)
    }
  }

  /// Batch norm, then a 2×2 convolution that halves the picture.
  private struct Downsampling {
    let norm: BatchNorm
    let convolution: Conv2d

    init(_ scope: ParameterScope, in channels: Int, out width: Int) throws {
      norm = try BatchNorm(scope[0], channels: channels)
      convolution = try Conv2d(scope[1], in: channels, out: width, kernel: 2, stride: 2)
    }

    func callAsFunction(_ x: Variable, _ pass: Pass) -> Variable {
      convolution(norm(x, pass), pass)
    }
  }

  /// 3×3 convolution, batch norm, ReLU and 2×2 max-pooling.
  private struct StemBlock {
    let convolution: Conv2d
    let norm: BatchNorm

    init(_ scope: ParameterScope, in channels: Int, out width: Int) throws {
      convolution = try Conv2d(scope["conv"], in: channels, out: width, kernel: 3, padding: 1)
      norm = try BatchNorm(scope["norm"], channels: width)
    }

    /// `[B, in, H, W]` → `[B, out, H/2, W/2]`
    func callAsFunction(_ x: Variable, _ pass: Pass) -> Variable {
      norm(convolution(x, pass), pass, then: .reluMaxPool2)
    }
  }

  private let stem: [StemBlock]
  private let stages: [(downsampling: Downsampling?, blocks: [Block])]
  private let norm: BatchNorm
  private let head: Linear

  init(_ scope: ParameterScope, widths: [Int], depths: [Int]) throws {
    stem = [
      try StemBlock(scope["stem", 0], in: 3, out: 16), try StemBlock(scope["stem", 1], in: 16, out: widths[0]),
    ]
    stages = try widths.indices.map { index in
      let stage = scope["encoder", "stages", index]
      let downsampling =
        index == 0
        ? nil : try Downsampling(stage["downsampling_layer"], in: widths[index - 1], out: widths[index])
      return (downsampling, try (0..<depths[index]).map { try Block(stage["layers", $0], dim: widths[index]) })
    }
    norm = try BatchNorm(scope["norm"], channels: widths.last!)
    head = try Linear(scope["head"], in: widths.last!, out: 1)
  }

  func logits(_ input: Variable, _ pass: Pass) -> Variable {
    var x = stem.reduce(input) { x, block in pass.block(x) { block($0, $1) } }  // [B, C, H/4, W/4]
    // Stochastic depth grows linearly from the first block to the last, as in the paper.
    let count = stages.reduce(0) { $0 + $1.blocks.count }
    var done = 0
    for (downsampling, blocks) in stages {
      if let downsampling { x = pass.block(x) { downsampling($0, $1) } }
      for block in blocks {
        let dropRate = (pass.dropPath ?? 0) * Float(done) / Float(max(1, count - 1))
        x = pass.block(x) { block($0, $1, dropRate: dropRate) }
        done += 1
      }
    }
    let features = flatten(adaptiveAveragePool(norm(x, pass, then: .relu), output: 1))
    return flatten(head(dropout(features, rate: pass.dropout ?? 0, pass), pass), from: 0)
  }

  static let entry = Architecture(
    name: "convnext-atto", modality: .image,
    summary: "ConvNeXt blocks (40-80-160 channels) behind a convolutional stem.",
    paper: "Liu et al. 2022, arXiv:2201.03545; Xiao et al. 2021, arXiv:2106.14881",
    licence: "trained from scratch, no outside weights",
    preprocessing: .frames(.init(size: 96)), recipe: Recipe(views: 4, minimumShard: 4),
    build: { scope, _ in try ConvNeXtAtto(scope, widths: [40, 80, 160], depths: [1, 1, 1]) })
}
