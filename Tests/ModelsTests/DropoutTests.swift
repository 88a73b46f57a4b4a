import Autograd
import NN
import Tensor
import Testing

@testable import Models

/// The dropouts that `config.json` names, each alone: they act in training, with the pass's own chance, and nowhere else.
@Suite struct `dropouts of configurations` {
  struct Case: Sendable, CustomTestStringConvertible {
    let architecture, configuration: String
    let partShape: [Int]
    var testDescription: String { "\(architecture) \(configuration.suffix(60))" }
  }

  private static let clip = """
    "hidden_size": 24, "num_attention_heads": 3, "intermediate_size": 32, "num_hidden_layers": 2, "image_size": 24,
    "patch_size": 8
    """
  private static let speech = """
    "hidden_size": 24, "num_attention_heads": 3, "intermediate_size": 32, "num_hidden_layers": 2,
    "conv_dim": [8, 8], "conv_kernel": [10, 3], "conv_stride": [5, 2], "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 8, "num_conv_pos_embedding_groups": 4, "mask_time_prob": 0
    """
  private static let rates = [
    "hidden_dropout", "attention_dropout", "activation_dropout", "feat_proj_dropout", "layerdrop",
  ]

  static let cases: [Case] =
    ["attention_dropout"].map { key in
      Case(
        architecture: "clip-vit-base-patch32",
        configuration: #"{"model_type": "clip_vision_model", \#(clip), "\#(key)": 0.5}"#, partShape: [3, 24, 24])
    }
    + ["dinov2", "dinov2_with_registers"].flatMap { type in
      ["hidden_dropout_prob", "attention_probs_dropout_prob", "drop_path_rate"].map { key in
        Case(
          architecture: "dinov2-small",
          configuration: #"{"model_type": "\#(type)", \#(clip), "mlp_ratio": 2, "\#(key)": 0.5}"#,
          partShape: [3, 24, 24])
      }
    }
    + ["wav2vec2", "hubert"].flatMap { type in
      [false, true].flatMap { stable in
        rates.map { key in
          let others = rates.filter { $0 != key }.map { #""\#($0)": 0"# }.joined(separator: ", ")
          return Case(
            architecture: "\(type)-base",
            configuration: """
              {"model_type": "\(type)", \(speech), "do_stable_layer_norm": \(stable), \(others), "\(key)": 0.5}
              """, partShape: [400])
        }
      }
    } + [
      Case(
        architecture: "convnext-tiny",
        configuration: """
          {"model_type": "convnext", "hidden_sizes": [8, 12], "depths": [2, 2], "layer_scale_init_value": 0.5,
           "drop_path_rate": 0.5}
          """, partShape: [3, 24, 24])
    ]
    + [("drop_connect_rate", "dropout_rate"), ("dropout_rate", "drop_connect_rate")].map { key, other in
      Case(
        architecture: "efficientnet-b0",
        configuration: """
          {"model_type": "efficientnet", "width_coefficient": 0.1, "depth_coefficient": 1, "depth_divisor": 4,
           "hidden_dim": 128, "in_channels": [32, 40], "out_channels": [40, 80], "kernel_sizes": [3, 3],
           "strides": [1, 2], "num_block_repeats": [1, 3], "expand_ratios": [1, 2], "\(other)": 0, "\(key)": 0.5}
          """, partShape: [3, 32, 32])
    }

  @Test(arguments: cases) func `act in training alone`(_ example: Case) throws {
    let entry = try ModelRegistry.find(example.architecture).configured(
      by: ModelConfiguration(literal: example.configuration))
    let network = try entry.build(ParameterStore(seed: 3).root, entry.preprocessing)
    var random = RandomStream(seed: 3, "batch")
    let batch = Variable(Tensor(normal: 1, shape: [4] + example.partShape, random: &random))
    func logits(training: Bool, seed: Int, _ change: (Pass) -> Void = { _ in }) -> [Float] {
      let pass = Pass(training: training, random: RandomStream(seed: 1, seed))
      pass.keepsStatistics = true
      change(pass)
      return network.logits(batch, pass).value.floats()
    }
    let plain = logits(training: false, seed: 0)
    #expect(plain == logits(training: false, seed: 1))
    // Stochastic depth may spare every block of one pass; not of six.
    let dropped = (0..<6).map { logits(training: true, seed: $0) }
    #expect(Set(dropped).count > 1 && dropped.contains { $0 != plain })
    #expect(dropped[2] == logits(training: true, seed: 2))
    // An experiment that says 0 switches all off.
    let off = logits(training: true, seed: 0) { ($0.dropout, $0.dropPath) = (0, 0) }
    #expect(zip(off, plain).allSatisfy { abs($0 - $1) <= 1e-5 * max(1, abs($1)) })
  }

  @Test func `of attention are the same where blocks are computed again`() throws {
    let example = Self.cases[0]
    let entry = try ModelRegistry.find(example.architecture).configured(
      by: ModelConfiguration(literal: example.configuration))
    let network = try entry.build(ParameterStore(seed: 3).root, entry.preprocessing)
    var random = RandomStream(seed: 3, "batch")
    let batch = Variable(Tensor(normal: 1, shape: [4] + example.partShape, random: &random))
    let gradients = [false, true].map { recomputes in
      let pass = Pass(training: true, random: RandomStream(seed: 8))
      pass.recomputes = recomputes
      var gradients: [String: [Float]] = [:]
      pass.backward(from: sum(network.logits(batch, pass), axes: [0])) { gradients[$0.name] = $1.floats() }
      return gradients
    }
    #expect(!gradients[0].isEmpty && gradients[0] == gradients[1])
  }
}
