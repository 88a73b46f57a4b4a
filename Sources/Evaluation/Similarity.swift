/// Linear centred kernel alignment of two representations of the same items: ‖YᶜᵀXᶜ‖² / (‖XᶜᵀXᶜ‖ ‖YᶜᵀYᶜ‖), Frobenius norms.
///
/// - Shapes: `x [n, a]`, `y [n, b]`
public func linearAlignment(_ x: [[Double]], _ y: [[Double]]) -> Measure {
  precondition(x.count == y.count, "linearAlignment: \(x.count) and \(y.count) items")
  guard x.count > 1 else { return .undefined("there are fewer than two items") }
  let (a, b) = (centred(x), centred(y))
  return .ratio(
    squaredProduct(a, b), (squaredProduct(a, a) * squaredProduct(b, b)).squareRoot(), "a representation is constant")
}

private func centred(_ rows: [[Double]]) -> [[Double]] {
  let means = rows[0].indices.map { c in rows.reduce(0) { $0 + $1[c] } / Double(rows.count) }
  return rows.map { row in row.indices.map { row[$0] - means[$0] } }
}

private func squaredProduct(_ a: [[Double]], _ b: [[Double]]) -> Double {
  var sum = 0.0
  for i in a[0].indices {
    for j in b[0].indices {
      let product = a.indices.reduce(0.0) { $0 + a[$1][i] * b[$1][j] }
      sum += product * product
    }
  }
  return sum
}
