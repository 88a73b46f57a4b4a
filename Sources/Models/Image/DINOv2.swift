import Autograd
import NN
import Tensor

/// DINOv2: a vision transformer trained without labels, with layer scale, optional register tokens, and an MLP or a gated
/// one (SwiGLU).
///
/// - Source: Oquab et al. 2023, arXiv:2304.07193; registers: Darcet et al. 2023, arXiv:2309.16588; SwiGLU: Shazeer 2020,
///   arXiv:2002.05202. Names and outputs of transformers' `Dinov2Model` and `Dinov2WithRegistersModel`.
struct DINOv2: ImageBackbone {
  /// The half of a block after attention.
  private enum FeedForward {
    case plain(expand: Linear, project: Linear, Activation)
    case gated(input: Linear, output: Linear)

    init(_ scope: ParameterScope, dim: Int, hidden: Int, gated: Bool, _ activation: Activation) throws {
      let initial = Initial.truncatedNormal(0.02)
      guard gated else {
        self = .plain(
          expand: try Linear(scope["fc1"], in: dim, out: hidden, initial: initial),
          project: try Linear(scope["fc2"], in: hidden, out: dim, initial: initial), activation)
        return
      }
      // Two thirds of the width, so that three matrices cost what two did, rounded up to a multiple of 8.
      let width = (hidden * 2 / 3 + 7) / 8 * 8
      self = .gated(
        input: try Linear(scope["weights_in"], in: dim, out: 2 * width, initial: initial),
        output: try Linear(scope["weights_out"], in: width, out: dim, initial: initial))
    }

    /// λ · mlp(x) + residual: `[B, N, D]` → the same
    func callAsFunction(_ x: Variable, _ pass: Pass, scale: Parameter, residual: Variable?) -> Variable {
      switch self {
      case .plain(let expand, let project, let activation):
        return feedForward(x, expand, activation.operation, project, pass, scale: scale, residual: residual)
      case .gated(let input, let output):
        let both = input(x, pass)  // [B, N, 2W], the gate first
        let width = both.shape[2] / 2
        let gated = silu(slice(both, axis: 2, 0..<width)) * slice(both, axis: 2, width..<2 * width)
        return output(gated, pass, scale: scale, residual: residual)
      }
    }
  }

  /// `x + λ₁ attention(norm(x))`, then `x + λ₂ mlp(norm(x))`.
  private struct Block {
    let norm1, norm2: LayerNorm
    let attention: MultiHeadAttention
    let layers: FeedForward
    let scale1, scale2: Parameter  // [D]
    let dropRate: Float

    init(_ scope: ParameterScope, _ configuration: ModelConfiguration, dim: Int, heads: Int) throws {
      let eps = try configuration.float("layer_norm_eps", default: 1e-6, in: 0...1)
      let start = try configuration.float("layerscale_value", default: 1)
      norm1 = try LayerNorm(scope["norm1"], dim, eps: eps)
      attention = try MultiHeadAttention(
        scope["attention"], dim: dim, heads: heads,
        names: .init(query: "attention.query", key: "attention.key", value: "attention.value", output: "output.dense"),
        inputBias: configuration.bool("qkv_bias", default: true),
        dropout: configuration.float("attention_probs_dropout_prob", default: 0, in: 0...0.99),
        initial: .truncatedNormal(0.02))
      scale1 = try scope["layer_scale1"].parameter("lambda1", [dim], .constant(start))
      norm2 = try LayerNorm(scope["norm2"], dim, eps: eps)
      let ratio = try configuration.double("mlp_ratio", default: 4, in: 0.1...64)
      layers = try FeedForward(
        scope["mlp"], dim: dim, hidden: Int(Double(dim) * ratio),
        gated: configuration.bool("use_swiglu_ffn", default: false), Activation(configuration, default: .gelu))
      scale2 = try scope["layer_scale2"].parameter("lambda1", [dim], .constant(start))
      dropRate = try configuration.float("drop_path_rate", default: 0, in: 0...0.99)
    }

    /// `[B, N, D]` → the same
    func callAsFunction(_ x: Variable, _ pass: Pass) -> Variable {
      let dropRate = pass.dropPath ?? dropRate
      let y = residual(x, dropRate: dropRate, pass) { attention(norm1(x, pass), pass, scale: scale1, residual: $0) }
      return residual(y, dropRate: dropRate, pass) { layers(norm2(y, pass), pass, scale: scale2, residual: $0) }
    }
  }

  let channels, smallestSide: Int
  var featureCount: Int { dim }
  private let dim: Int
  private let patches: Conv2d
  private let classToken: Parameter  // [1, 1, D]
  private let maskToken: Parameter?  // [1, D]
  private let registers: Parameter?  // [1, R, D]
  private let positions: Parameter  // [1, 1 + S·S, D]
  private let resizing: PositionResizing
  private let dropoutRate: Float
  private let blocks: [Block]
  private let norm: LayerNorm

  init(_ scope: ParameterScope, _ configuration: ModelConfiguration) throws {
    let hasRegisters = try configuration.string("model_type", default: "dinov2") == "dinov2_with_registers"
    dim = try configuration.int("hidden_size", default: 768, in: 1...8192)
    let heads = try configuration.int("num_attention_heads", default: 12, in: 1...256)
    guard dim % heads == 0 else {
      throw ModelError("\(configuration.source): hidden_size \(dim) is not a multiple of num_attention_heads \(heads)")
    }
    channels = try configuration.int("num_channels", default: 3, in: 1...64)
    smallestSide = try configuration.side("patch_size", default: hasRegisters ? 16 : 14, in: 1...1024)
    let side = try configuration.side("image_size", default: 224) / smallestSide
    guard side > 0 else { throw ModelError("\(configuration.source): patch_size is larger than image_size") }
    // The two were published with different interpolations.
    resizing = hasRegisters ? .antialias : .size
    dropoutRate = try configuration.float("hidden_dropout_prob", default: 0, in: 0...0.99)

    let embeddings = scope["embeddings"]
    classToken = try embeddings.parameter("cls_token", [1, 1, dim], .truncatedNormal(0.02))
    let isMasked = try hasRegisters || configuration.bool("use_mask_token", default: true)
    maskToken = isMasked ? try embeddings.parameter("mask_token", [1, dim], .zeros) : nil
    let registerCount = hasRegisters ? try configuration.int("num_register_tokens", default: 4, in: 0...256) : 0
    registers =
      hasRegisters ? try embeddings.parameter("register_tokens", [1, registerCount, dim], .truncatedNormal(0.02)) : nil
    positions = try embeddings.parameter("position_embeddings", [1, 1 + side * side, dim], .truncatedNormal(0.02))
    patches = try Conv2d(
      embeddings["patch_embeddings", "projection"], in: channels, out: dim, kernel: PerAxis(smallestSide),
      stride: PerAxis(smallestSide), initial: .truncatedNormal(0.02))
    blocks = try (0..<configuration.int("num_hidden_layers", default: 12, in: 1...256)).map { [dim] in
      try Block(scope["encoder", "layer", $0], configuration, dim: dim, heads: heads)
    }
    norm = try LayerNorm(
      scope["layernorm"], dim, eps: configuration.float("layer_norm_eps", default: 1e-6, in: 0...1))
  }

  func features(_ input: Variable, _ pass: Pass) -> Variable {
    norm(select(encoded(input, mask: nil, pass), axis: 1, 0), pass)
  }

  func outputs(_ inputs: [String: Variable], _ pass: Pass) throws -> [String: Variable] {
    let pixels = try pixelValues(inputs)
    let N = (pixels.shape[2] / smallestSide) * (pixels.shape[3] / smallestSide)
    let mask = try inputs["bool_masked_pos"].map { _ in
      try checked(inputs, "bool_masked_pos", "[\(pixels.shape[0]), \(N)]", isMask: true) { $0 == [pixels.shape[0], N] }
    }
    if mask != nil && maskToken == nil {
      throw ModelError("the input bool_masked_pos needs a mask token, and the configuration has use_mask_token false")
    }
    let tokens = norm(encoded(pixels, mask: mask, pass), pass)
    return ["last_hidden_state": tokens, "pooler_output": select(tokens, axis: 1, 0)]
  }

  var stages: [[String]] {
    [["embeddings."]] + blocks.indices.map { ["encoder.layer.\($0)."] } + [["layernorm."]]
  }

  /// `[B, C, H, W]`, mask `[B, N]` → `[B, 1 + R + N, D]`
  private func encoded(_ pixels: Variable, mask: Variable?, _ pass: Pass) -> Variable {
    let B = pixels.shape[0]
    var (tokens, grid) = patchTokens(pixels, patches, pass)
    if let mask, let maskToken {
      let hidden = Variable(mask.value.converted(to: .float32).reshaped([B, tokens.shape[1], 1]))
      tokens = tokens * (-hidden + 1) + reshape(pass[maskToken], [1, 1, dim]) * hidden
    }
    var x = concat([repeated(pass[classToken], batch: B, width: dim), tokens], axis: 1)
    x = x + interpolatePositionEmbeddings(pass[positions], to: grid, resizing: resizing)
    if let registers {
      // Registers have no position: they come in after it is added.
      x = concat(
        [
          slice(x, axis: 1, 0..<1), repeated(pass[registers], batch: B, width: dim),
          slice(x, axis: 1, 1..<x.shape[1]),
        ], axis: 1)
    }
    return blocks.reduce(dropout(x, rate: pass.dropout ?? dropoutRate, pass)) { x, block in
      pass.block(x) { block($0, $1) }
    }
  }

  static let family = BackboneFamily(
    name: "dinov2", modelTypes: ["dinov2", "dinov2_with_registers"], optional: ["embeddings.mask_token"],
    make: { try DINOv2($0, $1) },
    rename: { key in
      if key.hasPrefix("classifier.") { return nil }
      for prefix in ["dinov2_with_registers.", "dinov2."] where key.hasPrefix(prefix) {
        return String(key.dropFirst(prefix.count))
      }
      return key
    },
    // The published sizes are trained at 518 pixels and used at 224, which their processor says.
    preprocessing: { configuration, processor in
      try configuration.requireColours()
      return .frames(try ImageProcessor.bit.frames(processor))
    })

  static let small = Architecture(
    name: "dinov2-small", modality: .image, family: family,
    configuration: """
      {"model_type": "dinov2", "architectures": ["Dinov2Model"], "hidden_size": 384, "num_attention_heads": 6,
       "num_hidden_layers": 12, "image_size": 518, "patch_size": 14}
      """,
    summary: "DINOv2's small vision transformer, 12 blocks of 384 on 14×14 patches.",
    paper: "Oquab et al. 2023, arXiv:2304.07193",
    licence: "code and weights of facebook/dinov2-small: Apache 2.0", recipe: Recipe(views: 4))
}
