import Autograd
import NN
import Tensor

/// CLIP's vision tower: a vision transformer with a norm before its blocks, whose class token is projected into the
/// space that it shares with text.
///
/// - Source: Radford et al. 2021, arXiv:2103.00020; names and outputs of transformers' `CLIPVisionModelWithProjection`.
struct CLIPVision: ImageBackbone {
  /// `x + attention(norm(x))`, then `x + mlp(norm(x))`.
  private struct Block {
    let norm1, norm2: LayerNorm
    let attention: MultiHeadAttention
    let expand, project: Linear
    let activation: Activation

    init(
      _ scope: ParameterScope, dim: Int, heads: Int, hidden: Int, eps: Float, dropout: Float, _ activation: Activation
    ) throws {
      let initial = Initial.truncatedNormal(0.02)
      norm1 = try LayerNorm(scope["layer_norm1"], dim, eps: eps)
      attention = try MultiHeadAttention(scope["self_attn"], dim: dim, heads: heads, dropout: dropout, initial: initial)
      norm2 = try LayerNorm(scope["layer_norm2"], dim, eps: eps)
      expand = try Linear(scope["mlp", "fc1"], in: dim, out: hidden, initial: initial)
      project = try Linear(scope["mlp", "fc2"], in: hidden, out: dim, initial: initial)
      self.activation = activation
    }

    /// `[B, N, D]` → the same
    func callAsFunction(_ x: Variable, _ pass: Pass) -> Variable {
      let x = attention(norm1(x, pass), pass, residual: x)
      return feedForward(norm2(x, pass), expand, activation.operation, project, pass, residual: x)
    }
  }

  let channels, smallestSide, featureCount: Int
  private let dim: Int
  private let patches: Conv2d
  private let classEmbedding: Parameter  // [D]
  private let positions: Parameter  // [1 + S·S, D]
  private let before, after: LayerNorm
  private let blocks: [Block]
  private let projection: Linear?

  init(_ scope: ParameterScope, _ whole: ModelConfiguration) throws {
    // A whole CLIP keeps the tower's settings in a section of their own, and only those that are not the usual ones.
    let isWhole = try whole.string("model_type", default: "") == "clip"
    let tower = isWhole ? try whole.section("vision_config") ?? ModelConfiguration(literal: "{}") : whole
    dim = try tower.int("hidden_size", default: 768, in: 1...8192)
    let heads = try tower.int("num_attention_heads", default: 12, in: 1...256)
    guard dim % heads == 0 else {
      throw ModelError("\(tower.source): hidden_size \(dim) is not a multiple of num_attention_heads \(heads)")
    }
    let hidden = try tower.int("intermediate_size", default: 3072, in: 1...65536)
    let eps = try tower.float("layer_norm_eps", default: 1e-5, in: 0...1)
    let dropout = try tower.float("attention_dropout", default: 0, in: 0...0.99)
    let activation = try Activation(tower, default: .quickGelu)
    channels = try tower.int("num_channels", default: 3, in: 1...64)
    smallestSide = try tower.side("patch_size", default: 32, in: 1...1024)
    let side = try tower.side("image_size", default: 224) / smallestSide
    guard side > 0 else { throw ModelError("\(tower.source): patch_size is larger than image_size") }

    let (scope, root) = (scope["vision_model"], scope)
    let embeddings = scope["embeddings"]
    classEmbedding = try embeddings.parameter("class_embedding", [dim], .normal(0.02))
    patches = try Conv2d(
      embeddings["patch_embedding"], in: channels, out: dim, kernel: PerAxis(smallestSide),
      stride: PerAxis(smallestSide), bias: false, initial: .truncatedNormal(0.02))
    positions = try embeddings["position_embedding"].parameter("weight", [1 + side * side, dim], .normal(0.02))
    before = try LayerNorm(scope["pre_layrnorm"], dim, eps: eps)  // the checkpoints' own spelling
    blocks = try (0..<tower.int("num_hidden_layers", default: 12, in: 1...256)).map { [dim] in
      try Block(
        scope["encoder", "layers", $0], dim: dim, heads: heads, hidden: hidden, eps: eps, dropout: dropout, activation)
    }
    after = try LayerNorm(scope["post_layernorm"], dim, eps: eps)
    // Classes with text or with a projection have one; the bare tower, and classifiers upon it, do not.
    let classes = try whole.strings("architectures")
    let isProjected =
      isWhole && classes.isEmpty || classes.contains { $0 == "CLIPModel" || $0.hasSuffix("WithProjection") }
    let width = try whole.int("projection_dim", default: 512, in: 1...8192)
    projection =
      isProjected
      ? try Linear(root["visual_projection"], in: dim, out: width, bias: false, initial: .normal(0.02)) : nil
    featureCount = isProjected ? width : dim
  }

  func features(_ input: Variable, _ pass: Pass) -> Variable {
    let pooled = pooled(encoded(input, pass), pass)
    return projection?(pooled, pass) ?? pooled
  }

  func outputs(_ inputs: [String: Variable], _ pass: Pass) throws -> [String: Variable] {
    let tokens = encoded(try pixelValues(inputs), pass)
    var outputs = ["last_hidden_state": tokens, "pooler_output": pooled(tokens, pass)]
    if let projection { outputs["image_embeds"] = projection(outputs["pooler_output"]!, pass) }
    return outputs
  }

  var stages: [[String]] {
    [["vision_model.embeddings.", "vision_model.pre_layrnorm."]]
      + blocks.indices.map { ["vision_model.encoder.layers.\($0)."] }
      + [["vision_model.post_layernorm.", "visual_projection."]]
  }

  var stagesOfHead: Int { 1 }

  /// `[B, C, H, W]` → `[B, 1 + N, D]`
  private func encoded(_ pixels: Variable, _ pass: Pass) -> Variable {
    let (tokens, grid) = patchTokens(pixels, patches, pass)
    let whole = concat([repeated(pass[classEmbedding], batch: pixels.shape[0], width: dim), tokens], axis: 1)
    let trained = reshape(pass[positions], [1, -1, dim])
    let x = whole + interpolatePositionEmbeddings(trained, to: grid, resizing: .size)
    return blocks.reduce(before(x, pass)) { x, block in pass.block(x) { block($0, $1) } }
  }

  /// The class token under the last norm: `[B, 1 + N, D]` → `[B, D]`
  private func pooled(_ tokens: Variable, _ pass: Pass) -> Variable {
    after(select(tokens, axis: 1, 0), pass)
  }

  static let family = BackboneFamily(
    name: "clip", modelTypes: ["clip", "clip_vision_model"],
    make: { try CLIPVision($0, $1) },
    rename: { key in
      if key.hasSuffix("position_ids") || key == "logit_scale" { return nil }
      if ["text_model.", "text_projection.", "classifier."].contains(where: key.hasPrefix) { return nil }
      // A bare tower is saved without its prefix.
      let bare = ["embeddings.", "pre_layrnorm.", "encoder.", "post_layernorm."]
      return bare.contains(where: key.hasPrefix) ? "vision_model." + key : key
    },
    preprocessing: { configuration, processor in
      let tower = try configuration.section("vision_config") ?? configuration
      try tower.requireColours()
      return .frames(
        try ImageProcessor.clip.frames(processor, imageSize: tower.side("image_size", default: 224)))
    })

  static let basePatch32 = Architecture(
    name: "clip-vit-base-patch32", modality: .image, family: family,
    configuration: """
      {"model_type": "clip_vision_model", "architectures": ["CLIPVisionModelWithProjection"]}
      """,
    summary: "CLIP's vision transformer, 12 blocks of 768 on 32×32 patches, with its projection.",
    paper: "Radford et al. 2021, arXiv:2103.00020",
    licence: "code and weights of openai/clip-vit-base-patch32: MIT", recipe: Recipe(views: 4))
}
