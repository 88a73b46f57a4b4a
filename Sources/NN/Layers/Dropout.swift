public import Autograd
import Tensor

/// Each element 0 with probability `rate` in training, the rest scaled up; nothing outside training.
public func dropout(_ x: Variable, rate: Float, _ pass: Pass) -> Variable {
  pass.training && rate > 0 ? dropout(x, rate: rate, random: &pass.random) : x
}

/// Whole samples of a residual branch 0 with probability `rate` in training, the rest scaled up.
///
/// - Shapes: `[N, ...]` → the same
/// - Source: Huang et al. 2016, arXiv:1603.09382 (stochastic depth).
public func dropPath(_ x: Variable, rate: Float, _ pass: Pass) -> Variable {
  guard pass.training && rate > 0 else { return x }
  let kept = (0..<x.shape[0]).map { _ in pass.random.chance(Double(rate)) ? 0 : 1 / (1 - rate) }
  return x * Variable(Tensor(kept, shape: [x.shape[0]] + x.shape.dropFirst().map { _ in 1 }))
}
