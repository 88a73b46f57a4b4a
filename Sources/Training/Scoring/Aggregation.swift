import Foundation

/// How the scores of a sample's parts (frames, windows, clips) become the sample's one score.
///
///     let score = Aggregation.mean.score(of: [0.3, -1.2, 2.0])     // logits in, P(fake) and its logit out
public enum Aggregation: String, Codable, Sendable, CaseIterable {
  /// The mean probability.
  case mean
  /// The largest probability.
  case max
  /// The mean of the largest quarter of the probabilities, at least one.
  case topK = "top-k"
  /// The probability that at least one part is fake, if parts were independent.
  case noisyOr = "noisy-or"

  /// P(fake) of the sample, and its logit, from the parts' logits. Both probabilities, of fake and of real, are computed,
  /// so that a score near 1 keeps its logit.
  ///
  /// - Traps: without parts.
  public func score(of logits: [Float]) -> (probability: Double, logit: Double) {
    precondition(!logits.isEmpty, "a score of no parts")
    if logits.count == 1 {
      let logit = Double(logits[0])
      return (sigmoid(logit), logit)
    }
    switch self {
    case .mean: return mean(logits)
    case .max: return Aggregation.mean.score(of: [logits.max()!])
    case .topK: return mean(Array(logits.sorted(by: >).prefix(Swift.max(1, logits.count / 4))))
    case .noisyOr:
      // log P(real) = Σ log σ(-z)
      let real = logits.reduce(0.0) { $0 - softplus(Double($1)) }
      let fake = -expm1(real)
      return (fake, log(fake) - real)
    }
  }

  private func mean(_ logits: [Float]) -> (Double, Double) {
    var (fake, real) = (0.0, 0.0)
    for logit in logits {
      fake += sigmoid(Double(logit))
      real += sigmoid(-Double(logit))
    }
    return (fake / Double(logits.count), log(fake) - log(real))
  }
}

/// 1 / (1 + e⁻ˣ)
func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

/// log(1 + eˣ)
func softplus(_ x: Double) -> Double { x > 0 ? x + log1p(exp(-x)) : log1p(exp(x)) }
