import Autograd
import Tensor

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
  let activation, convolutionActivation: UnaryOperation
  let dropout, attentionDropout, activationDropout, projectionDropout: Float
  let layerDrop: Double
  let masking: SpeechMasking?
  /// Samples that give one frame.
  let smallestInput: Int

  // No published model needs more than 400, a fortieth of a second.
  private static let inputLimit = 10_000_000

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
    // Going backwards it never falls, so that the first length above the limit settles it.
    smallestInput = try zip(kernels, strides).reversed().reduce(1) { length, layer in
      let longer = (length - 1) * layer.1 + layer.0
      guard longer <= Self.inputLimit else {
        throw ModelError(
          "\(json.source): with its \"conv_kernel\" and \"conv_stride\" one frame needs more than "
            + "\(Self.inputLimit) samples; is it the configuration of another model?")
      }
      return longer
    }
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
    activation = try Activation(json, default: .gelu).operation
    convolutionActivation = try Activation(json, "feat_extract_activation", default: .gelu).operation
    dropout = try json.float("hidden_dropout", default: 0.1, in: 0...0.99)
    attentionDropout = try json.float("attention_dropout", default: 0.1, in: 0...0.99)
    activationDropout = try json.float("activation_dropout", default: 0.1, in: 0...0.99)
    projectionDropout = try json.float("feat_proj_dropout", default: 0, in: 0...0.99)
    layerDrop = try json.double("layerdrop", default: 0.1, in: 0...0.99)
    masking = try json.bool("apply_spec_augment", default: true) ? SpeechMasking(json) : nil
  }

  /// Frames that this many samples give; at least 1, as a batch may hold a sound that is next to nothing.
  func frames(ofSamples samples: Int) -> Int {
    max(1, zip(kernels, strides).reduce(samples) { length, layer in max(0, length - layer.0) / layer.1 + 1 })
  }
}
