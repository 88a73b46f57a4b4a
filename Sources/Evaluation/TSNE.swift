import Foundation

/// A picture of many dimensions in two, which keeps neighbours together: exact t-SNE. Distances between groups and their
/// sizes mean nothing in it.
///
/// - Source: van der Maaten and Hinton 2008; initialised by principal components, early exaggeration 12.
/// - Cost: `iterations` · n²; meant for some thousands of points at most.
public struct TSNE: Sendable {
  /// The points. `[n][2]`
  public let points: [[Double]]
  /// Kullback-Leibler divergence of the picture's neighbours from the data's, in nats.
  public let divergence: Double

  /// Draws rows of equal width.
  ///
  /// - Parameter perplexity: about how many neighbours a point has; below a third of the rows.
  /// - Traps: with fewer than four rows, or a perplexity that is not between 1 and the number of rows less one.
  public init(_ rows: [[Double]], perplexity: Double = 30, iterations: Int = 1000, seed: UInt64 = 1) {
    let n = rows.count
    precondition(n >= 4, "TSNE: \(n) rows are too few")
    precondition(
      perplexity >= 1 && perplexity < Double(n - 1), "TSNE: perplexity \(perplexity) does not suit \(n) rows")
    let p = Self.neighbours(rows, perplexity)
    var y = Self.principal(rows, seed)
    var velocity = [Double](repeating: 0, count: 2 * n)
    var gains = [Double](repeating: 1, count: 2 * n)
    let rate = max(Double(n) / 12 / 4, 50)  // scikit-learn's automatic rate
    for iteration in 0..<iterations {
      let early = iteration < min(250, iterations / 2)
      let gradient = Self.gradient(p, y, exaggeration: early ? 12 : 1).gradient
      let momentum = early ? 0.5 : 0.8
      for index in y.indices {
        gains[index] =
          (gradient[index] > 0) == (velocity[index] > 0) ? max(gains[index] * 0.8, 0.01) : gains[index] + 0.2
        velocity[index] = momentum * velocity[index] - rate * gains[index] * gradient[index]
        y[index] += velocity[index]
      }
      for axis in 0..<2 {
        let centre = stride(from: axis, to: 2 * n, by: 2).reduce(0) { $0 + y[$1] } / Double(n)
        for index in stride(from: axis, to: 2 * n, by: 2) { y[index] -= centre }
      }
    }
    divergence = Self.gradient(p, y, exaggeration: 1).divergence
    points = (0..<n).map { [y[2 * $0], y[2 * $0 + 1]] }
  }

  /// Symmetric joint probabilities at a perplexity, rows after each other; they sum to 1.
  static func neighbours(_ rows: [[Double]], _ perplexity: Double) -> [Double] {
    let n = rows.count
    var p = [Double](repeating: 0, count: n * n)
    for i in 0..<n {
      let squares = rows.map { other in zip(rows[i], other).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) } }
      // Bisection on the precision of the Gaussian until its entropy is log(perplexity).
      var (low, high, beta) = (0.0, Double.infinity, 1.0)
      let nearest = squares.indices.filter { $0 != i }.map { squares[$0] }.min()!
      for _ in 0..<200 {
        var (sum, weighted) = (0.0, 0.0)
        for j in 0..<n where j != i {
          let value = exp(-beta * (squares[j] - nearest))
          p[i * n + j] = value
          sum += value
          weighted += value * (squares[j] - nearest)
        }
        for j in 0..<n { p[i * n + j] /= sum }
        let excess = log(sum) + beta * weighted / sum - log(perplexity)
        if abs(excess) < 1e-10 { break }
        if excess > 0 {
          low = beta
          beta = high.isFinite ? (beta + high) / 2 : beta * 2
        } else {
          high = beta
          beta = (beta + low) / 2
        }
      }
    }
    for i in 0..<n {
      for j in 0..<i {
        let both = (p[i * n + j] + p[j * n + i]) / Double(2 * n)
        (p[i * n + j], p[j * n + i]) = (both, both)
      }
    }
    return p
  }

  private static func gradient(
    _ p: [Double], _ y: [Double], exaggeration: Double
  ) -> (gradient: [Double], divergence: Double) {
    let n = y.count / 2
    var q = [Double](repeating: 0, count: n * n)
    var gradient = [Double](repeating: 0, count: 2 * n)
    var (sum, divergence) = (0.0, 0.0)
    y.withUnsafeBufferPointer { y in
      p.withUnsafeBufferPointer { p in
        q.withUnsafeMutableBufferPointer { q in
          for i in 0..<n {
            for j in 0..<i {
              let (dx, dy) = (y[2 * i] - y[2 * j], y[2 * i + 1] - y[2 * j + 1])
              let value = 1 / (1 + dx * dx + dy * dy)
              q[i &* n &+ j] = value
              sum += 2 * value
            }
          }
          for i in 0..<n {
            for j in 0..<i {
              let (value, wanted) = (q[i &* n &+ j], p[i &* n &+ j])
              let share = max(value / sum, 1e-300)
              if wanted > 0 { divergence += 2 * wanted * log(wanted / share) }
              let force = 4 * (exaggeration * wanted - share) * value
              let (dx, dy) = (force * (y[2 * i] - y[2 * j]), force * (y[2 * i + 1] - y[2 * j + 1]))
              gradient[2 * i] += dx
              gradient[2 * i + 1] += dy
              gradient[2 * j] -= dx
              gradient[2 * j + 1] -= dy
            }
          }
        }
      }
    }
    return (gradient, divergence)
  }

  // The two principal components by orthogonal iteration, the first with standard deviation 1e-4.
  private static func principal(_ rows: [[Double]], _ seed: UInt64) -> [Double] {
    let (n, width) = (rows.count, rows[0].count)
    let means = (0..<width).map { c in rows.reduce(0) { $0 + $1[c] } / Double(n) }
    let centred = rows.map { row in (0..<width).map { row[$0] - means[$0] } }
    var random = SplitMix64(state: seed)
    var axes = (0..<2).map { _ in (0..<width).map { _ in random.uniform() - 0.5 } }
    for _ in 0..<100 {
      for axis in 0..<2 {
        var next = [Double](repeating: 0, count: width)
        for row in centred {
          let along = zip(row, axes[axis]).reduce(0) { $0 + $1.0 * $1.1 }
          for c in 0..<width { next[c] += along * row[c] }
        }
        if axis == 1 {
          let along = zip(next, axes[0]).reduce(0) { $0 + $1.0 * $1.1 }
          for c in 0..<width { next[c] -= along * axes[0][c] }
        }
        let length = next.reduce(0) { $0 + $1 * $1 }.squareRoot()
        axes[axis] = length > 0 ? next.map { $0 / length } : (0..<width).map { $0 == axis ? 1 : 0 }
      }
    }
    var y = [Double](repeating: 0, count: 2 * n)
    for (index, row) in centred.enumerated() {
      for axis in 0..<2 { y[2 * index + axis] = zip(row, axes[axis]).reduce(0) { $0 + $1.0 * $1.1 } }
    }
    let spread = (stride(from: 0, to: 2 * n, by: 2).reduce(0) { $0 + y[$1] * y[$1] } / Double(n)).squareRoot()
    // Equal points would never part: a trace of noise.
    return y.map { (spread > 0 ? $0 / spread * 1e-4 : 0) + (random.uniform() - 0.5) * 1e-6 }
  }
}
