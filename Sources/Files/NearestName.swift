/// The candidate with the fewest edits from `name`, if it is near enough to be what was meant.
public func nearest(_ name: String, among candidates: [String]) -> String? { allNearest(name, among: candidates).first }

/// "did you mean …?" with the nearest names, or the list of what is valid.
public func suggestion(_ name: String, among candidates: [String]) -> String {
  let near = allNearest(name, among: candidates).prefix(3).map { "\"\($0)\"" }
  guard !near.isEmpty else { return "valid are \(candidates.sorted().joined(separator: ", "))" }
  return "did you mean \(near.joined(separator: " or "))?"
}

/// All candidates that share the fewest edits, or, where even these are too many to be what was meant, those that have the
/// name in them; sorted.
private func allNearest(_ name: String, among candidates: [String]) -> [String] {
  let ranked = candidates.map { (name: $0, edits: editDistance(name.lowercased(), $0.lowercased())) }
  guard let fewest = ranked.map(\.edits).min(), fewest <= max(2, name.count / 2) else {
    return name.count < 3 ? [] : candidates.filter { $0.lowercased().contains(name.lowercased()) }.sorted()
  }
  return ranked.filter { $0.edits == fewest }.map(\.name).sorted()
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
