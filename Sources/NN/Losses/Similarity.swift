public import Autograd
import Glibc
public import Tensor

/// x / max(‖x‖, ε) along an axis.
public func normalized(_ x: Variable, axis: Int = -1, epsilon: Double = 1e-12) -> Variable {
  let axis = x.value.layout.axis(axis)
  let rows = Rows(x.value, axis)
  let norms = rows.all.map { norm($0) }
  let divisors = norms.map { max($0, epsilon) }
  let y = zip(rows.all, divisors).map { row, divisor in row.map { $0 / divisor } }
  return Tape.record(rows.tensor(y), [x]) { g in
    let gradients = Rows(g, axis).all
    let d = gradients.indices.map { r -> [Double] in
      let g = gradients[r]
      let along = norms[r] > epsilon ? dot(g, y[r]) : 0
      return zip(g, y[r]).map { ($0 - along * $1) / divisors[r] }
    }
    return [rows.tensor(d)]
  }
}

/// a · b / (max(‖a‖, ε) max(‖b‖, ε)) along an axis, which disappears.
public func cosineSimilarity(_ a: Variable, _ b: Variable, axis: Int, epsilon: Double = 1e-8) -> Variable {
  pairs(a, b, axis) { a, b in
    let (na, nb) = (norm(a), norm(b))
    let (da, db) = (max(na, epsilon), max(nb, epsilon))
    let cosine = dot(a, b) / (da * db)
    let (ka, kb) = (na > epsilon ? cosine / (da * da) : 0, nb > epsilon ? cosine / (db * db) : 0)
    return (
      cosine, zip(a, b).map { $1 / (da * db) - ka * $0 }, zip(a, b).map { $0 / (da * db) - kb * $1 }
    )
  }
}

/// 1 − cos for pairs that belong together (target 1), max(0, cos − margin) for those that do not (−1).
///
/// - Shapes: `a b [N, D]`, `target [N]` → scalar, or `[N]` without reduction. The mean divides by N.
public func cosineEmbeddingLoss(
  _ a: Variable, _ b: Variable, target: Tensor, margin: Double = 0, reduction: Reduction
) -> Variable {
  precondition(a.shape.count == 2 && a.shape == b.shape, "cosine embedding: \(a.shape) and \(b.shape)")
  let t = target.floats()
  precondition(t.count == a.shape[0], "cosine embedding: target \(target.shape) for \(a.shape)")
  var item = 0
  let losses = pairs(a, b, 1) { a, b in
    defer { item += 1 }
    // PyTorch adds its ε to the squared norms here.
    let (sa, sb) = (dot(a, a) + 1e-12, dot(b, b) + 1e-12)
    let root = (sa * sb).squareRoot()
    let cosine = dot(a, b) / root
    let slope = t[item] > 0 ? -1.0 : (cosine > margin ? 1.0 : 0.0)
    let loss = t[item] > 0 ? 1 - cosine : max(0, cosine - margin)
    return (
      loss, zip(a, b).map { slope * ($1 / root - cosine / sa * $0) },
      zip(a, b).map { slope * ($0 / root - cosine / sb * $1) }
    )
  }
  return reduced(losses, reduction)
}

/// max(0, d(anchor, positive) − d(anchor, negative) + margin), d(a, b) = ‖a − b + 10⁻⁶‖ₚ.
///
/// - Shapes: three `[N, D]` → scalar, or `[N]` without reduction. The mean divides by N.
/// - Parameter swap: uses d(positive, negative) where it is the smaller of the negative distances (Balntas et al. 2016).
public func tripletMarginLoss(
  anchor: Variable, positive: Variable, negative: Variable, margin: Double = 1, p: Double = 2, swap: Bool = false,
  reduction: Reduction
) -> Variable {
  let near = distance(anchor, positive, p)
  var far = distance(anchor, negative, p)
  if swap { far = minimum(far, distance(positive, negative, p)) }
  return reduced(relu(near - far + Float(margin)), reduction)
}

private func distance(_ a: Variable, _ b: Variable, _ p: Double) -> Variable {
  precondition(a.shape.count == 2 && a.shape == b.shape, "triplet: \(a.shape) and \(b.shape)")
  return pairs(a, b, 1) { a, b in
    // In float32 as the reference subtracts, so that the ε is rounded alike.
    let d = zip(a, b).map { Double(Float($0) - Float($1) + 1e-6) }
    let length = pow(d.reduce(0) { $0 + pow(abs($1), p) }, 1 / p)
    let slope = d.map { length == 0 ? 0 : ($0 < 0 ? -1.0 : 1.0) * pow(abs($0) / length, p - 1) }
    return (length, slope, slope.map { -$0 })
  }
}

// The smaller of two, element by element; where they are equal each gets half, as in PyTorch.
private func minimum(_ a: Variable, _ b: Variable) -> Variable {
  let share = zip(a.value.floats(), b.value.floats()).map { Float($0 < $1 ? 1 : ($0 == $1 ? 0.5 : 0)) }
  let ofA = Tensor(share, shape: a.shape)
  return Tape.record(a.value.combined(.minimum, b.value), [a, b]) { g in
    [g.combined(.multiply, ofA), g.combined(.multiply, ofA.affine(-1, 1))]
  }
}

func reduced(_ losses: Variable, _ reduction: Reduction) -> Variable {
  switch reduction {
  case .none: losses
  case .sum: sum(losses)
  case .mean: mean(losses)
  }
}

// One number a pair of rows, with its derivatives by both.
private func pairs(
  _ a: Variable, _ b: Variable, _ axis: Int,
  _ body: (_ a: [Double], _ b: [Double]) -> (value: Double, da: [Double], db: [Double])
) -> Variable {
  precondition(a.shape == b.shape, "similarity: \(a.shape) and \(b.shape)")
  let axis = a.value.layout.axis(axis)
  let (x, z) = (Rows(a.value, axis), Rows(b.value, axis))
  let results = zip(x.all, z.all).map { body($0, $1) }
  var shape = a.shape
  shape.remove(at: axis)
  let needs = (a: a.needsGradient, b: b.needsGradient)
  return Tape.record(Tensor(results.map { Float($0.value) }, shape: shape), [a, b]) { g in
    let g = g.floats().map(Double.init)
    func scaled(_ rows: [[Double]]) -> Tensor { x.tensor(zip(rows, g).map { row, g in row.map { $0 * g } }) }
    return [needs.a ? scaled(results.map(\.da)) : nil, needs.b ? scaled(results.map(\.db)) : nil]
  }
}

private func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
private func norm(_ a: [Double]) -> Double { dot(a, a).squareRoot() }

// A tensor's rows along one axis, in the order of the other axes.
private struct Rows {
  let all: [[Double]]
  private let moved: [Int]
  private let axis: Int

  init(_ x: Tensor, _ axis: Int) {
    var order = Array(0..<x.rank)
    order.remove(at: axis)
    order.append(axis)
    let values = x.permuted(order).floats().map(Double.init)
    let width = x.shape[axis]
    all = width == 0 ? [] : stride(from: 0, to: values.count, by: width).map { Array(values[$0..<$0 + width]) }
    moved = order.map { x.shape[$0] }
    self.axis = axis
  }

  func tensor(_ rows: [[Double]]) -> Tensor {
    var back = Array(0..<moved.count - 1)
    back.insert(moved.count - 1, at: axis)
    return Tensor(rows.flatMap { $0.map(Float.init) }, shape: moved).permuted(back)
  }
}
