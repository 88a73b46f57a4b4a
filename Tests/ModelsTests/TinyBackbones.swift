import Foundation
import Tensor
import Testing

@testable import Models

/// A registry entry at a size that tests can run, and the shape of one part.
struct TinyModel: Sendable, CustomTestStringConvertible {
  let architecture: Architecture
  let partShape: [Int]
  var testDescription: String { architecture.name }

  /// A batch of noise.
  func batch(_ count: Int = 4) -> Tensor {
    var random = RandomStream(seed: 3, architecture.name)
    return Tensor(uniform: -1..<1, shape: [count] + partShape, random: &random)
  }

  /// Every architecture without a family as it is, and one small configuration of each family.
  static let all: [TinyModel] =
    ModelRegistry.all.filter { $0.family == nil }.map {
      TinyModel(architecture: $0, partShape: $0.preprocessing.partShape)
    } + backbones

  static let backbones: [TinyModel] = [
    tiny(
      "clip-vit-base-patch32", [3, 32, 48],
      """
      {"model_type": "clip_vision_model", "architectures": ["CLIPVisionModelWithProjection"], "hidden_size": 32,
       "num_attention_heads": 4, "intermediate_size": 64, "num_hidden_layers": 2, "image_size": 32, "patch_size": 8,
       "projection_dim": 16}
      """),
    tiny(
      "dinov2-small", [3, 42, 28],
      """
      {"model_type": "dinov2_with_registers", "hidden_size": 32, "num_attention_heads": 4, "num_hidden_layers": 2,
       "image_size": 28, "patch_size": 14, "num_register_tokens": 2, "use_swiglu_ffn": true, "drop_path_rate": 0.1}
      """),
    tiny(
      "convnext-tiny", [3, 32, 32],
      """
      {"model_type": "convnext", "hidden_sizes": [12, 16, 24], "depths": [1, 2, 1], "layer_scale_init_value": 0.5,
       "drop_path_rate": 0.1}
      """),
    tiny(
      "efficientnet-b0", [3, 48, 48],
      """
      {"model_type": "efficientnet", "width_coefficient": 0.1, "depth_coefficient": 1, "depth_divisor": 4,
       "hidden_dim": 128, "in_channels": [32, 40, 80], "out_channels": [40, 80, 112], "kernel_sizes": [3, 3, 5],
       "strides": [1, 2, 2], "num_block_repeats": [1, 2, 2], "expand_ratios": [1, 6, 4], "depthwise_padding": [1],
       "drop_connect_rate": 0.1}
      """),
    tiny(
      "wav2vec2-base", [2000],
      """
      {"model_type": "wav2vec2", \(speech)}
      """),
    tiny(
      "hubert-base", [2000],
      """
      {"model_type": "hubert", \(speech), "do_stable_layer_norm": true, "feat_extract_norm": "layer"}
      """),
    tiny("r3d-18", [3, 6, 24, 24], #"{"model_type": "r3d", "widths": [6, 8, 12], "layers": [1, 2, 1]}"#),
    tiny(
      "lstm", [3, 4, 32, 32],
      """
      {"model_type": "convnext", "hidden_sizes": [12, 16], "depths": [1, 1], "layer_scale_init_value": 0.5}
      """),
  ]

  private static let speech = """
    "hidden_size": 32, "num_attention_heads": 4, "intermediate_size": 64, "num_hidden_layers": 2,
    "conv_dim": [16, 16, 16], "conv_kernel": [10, 3, 3], "conv_stride": [5, 2, 2], "num_feat_extract_layers": 3,
    "num_conv_pos_embeddings": 16, "num_conv_pos_embedding_groups": 4, "mask_time_prob": 0
    """

  private static func tiny(_ name: String, _ partShape: [Int], _ configuration: String) -> TinyModel {
    do {
      let entry = try ModelRegistry.find(name).configured(by: ModelConfiguration(literal: configuration))
      return TinyModel(architecture: entry, partShape: partShape)
    } catch { fatalError("\(name): \(error)") }
  }
}
