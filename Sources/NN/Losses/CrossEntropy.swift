public import Autograd
import Glibc
public import Tensor

/// Cross-entropy of softmax over classes.
///
/// - Shapes: `x [N, K, ...]`; `target [N, ...]` of class indices, or `[N, K, ...]` of probabilities; `classWeight [K]?` →
///   scalar, or `[N, ...]` without reduction. With indices the mean divides by the summed class weights of the targets
///   that count, with probabilities by the number of positions.
/// - Parameter smoothing: this share of each target is spread evenly over all classes (and weighted by their weights).
/// - Parameter ignoredIndex: targets that count nothing.
/// - Traps: on a class outside 0..<K.
public func crossEntropy(
  _ x: Variable, target: Tensor, classWeight: Tensor? = nil, smoothing: Double = 0, ignoredIndex: Int = -100,
  reduction: Reduction
) -> Variable {
  let shape = x.shape
  precondition(shape.count >= 1, "cross-entropy: input \(shape)")
  // A lone sample is a batch of one.
  let (N, K) = shape.count == 1 ? (1, shape[0]) : (shape[0], shape[1])
  let positions = shape.dropFirst(2).reduce(1, *)
  let lossShape = shape.count == 1 ? [] : [N] + shape[2...]
  let byIndex = target.dtype.isInteger
  precondition(target.shape == (byIndex ? lossShape : shape), "cross-entropy: target \(target.shape) for \(shape)")
  let weights = values(of: classWeight, broadcastTo: [K])
  let logits = x.value.floats()
  let classes = byIndex ? target.integers() : []
  let probabilities = byIndex ? [] : target.floats()

  var losses = [Double](repeating: 0, count: N * positions)
  var derivative = [Float](repeating: 0, count: logits.count)
  var divisor = byIndex ? 0 : Double(N * positions)
  for n in 0..<N {
    for s in 0..<positions {
      let at = (n * K) * positions + s
      let logs = logSoftmaxRow((0..<K).map { Double(logits[at + $0 * positions]) })
      // The weight of each class's logarithm: the loss is −Σ share · log p.
      var shares = [Double](repeating: 0, count: K)
      if byIndex {
        let y = classes[n * positions + s]
        if y == ignoredIndex { continue }
        precondition(y >= 0 && y < K, "cross-entropy: class \(y) of \(K)")
        for c in 0..<K { shares[c] = weights[c] * (smoothing / Double(K) + (c == y ? 1 - smoothing : 0)) }
        divisor += weights[y]
      } else {
        for c in 0..<K {
          shares[c] = weights[c] * (smoothing / Double(K) + (1 - smoothing) * Double(probabilities[at + c * positions]))
        }
      }
      let total = shares.reduce(0, +)
      losses[n * positions + s] = -zip(shares, logs).reduce(0) { $1.0 == 0 ? $0 : $0 + $1.0 * $1.1 }
      for c in 0..<K { derivative[at + c * positions] = Float(exp(logs[c]) * total - shares[c]) }
    }
  }
  return recordLoss(
    x, losses: losses, shape: lossShape, derivative: derivative,
    owner: { $0 / (K * positions) * positions + $0 % positions }, divisor: divisor, reduction)
}
