public import Autograd
import Glibc
public import Tensor

/// Cross-entropy of σ(x) against targets in 0...1: −w [p t log σ(x) + (1 − t) log(1 − σ(x))].
///
/// - Shapes: `x`, `target` alike; `weight` (w, an element's) and `positiveWeight` (p, of positive targets) broadcast to
///   them → scalar, or the shape of x without reduction. The mean divides by the number of elements.
public func binaryCrossEntropy(
  _ x: Variable, target: Tensor, weight: Tensor? = nil, positiveWeight: Tensor? = nil, reduction: Reduction
) -> Variable {
  precondition(target.shape == x.shape, "binary cross-entropy: target \(target.shape) for \(x.shape)")
  let (w, p) = (values(of: weight, broadcastTo: x.shape), values(of: positiveWeight, broadcastTo: x.shape))
  let (v, t) = (x.value.floats().map(Double.init), target.floats().map(Double.init))
  var losses = [Double](repeating: 0, count: v.count)
  var derivative = [Float](repeating: 0, count: v.count)
  for i in v.indices {
    let both = 1 + (p[i] - 1) * t[i]
    losses[i] = w[i] * ((1 - t[i]) * v[i] + both * softplus(-v[i]))
    derivative[i] = Float(w[i] * ((1 - t[i]) - both * logistic(-v[i])))
  }
  return recordLoss(
    x, losses: losses, shape: x.shape, derivative: derivative, owner: { $0 }, divisor: Double(v.count), reduction)
}

/// log(1 + eˣ) for any x.
func softplus(_ x: Double) -> Double { max(x, 0) + log1p(exp(-abs(x))) }

/// 1 / (1 + e⁻ˣ) for any x.
func logistic(_ x: Double) -> Double { 1 / (1 + exp(-x)) }
