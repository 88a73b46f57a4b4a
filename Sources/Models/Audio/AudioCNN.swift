import Autograd
import NN

/// A plain convolutional network on log-mel spectrograms, the usual first model for synthetic speech: four blocks of
/// 3×3 convolution, batch norm, ReLU and 2×2 max-pooling with 32, 64, 128, 256 channels, then the mean over time and
/// frequency and one linear layer.
///
/// - Source: the shape of VGG (Simonyan & Zisserman 2014, arXiv:1409.1556) with batch norm (Ioffe & Szegedy 2015,
///   arXiv:1502.03167), as audio taggers use it (Hershey et al. 2017, arXiv:1609.09430).
struct AudioCNN: Network {
  private struct Block {
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

  static let widths = [32, 64, 128, 256]
  private let blocks: [Block]
  private let head: Linear

  init(_ scope: ParameterScope) throws {
    var channels = 1
    blocks = try Self.widths.enumerated().map { index, width in
      defer { channels = width }
      return try Block(scope["blocks", index], in: channels, out: width)
    }
    head = try Linear(scope["head"], in: channels, out: 1)
  }

  func logits(_ input: Variable, _ pass: Pass) -> Variable {
    let features = blocks.reduce(input) { x, block in pass.block(x) { block($0, $1) } }  // [B, 256, 4, 12]
    let summary = dropout(flatten(adaptiveAveragePool(features, output: 1)), rate: pass.dropout ?? 0, pass)
    return flatten(head(summary, pass), from: 0)
  }

  static let entry = Architecture(
    name: "audio-cnn", modality: .audio,
    summary: "Four conv-norm-ReLU-pool blocks (32-64-128-256) on a log-mel spectrogram.",
    paper: "Hershey et al. 2017, arXiv:1609.09430", licence: "trained from scratch, no outside weights",
    preprocessing: .logMel(.init()), recipe: Recipe(views: 1, minimumShard: 4),
    build: { scope, _ in try AudioCNN(scope) })
}
