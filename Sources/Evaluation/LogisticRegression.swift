import Foundation

/// Logistic regression with an L2 penalty on the weights, not on the intercepts: the unique optimum, by Newton steps.
///
/// Two classes minimise ½‖w‖² + C Σ sᵢ ln(1 + exp(-(2yᵢ - 1)(w·xᵢ + b))); more minimise ½ΣW² - C Σ sᵢ ln softmax(Wxᵢ + b).
///
/// - Cost: rows × (classes × width)² a step, five to fifteen steps.
public struct LogisticRegression: Sendable, Hashable, Codable {
  /// One row of weights a class; a single row, of class 1, for two classes.
  public let coefficients: [[Double]]  // [classes or 1, width]
  /// The intercepts; for more than two classes with mean 0.
  public let intercepts: [Double]

  /// Fits.
  ///
  /// - Parameters:
  ///   - inverseStrength: C; larger means a weaker penalty.
  ///   - balanced: weighs items so that classes count alike.
  ///   - itemWeights: the items' own weights; empty for 1 each.
  /// - Throws: `EvaluationError` when fewer than two classes occur or a value is not finite.
  public init(
    rows: [[Double]], labels: [Int], classes: Int = 2, inverseStrength: Double = 1, balanced: Bool = false,
    itemWeights given: [Double] = []
  ) throws {
    guard Set(labels).count >= 2 else {
      throw EvaluationError("logistic regression needs items of both classes; add some or leave this model out")
    }
    guard rows.allSatisfy({ $0.allSatisfy(\.isFinite) }) else {
      throw EvaluationError(
        "logistic regression was given a feature that is not finite; look at the scores it came from")
    }
    precondition(given.isEmpty || given.count == rows.count, "LogisticRegression: weights and rows differ in number")
    let weights = ClassWeights.balanced(labels: labels, classes: classes)
    let problem = Problem(
      rows: rows, labels: labels,
      itemWeights: labels.indices.map { index in
        inverseStrength * (balanced ? weights[labels[index]] : 1) * (given.isEmpty ? 1 : given[index])
      },
      outputs: classes == 2 ? 1 : classes)
    let solution = problem.minimise()
    let width = rows[0].count
    coefficients = (0..<problem.outputs).map { Array(solution[$0 * (width + 1)..<$0 * (width + 1) + width]) }
    let raw = (0..<problem.outputs).map { solution[$0 * (width + 1) + width] }
    let shift = classes == 2 ? 0 : mean(raw)
    intercepts = raw.map { $0 - shift }
  }

  /// The logit of class 1 (two classes).
  public func logit(_ row: [Double]) -> Double { Self.dot(coefficients[0], row) + intercepts[0] }

  /// The probability of each class.
  public func probabilities(_ row: [Double]) -> [Double] {
    if coefficients.count == 1 {
      let p = sigmoid(logit(row))
      return [1 - p, p]
    }
    return softmax(zip(coefficients, intercepts).map { Self.dot($0, row) + $1 })
  }

  private static func dot(_ a: [Double], _ b: [Double]) -> Double { zip(a, b).reduce(0) { $0 + $1.0 * $1.1 } }
}

private func softmax(_ logits: [Double]) -> [Double] {
  let top = logits.max()!
  let parts = logits.map { exp($0 - top) }
  let sum = parts.reduce(0, +)
  return parts.map { $0 / sum }
}

/// The objective over one flat vector: for each output its weights, then its intercept.
private struct Problem {
  let rows: [[Double]]
  let labels: [Int]
  let itemWeights: [Double]
  let outputs: Int

  private var width: Int { rows[0].count }

  /// Value, gradient and Hessian (row-major).
  private func evaluate(_ x: [Double], hessian wanted: Bool) -> (value: Double, gradient: [Double], hessian: [Double]) {
    let (block, size) = (width + 1, x.count)
    var value = 0.0
    var gradient = [Double](repeating: 0, count: size)
    var hessian = [Double](repeating: 0, count: wanted ? size * size : 0)
    for k in 0..<outputs {
      for c in 0..<width {
        value += x[k * block + c] * x[k * block + c] / 2
        gradient[k * block + c] = x[k * block + c]
        if wanted { hessian[(k * block + c) * size + k * block + c] = 1 }
      }
    }
    if outputs > 1 {
      // A common shift of the intercepts changes no probability: holding their sum at 0 makes the optimum a point.
      let sum = (0..<outputs).reduce(0) { $0 + x[$1 * block + width] }
      value += sum * sum / 2
      for k in 0..<outputs {
        gradient[k * block + width] += sum
        if wanted {
          for l in 0..<outputs { hessian[(k * block + width) * size + l * block + width] += 1 }
        }
      }
    }
    for (item, row) in rows.enumerated() {
      let extended = row + [1]
      let weight = itemWeights[item]
      let scores = (0..<outputs).map { k in
        extended.indices.reduce(0.0) { $0 + x[k * block + $1] * extended[$1] }
      }
      var slopes: [Double]  // of the loss in each score
      var curvature: (Int, Int) -> Double
      if outputs == 1 {
        let p = sigmoid(scores[0])
        value += weight * softplus(labels[item] == 1 ? -scores[0] : scores[0])
        slopes = [p - (labels[item] == 1 ? 1 : 0)]
        curvature = { _, _ in p * (1 - p) }
      } else {
        let p = softmax(scores)
        let top = scores.max()!
        value -= weight * (scores[labels[item]] - top - log(scores.reduce(0) { $0 + exp($1 - top) }))
        slopes = p
        slopes[labels[item]] -= 1
        curvature = { k, l in p[k] * ((k == l ? 1 : 0) - p[l]) }
      }
      for k in 0..<outputs {
        for c in extended.indices { gradient[k * block + c] += weight * slopes[k] * extended[c] }
      }
      guard wanted else { continue }
      hessian.withUnsafeMutableBufferPointer { hessian in
        for k in 0..<outputs {
          for l in 0..<outputs {
            let w = weight * curvature(k, l)
            for c in extended.indices {
              let (scaled, start) = (w * extended[c], (k * block + c) * size + l * block)
              for d in extended.indices { hessian[start + d] += scaled * extended[d] }
            }
          }
        }
      }
    }
    return (value, gradient, hessian)
  }

  /// Newton's method with step halving; the objective is convex, so it ends at the optimum.
  func minimise() -> [Double] {
    var x = [Double](repeating: 0, count: outputs * (width + 1))
    for _ in 0..<200 {
      let here = evaluate(x, hessian: true)
      let largest = here.gradient.reduce(0) { max($0, abs($1)) }
      if largest < 1e-11 * max(1, here.value) { break }
      guard let step = solvePositive(here.hessian, here.gradient) else { break }
      let slope = zip(step, here.gradient).reduce(0) { $0 + $1.0 * $1.1 }
      var scale = 1.0
      var next = x
      while scale > 1e-10 {
        next = x.indices.map { x[$0] - scale * step[$0] }
        if evaluate(next, hessian: false).value <= here.value - 1e-4 * scale * slope { break }
        scale /= 2
      }
      if scale <= 1e-10 { break }  // rounding: no lower value exists
      x = next
    }
    return x
  }
}

/// Solves A x = b for a symmetric positive definite A (row-major) by Cholesky; a diagonal that rounding made 0 or less is
/// lifted a little.
private func solvePositive(_ matrix: [Double], _ b: [Double]) -> [Double]? {
  let n = b.count
  let largest = (0..<n).reduce(0.0) { max($0, matrix[$1 * n + $1]) }
  guard largest > 0 else { return nil }
  var factor = matrix
  return factor.withUnsafeMutableBufferPointer { l in
    for j in 0..<n {
      let rowJ = j * n
      for i in j..<n {
        let rowI = i * n
        var sum = l[rowI + j]
        for k in 0..<j { sum -= l[rowI + k] * l[rowJ + k] }
        if i == j {
          l[rowJ + j] = max(sum, 1e-14 * largest).squareRoot()
        } else {
          l[rowI + j] = sum / l[rowJ + j]
        }
      }
    }
    var x = b
    for i in 0..<n {
      for k in 0..<i { x[i] -= l[i * n + k] * x[k] }
      x[i] /= l[i * n + i]
    }
    for i in (0..<n).reversed() {
      for k in i + 1..<max(n, i + 1) { x[i] -= l[k * n + i] * x[k] }
      x[i] /= l[i * n + i]
    }
    return x
  }
}
