import Autograd
import NN

/// The baseline every image result stands beside: logistic regression on the pixels of an 8×8 thumbnail. What it can
/// tell apart, brightness and background can.
enum ThumbnailLogistic {
  static let entry = Architecture(
    name: "thumbnail-logistic", modality: .image, fitting: .logistic,
    summary: "Baseline: logistic regression on an 8×8 thumbnail.",
    paper: "none: a check for shortcuts", licence: "fitted here, no outside weights",
    preprocessing: .frames(.init(size: 8, mean: [0.5, 0.5, 0.5], deviation: [0.25, 0.25, 0.25], flat: true)),
    recipe: Recipe(views: 8),
    build: { scope, input in try LogisticNetwork(scope, features: input.partShape[0]) })
}
