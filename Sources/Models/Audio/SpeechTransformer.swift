import Autograd
import NN
import Tensor

// What wav2vec 2.0 and HuBERT share: convolutions over the raw wave, a projection, and a transformer whose only notion
// of place is one wide grouped convolution. Parameters lie at the root, under the names of their checkpoints.

/// What the two families' `config.json` says.
struct SpeechConfiguration {
  let convolutionWidths, kernels, strides: [Int]
  let convolutionBias: Bool
  /// Layer norm after every convolution, instead of group norm after the first alone.
  let normalisesEveryConvolution: Bool
  let normalisesProjection: Bool
  let width, depth, heads, hidden: Int
  let positionKernel, positionGroups: Int
  let positionBatchNorm: Bool
  /// Layer norm in front of attention and MLP, and once at the end, as the large models have it.
  let isStable: Bool
  let epsilon: Float
  let activation, convolutionActivation: @Sendable (Variable) -> Variable
  let dropout, activationDropout, projectionDropout: Float
  let layerDrop: Double
  let masking: SpeechMasking?

  /// - Throws: `ModelError` naming what this implementation does not know.
  init(_ json: ModelConfiguration) throws {
    if try json.bool("add_adapter", default: false) || json.has("adapter_attn_dim") {
      throw ModelError(
        "\(json.source) asks for adapter layers, which are not supported; use a model without \"add_adapter\" and "
          + "\"adapter_attn_dim\"")
    }
    let count = try json.int("num_feat_extract_layers", default: 7, in: 1...64)
    convolutionWidths = try json.ints("conv_dim", default: [512, 512, 512, 512, 512, 512, 512], count: count)
    kernels = try json.ints("conv_kernel", default: [10, 3, 3, 3, 3, 2, 2], count: count, in: 1...4096)
    strides = try json.ints("conv_stride", default: [5, 2, 2, 2, 2, 2, 2], count: count, in: 1...4096)
    convolutionBias = try json.bool("conv_bias", default: false)
    let norm = try json.string("feat_extract_norm", default: "group", allowed: ["group", "layer"])
    normalisesEveryConvolution = norm == "layer"
    normalisesProjection = try json.bool("feat_proj_layer_norm", default: true)
    width = try json.int("hidden_size", default: 768, in: 1...65_536)
    depth = try json.int("num_hidden_layers", default: 12, in: 1...1024)
    heads = try json.int("num_attention_heads", default: 12, in: 1...1024)
    hidden = try json.int("intermediate_size", default: 3072)
    positionKernel = try json.int("num_conv_pos_embeddings", default: 128, in: 1...65_536)
    positionGroups = try json.int("num_conv_pos_embedding_groups", default: 16, in: 1...65_536)
    positionBatchNorm = try json.bool("conv_pos_batch_norm", default: false)
    isStable = try json.bool("do_stable_layer_norm", default: false)
    guard width % heads == 0, width % positionGroups == 0 else {
      throw ModelError(
        "\(json.source): hidden_size \(width) is not a multiple of num_attention_heads \(heads) and "
          + "num_conv_pos_embedding_groups \(positionGroups)")
    }
    epsilon = try json.float("layer_norm_eps", default: 1e-5, in: 0...1)
    activation = try Self.activation("hidden_act", json)
    convolutionActivation = try Self.activation("feat_extract_activation", json)
    // Attention weights are never stored here, so `attention_dropout` has nothing to act on.
    dropout = try json.float("hidden_dropout", default: 0.1, in: 0...0.99)
    activationDropout = try json.float("activation_dropout", default: 0.1, in: 0...0.99)
    projectionDropout = try json.float("feat_proj_dropout", default: 0, in: 0...0.99)
    layerDrop = try json.double("layerdrop", default: 0.1, in: 0...0.99)
    masking = try json.bool("apply_spec_augment", default: true) ? SpeechMasking(json) : nil
  }

  private static func activation(_ key: String, _ json: ModelConfiguration) throws -> @Sendable (Variable) -> Variable {
    let name = try json.string(key, default: "gelu")
    switch name {
    case "gelu", "gelu_python": return { gelu($0) }
    case "gelu_new", "gelu_pytorch_tanh", "gelu_fast": return { geluTanh($0) }
    case "quick_gelu": return { quickGelu($0) }
    case "relu": return { relu($0) }
    case "silu", "swish": return { silu($0) }
    case "tanh": return { tanh($0) }
    default: throw ModelError("\(json.source): \"\(key)\" is \"\(name)\", an activation that is not known here")
    }
  }

  /// Frames that this many samples give; at least 1, as a batch may hold a sound that is next to nothing.
  func frames(ofSamples samples: Int) -> Int {
    max(1, zip(kernels, strides).reduce(samples) { length, layer in max(0, length - layer.0) / layer.1 + 1 })
  }

  /// Samples that give one frame.
  var smallestInput: Int {
    zip(kernels, strides).reversed().reduce(1) { length, layer in (length - 1) * layer.1 + layer.0 }
  }
}

/// Wave to features: strided convolutions, each with an activation, and norms as the configuration says.
struct SpeechFeatureEncoder {
  private struct Layer {
    let convolution: Conv1d
    let groupNorm: GroupNorm?
    let layerNorm: LayerNorm?
  }

  private let layers: [Layer]
  private let activation: @Sendable (Variable) -> Variable

  init(_ scope: ParameterScope, _ configuration: SpeechConfiguration) throws {
    let widths = configuration.convolutionWidths
    layers = try widths.indices.map { index in
      let layer = scope["conv_layers", index]
      let norm = layer["layer_norm"]
      return Layer(
        convolution: try Conv1d(
          layer["conv"], in: index == 0 ? 1 : widths[index - 1], out: widths[index],
          kernel: PerAxis(configuration.kernels[index]), stride: PerAxis(configuration.strides[index]),
          bias: configuration.convolutionBias),
        groupNorm: index == 0 && !configuration.normalisesEveryConvolution
          ? try GroupNorm(norm, groups: widths[0], channels: widths[0]) : nil,
        // PyTorch's own epsilon, whatever layer_norm_eps says.
        layerNorm: configuration.normalisesEveryConvolution ? try LayerNorm(norm, widths[index], eps: 1e-5) : nil)
    }
    activation = configuration.convolutionActivation
  }

  /// `[B, samples]` → `[B, frames, C]`
  func callAsFunction(_ wave: Variable, _ pass: Pass) -> Variable {
    var x = reshape(wave, [wave.shape[0], 1, wave.shape[1]])
    for layer in layers {
      x = layer.convolution(x, pass)
      if let norm = layer.groupNorm { x = norm(x, pass) }
      if let norm = layer.layerNorm { x = norm.overChannels(x, pass) }
      x = activation(x)
    }
    return channelsToEnd(x)
  }
}

/// Features to the transformer's width.
struct SpeechProjection {
  private let norm: LayerNorm?
  private let projection: Linear
  private let rate: Float

  init(_ scope: ParameterScope, _ configuration: SpeechConfiguration) throws {
    let inputs = configuration.convolutionWidths.last!
    norm =
      configuration.normalisesProjection
      ? try LayerNorm(scope["layer_norm"], inputs, eps: configuration.epsilon) : nil
    projection = try Linear(scope["projection"], in: inputs, out: configuration.width)
    rate = configuration.projectionDropout
  }

  /// `[B, T, C]` → the projected `[B, T, width]`, and what was projected `[B, T, C]`
  func callAsFunction(_ x: Variable, _ pass: Pass) -> (hidden: Variable, features: Variable) {
    let features = norm.map { $0(x, pass) } ?? x
    return (dropout(projection(features, pass), rate: rate, pass), features)
  }
}

/// Where a frame is, told by its neighbours: one wide grouped convolution with weight norm, and an activation.
struct SpeechPositions {
  private enum Kind {
    case weightNorm(WeightNormConvolution)
    case batchNorm(BatchNorm, Conv1d)
  }

  private let kind: Kind
  private let activation: @Sendable (Variable) -> Variable

  init(_ scope: ParameterScope, _ configuration: SpeechConfiguration) throws {
    let (width, kernel, groups) = (configuration.width, configuration.positionKernel, configuration.positionGroups)
    // An even kernel would give one frame too many; the reference drops the last.
    let (before, after) = (kernel / 2, kernel / 2 - (kernel % 2 == 0 ? 1 : 0))
    if configuration.positionBatchNorm {
      kind = .batchNorm(
        try BatchNorm(scope["batch_norm"], channels: width),
        try Conv1d(
          scope["conv"], in: width, out: width, kernel: PerAxis(kernel), padding: PerAxis(before),
          paddingAfter: PerAxis(after), groups: groups))
    } else {
      kind = .weightNorm(
        try WeightNormConvolution(
          scope["conv"], channels: width, kernel: kernel, padding: before, paddingAfter: after, groups: groups))
    }
    activation = configuration.convolutionActivation
  }

  /// `[B, T, width]` → the same
  func callAsFunction(_ x: Variable, _ pass: Pass) -> Variable {
    let y = channelsFirst(x)  // [B, width, T]
    switch kind {
    case .weightNorm(let convolution): return channelsToEnd(activation(convolution(y, pass)))
    case .batchNorm(let norm, let convolution): return channelsToEnd(activation(convolution(norm(y, pass), pass)))
    }
  }
}

/// One transformer layer, with its norms behind the residual additions (base) or in front of attention and MLP (stable).
struct SpeechLayer {
  private let attention: MultiHeadAttention
  private let norm, finalNorm: LayerNorm
  private let expand, project: Linear
  private let activation: @Sendable (Variable) -> Variable
  private let rate, activationRate: Float
  private let isStable: Bool

  init(_ scope: ParameterScope, _ configuration: SpeechConfiguration) throws {
    let (width, hidden) = (configuration.width, configuration.hidden)
    attention = try MultiHeadAttention(scope["attention"], dim: width, heads: configuration.heads)
    norm = try LayerNorm(scope["layer_norm"], width, eps: configuration.epsilon)
    expand = try Linear(scope["feed_forward", "intermediate_dense"], in: width, out: hidden)
    project = try Linear(scope["feed_forward", "output_dense"], in: hidden, out: width)
    finalNorm = try LayerNorm(scope["final_layer_norm"], width, eps: configuration.epsilon)
    (activation, isStable) = (configuration.activation, configuration.isStable)
    (rate, activationRate) = (configuration.dropout, configuration.activationDropout)
  }

  /// `x [B, T, width]`, `mask [B, 1, 1, T]` → the same as x
  func callAsFunction(_ x: Variable, mask: Tensor?, _ pass: Pass) -> Variable {
    if isStable {
      let y = x + dropout(attention(norm(x, pass), mask: mask, pass), rate: rate, pass)
      return y + feedForward(finalNorm(y, pass), pass)
    }
    let y = norm(x + dropout(attention(x, mask: mask, pass), rate: rate, pass), pass)
    return finalNorm(y + feedForward(y, pass), pass)
  }

  private func feedForward(_ x: Variable, _ pass: Pass) -> Variable {
    let hidden = dropout(activation(expand(x, pass)), rate: activationRate, pass)
    return dropout(project(hidden, pass), rate: rate, pass)
  }
}

/// The transformer: positions, then the layers.
struct SpeechEncoder {
  private let positions: SpeechPositions
  private let norm: LayerNorm
  private let layers: [SpeechLayer]
  private let configuration: SpeechConfiguration

  init(_ scope: ParameterScope, _ configuration: SpeechConfiguration) throws {
    positions = try SpeechPositions(scope["pos_conv_embed"], configuration)
    norm = try LayerNorm(scope["layer_norm"], configuration.width, eps: configuration.epsilon)
    layers = try (0..<configuration.depth).map { try SpeechLayer(scope["layers", $0], configuration) }
    self.configuration = configuration
  }

  /// - Shapes: `x [B, T, width]`, `mask [B, T]`, 1 where a frame is sound and 0 where it is padding → the same as x
  func callAsFunction(_ x: Variable, mask: Tensor?, _ pass: Pass) -> Variable {
    let (B, T) = (x.shape[0], x.shape[1])
    // Padded frames are 0 before the convolution of places, which would carry them into their neighbours.
    var x = mask.map { x * Variable($0.reshaped([B, T, 1])) } ?? x
    let allowed = mask.map { mask in
      Tensor(mask.floats().map { $0 == 0 ? -.infinity : 0 }, shape: [B, 1, 1, T])
    }
    x = x + positions(x, pass)
    if !configuration.isStable { x = norm(x, pass) }
    x = dropout(x, rate: configuration.dropout, pass)
    for layer in layers {
      if pass.training && configuration.layerDrop > 0 && pass.random.chance(configuration.layerDrop) { continue }
      x = layer(x, mask: allowed, pass)
    }
    return configuration.isStable ? norm(x, pass) : x
  }
}

/// A whole speech model: wav2vec 2.0 and HuBERT differ in what they return beside the last hidden state.
///
/// - Source: Baevski et al. 2020, arXiv:2006.11477; Hsu et al. 2021, arXiv:2106.07447.
struct SpeechTransformer {
  private let featureEncoder: SpeechFeatureEncoder
  private let projection: SpeechProjection
  private let encoder: SpeechEncoder
  private let maskEmbedding: Parameter  // [width]
  let configuration: SpeechConfiguration

  init(_ scope: ParameterScope, _ json: ModelConfiguration) throws {
    configuration = try SpeechConfiguration(json)
    maskEmbedding = try scope.parameter("masked_spec_embed", [configuration.width], .uniform(1))
    featureEncoder = try SpeechFeatureEncoder(scope["feature_extractor"], configuration)
    projection = try SpeechProjection(scope["feature_projection"], configuration)
    encoder = try SpeechEncoder(scope["encoder"], configuration)
  }

  /// What `Backbone.stages` asks for.
  var stages: [[String]] {
    let norm = configuration.isStable ? [] : ["encoder.layer_norm."]
    return [
      ["feature_extractor."], ["feature_projection.", "masked_spec_embed", "encoder.pos_conv_embed."] + norm,
    ] + (0..<configuration.depth).map { ["encoder.layers.\($0)."] }
      + (configuration.isStable ? [["encoder.layer_norm."]] : [])
  }

  /// The mean of the last hidden states over the frames that are sound.
  ///
  /// - Shapes: `[B, samples]`, or `[B, 2, samples]` with the mask over samples as second row → `[B, width]`
  func features(_ input: Variable, _ pass: Pass) -> Variable {
    guard input.shape.count == 3 else { return mean(callAsFunction(input, pass: pass).hidden, axes: [1]) }
    let wave = select(input, axis: 1, 0)
    let mask = select(input.detached, axis: 1, 1).value
    let result = callAsFunction(wave, mask: mask, pass: pass)
    let frames = frameMask(mask, frames: result.hidden.shape[1])
    let (B, T) = (frames.shape[0], frames.shape[1])
    let counts = frames.sum(axes: [1], keepingAxes: true).floats()
    let weights = frames.floats().enumerated().map { $1 / counts[$0 / T] }
    return sum(result.hidden * Variable(Tensor(weights, shape: [B, T, 1])), axes: [1])
  }

  /// - Shapes: `wave [B, samples]`, `mask [B, samples]`, `timeMask [B, T]` → `hidden [B, T, width]`, `features [B, T, C]`
  func callAsFunction(
    _ wave: Variable, mask: Tensor? = nil, timeMask: Tensor? = nil, pass: Pass
  ) -> (hidden: Variable, features: Variable) {
    let projected = projection(featureEncoder(wave, pass), pass)
    let (B, T) = (projected.hidden.shape[0], projected.hidden.shape[1])
    let frames = mask.map { frameMask($0, frames: T) }
    var x = projected.hidden
    if let masking = configuration.masking {
      let lengths = frames.map { $0.sum(axes: [1]).floats().map { Int($0) } }
      if let hidden = timeMask ?? masking.times(B, T, lengths: lengths, pass) {
        let hidden = hidden.converted(to: .float32).reshaped([B, T, 1])
        let kept = hidden.affine(-1, 1)
        let embedding = reshape(pass[maskEmbedding], [1, 1, configuration.width])
        x = x * Variable(kept) + embedding * Variable(hidden)
      }
      if let kept = masking.channels(B, configuration.width, pass) { x = x * Variable(kept) }
    }
    return (encoder(x, mask: frames, pass), projected.features)
  }

  /// A mask over samples as one over frames: as many frames as the sound's own samples give.
  ///
  /// - Shapes: `[B, samples]` → `[B, T]` of 0 and 1
  func frameMask(_ mask: Tensor, frames T: Int) -> Tensor {
    let (B, samples) = (mask.shape[0], mask.shape[1])
    let values = mask.floats()
    return Tensor([B, T]) { out in
      for sample in 0..<B {
        let length = values[(sample * samples)..<((sample + 1) * samples)].count { $0 != 0 }
        let count = min(T, configuration.frames(ofSamples: length))
        for frame in 0..<T { out[sample * T + frame] = frame < count ? 1 : 0 }
      }
    }
  }

  /// The reference's inputs, checked.
  ///
  /// - Throws: `ModelError` if one is missing or has a shape that the network cannot take.
  func callAsFunction(
    named inputs: [String: Variable], _ pass: Pass
  ) throws -> (hidden: Variable, features: Variable) {
    guard let wave = inputs["input_values"] else {
      throw ModelError("a speech model needs the input input_values [batch, samples]; the case has none")
    }
    guard wave.shape.count == 2, wave.shape[0] > 0, wave.shape[1] >= configuration.smallestInput else {
      throw ModelError(
        "input_values has the shape \(wave.shape); it must be [batch, samples] with at least "
          + "\(configuration.smallestInput) samples")
    }
    let mask = inputs["attention_mask"]?.value
    if let mask, mask.shape != wave.shape {
      throw ModelError("attention_mask has the shape \(mask.shape), but input_values \(wave.shape)")
    }
    let timeMask = inputs["mask_time_indices"]?.value
    let expected = [wave.shape[0], configuration.frames(ofSamples: wave.shape[1])]
    if let timeMask, timeMask.shape != expected {
      throw ModelError("mask_time_indices has the shape \(timeMask.shape); the network has frames \(expected)")
    }
    return callAsFunction(wave, mask: mask, timeMask: timeMask, pass: pass)
  }

  /// Checkpoint keys under our names: `prefix` is dropped, weight norm gets its newer spelling, and what pre-training and
  /// recognition put beside the model is left out.
  @Sendable static func name(_ key: String, prefix: String) -> String? {
    var name = key
    if name.hasPrefix(prefix) { name.removeFirst(prefix.count) }
    if name.hasSuffix("pos_conv_embed.conv.weight_g") {
      name = String(name.dropLast("weight_g".count)) + "parametrizations.weight.original0"
    } else if name.hasSuffix("pos_conv_embed.conv.weight_v") {
      name = String(name.dropLast("weight_v".count)) + "parametrizations.weight.original1"
    }
    let others = [
      "quantizer.", "project_q.", "project_hid.", "lm_head.", "projector.", "classifier.", "tdnn.", "objective.",
      "layer_weights", "label_embs_concat", "final_proj.", "ctc_proj.",
    ]
    // A speaker verification model calls its last linear layer feature_extractor, too.
    if ["feature_extractor.weight", "feature_extractor.bias"].contains(name) { return nil }
    return others.contains { name.hasPrefix($0) } ? nil : name
  }

  /// Raw sound at the rate and with the normalisation that the feature extractor names.
  ///
  /// - Throws: `ModelError` for sizes that no such model has.
  static func preprocessing(_ json: ModelConfiguration, _ extractor: ModelConfiguration?) throws -> Preprocessing {
    let configuration = try SpeechConfiguration(json)
    let rate = try extractor?.int("sampling_rate", default: 16_000, in: 1000...192_000) ?? 16_000
    var wave = Preprocessing.Waveform(sampleRate: rate)
    wave.normalises = try extractor?.bool("do_normalize", default: true) ?? true
    // Models with a group norm were trained without masks; a mask would change what the norm's frames mean.
    wave.hasMask =
      try extractor?.bool("return_attention_mask", default: false) ?? configuration.normalisesEveryConvolution
    guard configuration.smallestInput <= wave.window else {
      throw ModelError("\(json.source): one frame needs \(configuration.smallestInput) samples, more than a window has")
    }
    return .waveform(wave)
  }
}
