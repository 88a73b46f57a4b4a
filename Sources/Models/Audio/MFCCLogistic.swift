import Autograd
import NN

/// The baseline every audio result stands beside: logistic regression on the mean and deviation of each MFCC.
///
/// - Source: cepstra after Davis & Mermelstein 1980, doi:10.1109/TASSP.1980.1163420.
enum MFCCLogistic {
  static let entry = Architecture(
    name: "mfcc-logistic", modality: .audio, fitting: .logistic,
    summary: "Baseline: logistic regression on mean and deviation of 20 MFCC.",
    paper: "Davis & Mermelstein 1980, doi:10.1109/TASSP.1980.1163420", licence: "fitted here, no outside weights",
    preprocessing: .cepstra(.init()), recipe: Recipe(views: 1),
    build: { scope, input in try LogisticNetwork(scope, features: input.partShape[0]) })
}
