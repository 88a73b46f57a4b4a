import Autograd
import NN
import Tensor

/// ConvNeXt: a residual network of depthwise 7×7 convolutions and channel MLPs, with the norms and activations of
/// transformers.
///
/// - Source: Liu et al. 2022, arXiv:2201.03545; names and outputs of transformers' `ConvNextModel`.
struct ConvNeXt: ImageBackbone {
  /// `x + γ mlp(norm(depthwise(x)))`
  private struct Block {
    let depthwise: Conv2d
    let norm: LayerNorm
    let expand, project: Linear
    let scale: Parameter?  // [C]
    let activation: Activation
    // Stochastic depth grows evenly from the first block to the last.
    let total, share: Float

    init(
      _ scope: ParameterScope, dim: Int, scaleStart: Float, dropRate: (total: Float, share: Float),
      _ activation: Activation
    ) throws {
      let initial = Initial.truncatedNormal(0.02)
      depthwise = try Conv2d(scope["dwconv"], in: dim, out: dim, kernel: 7, padding: 3, groups: dim, initial: initial)
      norm = try LayerNorm(scope["layernorm"], dim, eps: 1e-6)
      expand = try Linear(scope["pwconv1"], in: dim, out: 4 * dim, initial: initial)
      project = try Linear(scope["pwconv2"], in: 4 * dim, out: dim, initial: initial)
      scale = scaleStart > 0 ? try scope.parameter("layer_scale_parameter", [dim], .constant(scaleStart)) : nil
      (self.activation, total, share) = (activation, dropRate.total, dropRate.share)
    }

    /// `[B, C, H, W]` → the same
    func callAsFunction(_ x: Variable, _ pass: Pass) -> Variable {
      let y = norm(channelsToEnd(depthwise(x, pass)), pass)  // [B, H, W, C]
      return channelsFirst(
        residual(channelsToEnd(x), dropRate: (pass.dropPath ?? total) * share, pass) {
          feedForward(y, expand, activation.operation, project, pass, scale: scale, residual: $0)
        })
    }
  }

  /// Norm, then a 2×2 convolution that halves the picture.
  private struct Downsampling {
    let norm: LayerNorm
    let convolution: Conv2d

    init(_ scope: ParameterScope, in channels: Int, out width: Int, stride: PerAxis) throws {
      norm = try LayerNorm(scope[0], channels, eps: 1e-6)
      convolution = try Conv2d(
        scope[1], in: channels, out: width, kernel: 2, stride: stride, initial: .truncatedNormal(0.02))
    }

    func callAsFunction(_ x: Variable, _ pass: Pass) -> Variable {
      convolution(norm.overChannels(x, pass), pass)
    }
  }

  let channels, smallestSide, featureCount: Int
  private let patches: Conv2d
  private let patchNorm, norm: LayerNorm
  private let stagesOfBlocks: [(downsampling: Downsampling?, blocks: [Block])]

  init(_ scope: ParameterScope, _ configuration: ModelConfiguration) throws {
    let widths = try configuration.ints("hidden_sizes", default: [96, 192, 384, 768], in: 1...8192)
    let depths = try configuration.ints("depths", default: [3, 3, 9, 3], count: widths.count, in: 0...256)
    guard let last = widths.last, widths.count <= 16 else {
      throw ModelError("\(configuration.source): hidden_sizes names no stage, or more than 16")
    }
    channels = try configuration.int("num_channels", default: 3, in: 1...64)
    let patch = try configuration.side("patch_size", default: 4, in: 1...1024)
    let scaleStart = try configuration.float("layer_scale_init_value", default: 1e-6, in: -1...1e6)
    let activation = try Activation(configuration, default: .gelu)
    let dropRate = try configuration.float("drop_path_rate", default: 0, in: 0...0.99)
    let total = depths.reduce(0, +)

    patches = try Conv2d(
      scope["embeddings", "patch_embeddings"], in: channels, out: widths[0], kernel: PerAxis(patch),
      stride: PerAxis(patch), initial: .truncatedNormal(0.02))
    patchNorm = try LayerNorm(scope["embeddings", "layernorm"], widths[0], eps: 1e-6)
    var made = 0
    stagesOfBlocks = try widths.indices.map { index in
      let stage = scope["encoder", "stages", index]
      let downsampling =
        index == 0
        ? nil
        : try Downsampling(stage["downsampling_layer"], in: widths[index - 1], out: widths[index], stride: 2)
      let blocks = try (0..<depths[index]).map { layer in
        defer { made += 1 }
        let share = Float(made) / Float(max(1, total - 1))
        return try Block(
          stage["layers", layer], dim: widths[index], scaleStart: scaleStart, dropRate: (dropRate, share), activation)
      }
      return (downsampling, blocks)
    }
    norm = try LayerNorm(
      scope["layernorm"], last, eps: configuration.float("layer_norm_eps", default: 1e-12, in: 0...1))
    featureCount = last
    smallestSide = patch << (widths.count - 1)
  }

  func features(_ input: Variable, _ pass: Pass) -> Variable { pooled(encoded(input, pass), pass) }

  func outputs(_ inputs: [String: Variable], _ pass: Pass) throws -> [String: Variable] {
    let map = encoded(try pixelValues(inputs), pass)
    return ["last_hidden_state": map, "pooler_output": pooled(map, pass)]
  }

  /// A stage's downsampling belongs to its first block.
  var stages: [[String]] {
    var stages = [["embeddings."]]
    for (index, stage) in stagesOfBlocks.enumerated() {
      let name = "encoder.stages.\(index)."
      var blocks = stage.blocks.indices.map { [name + "layers.\($0)."] }
      if blocks.isEmpty { blocks = [[]] }
      if stage.downsampling != nil { blocks[0].append(name + "downsampling_layer.") }
      stages += blocks.filter { !$0.isEmpty }
    }
    return stages + [["layernorm."]]
  }

  /// `[B, C, H, W]` → `[B, D, H/32, W/32]`
  private func encoded(_ pixels: Variable, _ pass: Pass) -> Variable {
    var x = patchNorm.overChannels(patches(pixels, pass), pass)
    for (downsampling, blocks) in stagesOfBlocks {
      if let downsampling { x = pass.block(x) { downsampling($0, $1) } }
      for block in blocks { x = pass.block(x) { block($0, $1) } }
    }
    return x
  }

  /// The mean over positions under the last norm: `[B, D, h, w]` → `[B, D]`
  private func pooled(_ map: Variable, _ pass: Pass) -> Variable { norm(mean(map, axes: [2, 3]), pass) }

  static let family = BackboneFamily(
    name: "convnext", modelTypes: ["convnext"],
    make: { try ConvNeXt($0, $1) },
    rename: { key in
      if key.hasPrefix("classifier.") { return nil }
      return key.hasPrefix("convnext.") ? String(key.dropFirst("convnext.".count)) : key
    },
    preprocessing: { configuration, processor in
      try configuration.requireColours()
      return .frames(
        try ImageProcessor.convNext.frames(processor, imageSize: configuration.side("image_size", default: 224)))
    })

  static let tiny = Architecture(
    name: "convnext-tiny", modality: .image, family: family,
    configuration: """
      {"model_type": "convnext", "architectures": ["ConvNextModel"]}
      """,
    summary: "ConvNeXt of 18 blocks (96-192-384-768 channels).",
    paper: "Liu et al. 2022, arXiv:2201.03545",
    licence: "code and weights of facebook/convnext-tiny-224: Apache 2.0", recipe: Recipe(views: 4))
}
