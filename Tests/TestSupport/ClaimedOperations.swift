/// Which suite checks which operation of the reference cases; `every operation of the cases is claimed` in AutogradTests
/// fails when a case has an operation that stands nowhere here.
public enum ClaimedOperations {
  /// Checked by AutogradTests/ParityTests.
  public static let general: Set<String> = [
    "linear", "embedding", "layer_norm", "group_norm", "gelu", "gelu_tanh", "quick_gelu", "silu", "relu", "sigmoid",
    "tanh", "softmax", "log_softmax", "scaled_dot_product_attention", "lstm", "gru",
  ]

  /// Checked by NNTests/LossParityTests.
  public static let losses: Set<String> = [
    "cross_entropy", "bce_with_logits", "sigmoid_focal_loss", "softmax_focal_loss", "clip_contrastive", "info_nce",
    "nt_xent", "triplet_margin", "cosine_embedding", "cosine_similarity",
  ]

  /// Checked by AutogradTests/ConvolutionParityTests.
  public static let convolution: Set<String> = [
    "conv1d", "conv2d", "conv3d", "weight_norm_conv1d", "weight_norm_conv2d", "weight_norm_conv3d", "batch_norm", "pad",
    "max_pool1d",
    "max_pool2d", "max_pool3d", "avg_pool1d", "avg_pool2d", "avg_pool3d", "adaptive_avg_pool1d",
    "adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool1d", "adaptive_max_pool2d",
    "adaptive_max_pool3d", "interpolate", "position_embedding_interpolation",
  ]

  /// All of them.
  public static let all = general.union(losses).union(convolution)
}
