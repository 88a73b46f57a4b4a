public import Autograd
public import NN

/// A model ready to run: layers whose parameters live in a `ParameterStore`.
public protocol Network {
  /// One logit of "fake" for each part of the batch.
  ///
  /// - Shapes: `input [B] + Preprocessing.partShape` → `[B]`
  func logits(_ input: Variable, _ pass: Pass) -> Variable
}

/// What belongs to an architecture's training, beside the settings that an experiment gives.
public struct Recipe: Hashable, Sendable {
  /// How many parts of each sample an epoch visits (frames, windows, clips).
  public var views: Int
  /// Smallest shard the architecture can be trained on; batch norm needs 4 samples.
  public var minimumShard: Int

  /// Makes a recipe.
  public init(views: Int, minimumShard: Int = 1) {
    (self.views, self.minimumShard) = (views, minimumShard)
  }
}

/// One entry of the registry: everything known about an architecture before it is built.
///
///     let architecture = try ModelRegistry.find("audio-cnn")
///     let store = ParameterStore(seed: 7)
///     let network = try architecture.build(store.root, architecture.preprocessing)
///     let logits = network.logits(Variable(batch), Pass(training: false))
public struct Architecture: Sendable {
  /// How the parameters come about.
  public enum Fitting: String, Sendable {
    /// By gradient steps.
    case gradient
    /// By logistic regression with an L2 penalty on standardised features, in one closed step.
    case logistic
  }

  /// The name in experiments, e.g. `audio-cnn`.
  public let name: String
  /// The stream it looks at.
  public let modality: InputModality
  /// How it is trained.
  public let fitting: Fitting
  /// One sentence for `unmask models list`.
  public let summary: String
  /// Where it comes from.
  public let paper: String
  /// Licence of the code and of weights usually used with it.
  public let licence: String
  /// Its usual input.
  public let preprocessing: Preprocessing
  /// Its usual training.
  public let recipe: Recipe
  /// The family of checkpoints that it reads; nil if it is trained from scratch.
  public let family: BackboneFamily?
  /// The size it is built at, where it has a family.
  public let configuration: ModelConfiguration?
  /// Makes the layers in `scope`, for the given input.
  ///
  /// - Throws: when a checkpoint in the store lacks a tensor or has it in another shape.
  public let build: @Sendable (_ scope: ParameterScope, _ input: Preprocessing) throws -> any Network

  /// Makes an entry.
  public init(
    name: String, modality: InputModality, fitting: Fitting = .gradient, summary: String, paper: String,
    licence: String, preprocessing: Preprocessing, recipe: Recipe, family: BackboneFamily? = nil,
    configuration: ModelConfiguration? = nil,
    build: @escaping @Sendable (ParameterScope, Preprocessing) throws -> any Network
  ) {
    (self.name, self.modality, self.fitting, self.summary) = (name, modality, fitting, summary)
    (self.paper, self.licence, self.preprocessing, self.recipe) = (paper, licence, preprocessing, recipe)
    (self.family, self.configuration, self.build) = (family, configuration, build)
  }
}
