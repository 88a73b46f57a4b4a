public import Autograd
import Glibc
public import Tensor

/// Binary cross-entropy times α_t (1 − p_t)^γ, so that elements that are already right count less.
///
/// - Shapes: `x`, `target` (0...1) alike; `weight` (an element's) broadcasts to them → scalar, or the shape of x without
///   reduction. The mean divides by the number of elements. `alpha` is the weight of positives, 1 − alpha that of
///   negatives; nil for none.
/// - Source: Lin et al. 2017, arXiv:1708.02002, eq. 5; as in torchvision.
public func sigmoidFocalLoss(
  _ x: Variable, target: Tensor, alpha: Double?, gamma: Double, weight: Tensor? = nil, reduction: Reduction
) -> Variable {
  precondition(target.shape == x.shape, "focal loss: target \(target.shape) for \(x.shape)")
  let w = values(of: weight, broadcastTo: x.shape)
  let (v, t) = (x.value.floats().map(Double.init), target.floats().map(Double.init))
  var losses = [Double](repeating: 0, count: v.count)
  var derivative = [Float](repeating: 0, count: v.count)
  for i in v.indices {
    let (p, q) = (logistic(v[i]), logistic(-v[i]))
    let entropy = (1 - t[i]) * v[i] + softplus(-v[i])
    let wrong = p * (1 - t[i]) + q * t[i]  // 1 - p_t
    let balance = w[i] * (alpha.map { $0 * t[i] + (1 - $0) * (1 - t[i]) } ?? 1)
    losses[i] = balance * entropy * pow(wrong, gamma)
    let slope = gamma == 0 || wrong == 0 ? 0 : gamma * pow(wrong, gamma - 1) * entropy * (2 * t[i] - 1) * p * q
    derivative[i] = Float(balance * ((p - t[i]) * pow(wrong, gamma) - slope))
  }
  return recordLoss(
    x, losses: losses, shape: x.shape, derivative: derivative, owner: { $0 }, divisor: Double(v.count), reduction)
}

/// −α[y] (1 − p_y)^γ log p_y over classes.
///
/// - Shapes: `x [N, K]`, `target [N]` of class indices, `alpha [K]?` → scalar, or `[N]` without reduction. The mean
///   divides by N.
/// - Traps: on a target outside 0..<K.
public func softmaxFocalLoss(
  _ x: Variable, target: Tensor, alpha: Tensor? = nil, gamma: Double, reduction: Reduction
) -> Variable {
  let (N, K) = (x.shape[0], x.shape[1])
  precondition(x.shape.count == 2 && target.shape == [N], "focal loss: target \(target.shape) for \(x.shape)")
  let a = values(of: alpha, broadcastTo: [K])
  let (v, y) = (x.value.floats().map(Double.init), target.integers())
  var losses = [Double](repeating: 0, count: N)
  var derivative = [Float](repeating: 0, count: N * K)
  for n in 0..<N {
    precondition(y[n] >= 0 && y[n] < K, "focal loss: class \(y[n]) of \(K)")
    let logs = logSoftmaxRow(v[n * K..<(n + 1) * K])
    let log = logs[y[n]]
    let p = exp(log)
    let wrong = -expm1(log)
    losses[n] = -a[y[n]] * pow(wrong, gamma) * log
    let easing = gamma == 0 || wrong == 0 ? 0 : gamma * pow(wrong, gamma - 1) * p * log
    let slope = -a[y[n]] * (pow(wrong, gamma) - easing)
    for c in 0..<K { derivative[n * K + c] = Float(slope * ((c == y[n] ? 1 : 0) - exp(logs[c]))) }
  }
  return recordLoss(
    x, losses: losses, shape: [N], derivative: derivative, owner: { $0 / K }, divisor: Double(N), reduction)
}

/// The logarithm of softmax over a few values.
func logSoftmaxRow(_ values: some Collection<Double>) -> [Double] {
  let largest = values.max() ?? 0
  let total = log(values.reduce(0) { $0 + exp($1 - largest) })
  return values.map { $0 - largest - total }
}
