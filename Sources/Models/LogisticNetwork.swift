import Autograd
import NN

/// Logistic regression as a network: features are standardised, then one linear layer. Its parameters are fitted in
/// closed form by Training; as a network it is saved, loaded and scored like every other model.
struct LogisticNetwork: Network {
  private let mean, scale: Parameter  // [F]; fixed by the training samples, not trained
  private let head: Linear

  init(_ scope: ParameterScope, features: Int) throws {
    mean = try scope["standardise"].parameter("mean", [features], .zeros)
    scale = try scope["standardise"].parameter("scale", [features], .ones)
    head = try Linear(scope["head"], in: features, out: 1)
    (mean.trainable, scale.trainable) = (false, false)
  }

  /// `[B, F]` → `[B]`
  func logits(_ input: Variable, _ pass: Pass) -> Variable {
    flatten(head((input - pass[mean]) / pass[scale], pass), from: 0)
  }
}
