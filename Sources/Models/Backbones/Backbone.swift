public import Autograd
public import NN

/// A network whose weights usually come from elsewhere: its features, named as the reference names them, before any head
/// of ours.
public protocol Backbone {
  /// One vector for each part: what a detector's head reads.
  ///
  /// - Shapes: `[B] + Preprocessing.partShape` → `[B, featureCount]`
  func features(_ input: Variable, _ pass: Pass) -> Variable

  /// Width of a feature vector.
  var featureCount: Int { get }

  /// Rate of dropout between the features and a head, as the network's own classifier has it; 0 unless it says so.
  var headDropout: Float { get }

  /// What the reference implementation returns, by its names (`last_hidden_state`, `pooler_output`, …), for inputs by
  /// their reference names (`pixel_values`, `input_values`, `attention_mask`, …).
  ///
  /// - Throws: `ModelError` if an input is missing or has a shape that the network cannot take.
  func outputs(_ inputs: [String: Variable], _ pass: Pass) throws -> [String: Variable]

  /// Parameters from the input to the output: embeddings, block 0, …, final norm. Layer-wise decay and "last N blocks"
  /// count these. Each is named by its whole name or, with a dot at the end, as the beginning of names; every
  /// parameter of the backbone is in exactly one stage (`isStage`).
  var stages: [[String]] { get }

  /// The last stages that are no blocks though they have weights of layers: a projection, a last convolution. They are
  /// trained with the head, as norms behind the last block are.
  var stagesOfHead: Int { get }
}

extension Backbone {
  /// None.
  public var stagesOfHead: Int { 0 }

  /// The stages without those that go with the head.
  public var stagesOfBlocks: [[String]] { stages.dropLast(stagesOfHead) }

  /// None.
  public var headDropout: Float { 0 }
}

/// Whether a parameter is in one of `Backbone.stages`.
public func isStage(_ stage: [String], of parameter: String) -> Bool {
  stage.contains { $0.hasSuffix(".") ? parameter.hasPrefix($0) : parameter == $0 }
}

/// A backbone in two parts: where the lower one is frozen, what it gives is kept, and the upper one is trained on that.
public protocol TwoPartBackbone: Backbone {
  /// What the lower part gives, flat.
  ///
  /// - Shapes: `[B] + Preprocessing.partShape` → `[B, lowerCount]`
  func lower(_ input: Variable, _ pass: Pass) -> Variable

  /// Width of what the lower part gives for one part.
  func lowerCount(partShape: [Int]) -> Int

  /// - Shapes: `[B, lowerCount]` → `[B, featureCount]`
  func upper(_ lower: Variable, _ pass: Pass) -> Variable
}

/// A family of checkpoints: how its `config.json` is read and how others spell its parameters.
public struct BackboneFamily: Sendable {
  /// Short name, e.g. `clip`.
  public let name: String
  /// Values of `model_type` in `config.json` that this family reads.
  public let modelTypes: Set<String>
  /// Parameters that published checkpoints may lack; they start fresh then.
  public let optional: Set<String>
  /// Prefixes of parameters that no checkpoint has: layers of ours upon a published network.
  public let fresh: [String]
  /// Makes the layers in a scope.
  ///
  /// - Throws: `ModelError` for a configuration that this family does not know, `CheckpointError` for tensors that do
  ///   not fit.
  public let make: @Sendable (ParameterScope, ModelConfiguration) throws -> any Backbone
  /// Our name for a checkpoint's key; nil if it is known and not needed here (a text tower, a quantiser, a classifier
  /// head, `position_ids`). Unknown keys stay, so that the store can name them.
  public let rename: @Sendable (String) -> String?
  /// The model's input by `config.json` and, where the folder has it, `preprocessor_config.json`.
  public let preprocessing: @Sendable (ModelConfiguration, _ processor: ModelConfiguration?) throws -> Preprocessing
  /// The family to use instead for another `model_type`, where one architecture stands upon several families.
  public let variant: @Sendable (_ modelType: String) -> BackboneFamily?

  /// Makes a family.
  public init(
    name: String, modelTypes: Set<String>, optional: Set<String> = [], fresh: [String] = [],
    make: @escaping @Sendable (ParameterScope, ModelConfiguration) throws -> any Backbone,
    rename: @escaping @Sendable (String) -> String?,
    preprocessing: @escaping @Sendable (ModelConfiguration, ModelConfiguration?) throws -> Preprocessing,
    variant: @escaping @Sendable (String) -> BackboneFamily? = { _ in nil }
  ) {
    (self.name, self.modelTypes, self.optional, self.fresh) = (name, modelTypes, optional, fresh)
    (self.make, self.rename, self.preprocessing, self.variant) = (make, rename, preprocessing, variant)
  }
}

/// A backbone and one linear layer on its features: every fine-tuned model.
///
/// The backbone's parameters have the names of its checkpoints, the head's begin with `head.`.
public struct Detector: Network {
  /// What makes the features.
  public let backbone: any Backbone
  /// `[featureCount]` → one logit of "fake"
  public let head: Linear

  /// Makes `head.weight` and `head.bias` below `scope`, after the backbone's parameters.
  public init(_ scope: ParameterScope, backbone: any Backbone) throws {
    self.backbone = backbone
    head = try Linear(scope["head"], in: backbone.featureCount, out: 1)
  }

  /// - Shapes: `[B] + Preprocessing.partShape` → `[B]`
  public func logits(_ input: Variable, _ pass: Pass) -> Variable {
    logits(features: backbone.features(input, pass), pass)
  }

  /// The head alone, for features computed before.
  ///
  /// - Shapes: `[B, featureCount]` → `[B]`
  public func logits(features: Variable, _ pass: Pass) -> Variable {
    flatten(head(dropout(features, rate: pass.dropout ?? backbone.headDropout, pass), pass), from: 0)
  }
}
