import Autograd
import Tensor

/// What becomes of the losses of single elements.
public enum Reduction: String, Sendable {
  /// Their mean, in the sense that each loss states.
  case mean
  /// Their sum: what a sharded step adds up.
  case sum
  /// Nothing: one loss each.
  case none
}

/// One loss an item and its derivatives by the logits, computed together in float64: losses have few elements, and this
/// is where large and small numbers meet.
///
/// `derivative` has the shape of `x`; item i of `losses` owns the elements that `owner` says. `divisor` is what a mean
/// divides by.
func recordLoss(
  _ x: Variable, losses: [Double], shape: [Int], derivative: [Float], owner: @escaping (Int) -> Int, divisor: Double,
  _ reduction: Reduction
) -> Variable {
  let total: Tensor
  switch reduction {
  case .none: total = Tensor(losses.map(Float.init), shape: shape)
  case .sum: total = Tensor(Float(losses.reduce(0, +)))
  case .mean: total = Tensor(Float(losses.reduce(0, +) / divisor))
  }
  let xShape = x.shape
  return Tape.record(total, [x]) { g in
    guard reduction == .none else {
      let scale = reduction == .sum ? g.scalar : Float(Double(g.scalar) / divisor)
      return [Tensor(derivative, shape: xShape).affine(scale, 0)]
    }
    let weights = g.floats()
    return [Tensor(derivative.indices.map { derivative[$0] * weights[owner($0)] }, shape: xShape)]
  }
}

/// A constant's values repeated to a shape; all 1 if it is absent.
func values(of constant: Tensor?, broadcastTo shape: [Int]) -> [Double] {
  guard let constant else { return Array(repeating: 1, count: shape.reduce(1, *)) }
  return constant.broadcast(to: shape).floats().map(Double.init)
}
