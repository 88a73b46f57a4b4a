import Models
import NN
import Tensor

/// Which weight decay and which share of the learning rate each parameter has.
///
/// Norms, biases, layer scales and the magnitudes of weight normalisation do not decay, nor do tokens and position
/// embeddings that stand for no input (class, mask and register tokens): a smaller one is not a simpler network.
///
/// Layer-wise decay: the head has the whole learning rate, each stage below it `layer_decay` times that of the stage
/// above. Norms behind the last block go with the head.
///
/// - Source: exclusions as in the trainers of ViT and DINOv2; layer-wise decay as in Bao et al. 2021, BEiT,
///   arXiv:2106.08254.
struct ParameterGroups {
  private let weightDecay: Float
  private let layerDecay: Double
  private let depths: StageDepths

  init(_ settings: TrainSettings, _ store: ParameterStore, stages: [[String]]) {
    (weightDecay, layerDecay) = (Float(settings.weightDecay), settings.layerDecay)
    depths = StageDepths(stages, of: store)
  }

  /// The group of one parameter at its place in the flat buffer.
  func group(of parameter: Parameter, at range: Range<Int>) -> OptimizerGroup {
    // Products one by one: a power would round differently from one mathematics library to another.
    let scale = (0..<depths.belowHead(parameter.name)).reduce(1.0) { scale, _ in scale * layerDecay }
    return OptimizerGroup(
      range: range, weightDecay: Self.decays(parameter) ? weightDecay : 0, rateScale: Float(scale))
  }

  private static let exempt = [
    "position_embedding", "pos_embed", "class_embedding", "cls_token", "mask_token", "register_tokens",
    "masked_spec_embed", "weight_g", "weight.original0",
  ]

  /// Weights of layers have two axes and more.
  private static func decays(_ parameter: Parameter) -> Bool {
    parameter.value.rank >= 2 && !exempt.contains { parameter.name.contains($0) }
  }
}

/// How deep each parameter of a backbone lies, counted in stages from its input.
struct StageDepths {
  private let stages: [[String]]
  /// Stages with weights of layers; norms behind the last of them belong to the head.
  let count: Int

  init(_ stages: [[String]], of store: ParameterStore) {
    var count = stages.count
    func isNorm(_ prefixes: [String]) -> Bool {
      store.parameters.allSatisfy { parameter in
        parameter.value.rank < 2 || !isStage(prefixes, of: parameter.name)
      }
    }
    while count > 0, isNorm(stages[count - 1]) { count -= 1 }
    (self.stages, self.count) = (stages, count)
  }

  /// The stages between a parameter and the head: 0 for the head itself, 1 for the last block.
  func belowHead(_ name: String) -> Int {
    let stage = stages[..<count].firstIndex { isStage($0, of: name) }
    return stage.map { count - $0 } ?? 0
  }
}
