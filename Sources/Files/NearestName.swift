/// The candidate with the fewest edits from `name`, if it is near enough to be what was meant.
public func nearest(_ name: String, among candidates: [String]) -> String? {
  let ranked = candidates.map { ($0, editDistance(name.lowercased(), $0.lowercased())) }
  guard let best = ranked.min(by: { ($0.1, $0.0) < ($1.1, $1.0) }) else { return nil }
  return best.1 <= max(2, name.count / 2) ? best.0 : nil
}

/// "; did you mean …?" or the list of what is valid.
public func suggestion(_ name: String, among candidates: [String]) -> String {
  if let near = nearest(name, among: candidates) { return "did you mean \"\(near)\"?" }
  return "valid are \(candidates.sorted().joined(separator: ", "))"
}

/// Levenshtein distance with adjacent transpositions.
func editDistance(_ a: String, _ b: String) -> Int {
  let (a, b) = (Array(a), Array(b))
  var rows = [Array(0...b.count)]
  for i in 1..<(a.count + 1) where !a.isEmpty {
    var row = [i]
    for j in 1..<(b.count + 1) where !b.isEmpty {
      var best = min(rows[i - 1][j] + 1, row[j - 1] + 1, rows[i - 1][j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
      if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { best = min(best, rows[i - 2][j - 2] + 1) }
      row.append(best)
    }
    rows.append(row)
  }
  return rows[a.count][b.count]
}
