import Foundation
public import Datasets

/// The loss of one view and its slope, in double precision: cross-entropy, or focal loss, which counts easy views less.
///
/// - Source: Lin et al. 2017, "Focal Loss for Dense Object Detection", arXiv:1708.02002, without its alpha: the class
///   weights take its place.
public struct ItemLoss: Sendable, Hashable {
  /// How much less easy views count; 0 is cross-entropy.
  public let gamma: Double
  /// Share by which each label is moved towards the other.
  public let smoothing: Double

  /// The loss of an experiment's settings.
  public init(_ balance: BalanceSettings, smoothing: Double = 0) {
    gamma = balance.loss == .focal ? balance.focalGamma : 0
    self.smoothing = smoothing
  }

  /// Loss and its derivative at one logit of "fake".
  public func evaluate(logit z: Double, isFake: Bool) -> (loss: Double, slope: Double) {
    evaluate(logit: z, target: isFake ? 1 : 0)
  }

  /// The same for a view that is fake in part, as mixing two views makes it.
  ///
  /// - Parameter share: 0 is real, 1 is fake.
  public func evaluate(logit z: Double, target share: Double) -> (loss: Double, slope: Double) {
    let target = share * (1 - smoothing) + (1 - share) * smoothing
    let (fake, fakeSlope) = branch(z)
    let (real, realSlope) = branch(-z)
    return (target * fake + (1 - target) * real, target * fakeSlope - (1 - target) * realSlope)
  }

  /// (1 - p)^γ · -log p at p = σ(z), and its derivative by z.
  private func branch(_ z: Double) -> (Double, Double) {
    // Written with σ(-z) = 1 - p, which does not cancel where p is near 1.
    let rest = 1 / (1 + exp(z))
    let surprise = z > 0 ? log1p(exp(-z)) : -z + log1p(exp(z))
    guard gamma > 0 else { return (surprise, -rest) }
    let weight = pow(rest, gamma)
    return (weight * surprise, -weight * (gamma * (1 - rest) * surprise + rest))
  }
}
