import Autograd
import NN
import Tensor

/// A backbone of sound whose layers are those of wav2vec 2.0.
protocol SpeechBackbone: Backbone {
  /// All of it.
  var model: SpeechTransformer { get }
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
    guard input.shape.count == 3 else { return mean(callAsFunction(input, pass: pass).hidden, mask: nil) }
    let wave = select(input, axis: 1, 0)
    let mask = select(input.detached, axis: 1, 1).value
    return mean(callAsFunction(wave, mask: mask, pass: pass).hidden, mask: mask)
  }

  /// The mean over the frames that are sound.
  ///
  /// - Shapes: `x [B, T, D]`, `mask [B, samples]`, nil if all of it is sound → `[B, D]`
  func mean(_ x: Variable, mask: Tensor?) -> Variable {
    guard let mask else { return Autograd.mean(x, axes: [1]) }
    let (B, T) = (x.shape[0], x.shape[1])
    let frames = frameMask(mask, frames: T)
    let counts = frames.sum(axes: [1], keepingAxes: true).floats()
    let weights = frames.floats().enumerated().map { $1 / counts[$0 / T] }
    return sum(x * Variable(Tensor(weights, shape: [B, T, 1])), axes: [1])
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
    guard !wave.value.dtype.isInteger else {
      throw ModelError("input_values has elements of type \(wave.value.dtype); it must be floating-point")
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
