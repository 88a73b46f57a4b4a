import Autograd
import NN
import Tensor

/// A network that sees only change: differences of consecutive frames go through a small convolutional network one by
/// one, and the head reads mean and deviation of their features over the clip. What stands still, faces and
/// backgrounds among it, cannot be learnt by heart; flicker at a seam and unnatural motion remain.
///
/// - Source: differences of frames as in temporal difference networks (Wang et al. 2021, arXiv:2012.10071), reduced
///   to a size that trains from scratch.
struct TemporalDifference: Network {
  private struct Block {
    let convolution: Conv2d
    let norm: BatchNorm

    init(_ scope: ParameterScope, in channels: Int, out width: Int) throws {
      convolution = try Conv2d(scope["conv"], in: channels, out: width, kernel: 3, padding: 1)
      norm = try BatchNorm(scope["norm"], channels: width)
    }

    /// `[N, in, H, W]` → `[N, out, H/2, W/2]`
    func callAsFunction(_ x: Variable, _ pass: Pass) -> Variable {
      norm(convolution(x, pass), pass, then: .reluMaxPool2)
    }
  }

  static let widths = [16, 32, 64, 96]
  private let blocks: [Block]
  private let head: Linear

  init(_ scope: ParameterScope) throws {
    var channels = 3
    blocks = try Self.widths.enumerated().map { index, width in
      defer { channels = width }
      return try Block(scope["blocks", index], in: channels, out: width)
    }
    head = try Linear(scope["head"], in: 2 * channels, out: 1)
  }

  func logits(_ input: Variable, _ pass: Pass) -> Variable {
    let (B, T) = (input.value.shape[0], input.value.shape[2])
    let (H, W) = (input.value.shape[3], input.value.shape[4])
    let frames = permute(input, [0, 2, 1, 3, 4])  // [B, T, 3, H, W]
    let change = slice(frames, axis: 1, 1..<T) - slice(frames, axis: 1, 0..<(T - 1))
    let pictures = reshape(change, [B * (T - 1), 3, H, W])
    let features = blocks.reduce(pictures) { x, block in pass.block(x) { block($0, $1) } }  // [B·(T-1), C, H/16, W/16]
    let perFrame = reshape(flatten(adaptiveAveragePool(features, output: 1)), [B, T - 1, Self.widths.last!])
    let centre = mean(perFrame, axes: [1])  // [B, C]
    let centred = perFrame - reshape(centre, [B, 1, Self.widths.last!])
    let deviation = sqrt(mean(square(centred), axes: [1]) + 1e-5)
    let summary = dropout(concat([centre, deviation], axis: 1), rate: pass.dropout ?? 0.2, pass)  // [B, 2C]
    return flatten(head(summary, pass), from: 0)
  }

  static let entry = Architecture(
    name: "temporal-difference", modality: .video,
    summary: "Differences of consecutive frames through a small CNN, pooled over the clip.",
    paper: "Wang et al. 2021, arXiv:2012.10071", licence: "trained from scratch, no outside weights",
    preprocessing: .clips(.init()), recipe: Recipe(views: 2, minimumShard: 4),
    build: { scope, _ in try TemporalDifference(scope) })
}
