import Autograd
import NN
import Tensor

// What wav2vec 2.0 and HuBERT share: convolutions over the raw wave, a projection, and a transformer whose only notion
// of place is one wide grouped convolution. Parameters lie at the root, under the names of their checkpoints.

/// Wave to features: strided convolutions, each with an activation, and norms as the configuration says.
struct SpeechFeatureEncoder {
  private struct Layer {
    let convolution: Conv1d
    let groupNorm: GroupNorm?
    let layerNorm: LayerNorm?
  }

  private let layers: [Layer]
  private let activation: UnaryOperation

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
      x = pass.block(x) { [activation] x, pass in
        var x = layer.convolution(x, pass)
        if let norm = layer.groupNorm { x = norm(x, pass) }
        if let norm = layer.layerNorm { x = norm.overChannels(x, pass) }
        return map(x, activation)
      }
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
    return (dropout(projection(features, pass), rate: pass.dropout ?? rate, pass), features)
  }
}

/// Where a frame is, told by its neighbours: one wide grouped convolution with weight norm, and an activation.
struct SpeechPositions {
  private enum Kind {
    case weightNorm(WeightNormConvolution)
    case batchNorm(BatchNorm, Conv1d)
  }

  private let kind: Kind
  private let activation: UnaryOperation

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
    case .weightNorm(let convolution): return channelsToEnd(map(convolution(y, pass), activation))
    case .batchNorm(let norm, let convolution): return channelsToEnd(map(convolution(norm(y, pass), pass), activation))
    }
  }
}

/// One transformer layer, with its norms behind the residual additions (base) or in front of attention and MLP (stable).
struct SpeechLayer {
  private let attention: MultiHeadAttention
  private let norm, finalNorm: LayerNorm
  private let expand, project: Linear
  private let activation: UnaryOperation
  private let rate, activationRate: Float
  private let isStable: Bool

  init(_ scope: ParameterScope, _ configuration: SpeechConfiguration) throws {
    let (width, hidden) = (configuration.width, configuration.hidden)
    attention = try MultiHeadAttention(
      scope["attention"], dim: width, heads: configuration.heads, dropout: configuration.attentionDropout)
    norm = try LayerNorm(scope["layer_norm"], width, eps: configuration.epsilon)
    expand = try Linear(scope["feed_forward", "intermediate_dense"], in: width, out: hidden)
    project = try Linear(scope["feed_forward", "output_dense"], in: hidden, out: width)
    finalNorm = try LayerNorm(scope["final_layer_norm"], width, eps: configuration.epsilon)
    (activation, isStable) = (configuration.activation, configuration.isStable)
    (rate, activationRate) = (configuration.dropout, configuration.activationDropout)
  }

  /// `x [B, T, width]`, `mask [B, 1, 1, T]` → the same as x
  func callAsFunction(_ x: Variable, mask: Tensor?, _ pass: Pass) -> Variable {
    let rate = pass.dropout ?? rate
    if isStable {
      let y = x + dropout(attention(norm(x, pass), mask: mask, pass), rate: rate, pass)
      return feedForward(finalNorm(y, pass), residual: y, pass)
    }
    let y = norm(x + dropout(attention(x, mask: mask, pass), rate: rate, pass), pass)
    return finalNorm(feedForward(y, residual: y, pass), pass)
  }

  private func feedForward(_ x: Variable, residual: Variable, _ pass: Pass) -> Variable {
    let (rate, inner) = (pass.dropout ?? rate, pass.dropout ?? activationRate)
    guard AfterProduct.fuses(activation) else {
      let hidden = dropout(map(expand(x, pass), activation), rate: inner, pass)
      return residual + dropout(project(hidden, pass), rate: rate, pass)
    }
    guard pass.training, rate > 0 else {
      return NN.feedForward(x, expand, activation, project, pass, residual: residual, dropoutRate: inner)
    }
    let y = NN.feedForward(x, expand, activation, project, pass, dropoutRate: inner)
    return residual + dropout(y, rate: rate, pass)
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
    x = dropout(x, rate: pass.dropout ?? configuration.dropout, pass)
    let layerDrop = pass.dropPath.map(Double.init) ?? configuration.layerDrop
    for layer in layers {
      if pass.training && layerDrop > 0 && pass.random.chance(layerDrop) { continue }
      x = pass.block(x) { layer($0, mask: allowed, $1) }
    }
    return configuration.isStable ? norm(x, pass) : x
  }
}
