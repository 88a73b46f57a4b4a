/// Weights that make every class count alike: n / (classes × count of the class).
public enum ClassWeights {
  /// One weight a class; a class that does not occur gets 0.
  public static func balanced(labels: [Int], classes: Int) -> [Double] {
    var counts = [Int](repeating: 0, count: classes)
    for label in labels { counts[label] += 1 }
    return counts.map { $0 == 0 ? 0 : Double(labels.count) / (Double(classes) * Double($0)) }
  }
}

/// Brings columns to mean 0 and (population) variance 1; a constant column keeps its scale.
public struct StandardScaler: Sendable, Hashable, Codable {
  /// The mean of each column.
  public let mean: [Double]
  /// The population variance of each column.
  public let variance: [Double]
  /// What centred values are divided by.
  public let scale: [Double]

  /// Fits rows of equal width.
  ///
  /// - Traps: if there are no rows.
  public init(fitting rows: [[Double]]) {
    precondition(!rows.isEmpty, "StandardScaler: no rows to fit")
    let n = Double(rows.count)
    let means = rows[0].indices.map { c in rows.reduce(0) { $0 + $1[c] } / n }
    let variances = rows[0].indices.map { c in
      rows.reduce(0) { $0 + ($1[c] - means[c]) * ($1[c] - means[c]) } / n
    }
    (mean, variance) = (means, variances)
    // A constant column's variance is rounding, far below the square of its values' last bits.
    scale = zip(means, variances).map { m, v in v <= 1e-28 * m * m || v == 0 ? 1 : v.squareRoot() }
  }

  /// The scaled row.
  public func apply(_ row: [Double]) -> [Double] { row.indices.map { (row[$0] - mean[$0]) / scale[$0] } }
}
