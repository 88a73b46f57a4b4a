/// A table for a terminal: columns as wide as their longest cell, numbers to the right, a rule under the header.
public struct TextTable: Sendable {
  private let header: [String]
  private var rows: [[String]] = []

  /// Starts with the column titles.
  public init(_ header: [String]) { self.header = header }

  /// Adds a row.
  ///
  /// - Traps: if its width is not the header's.
  public mutating func append(_ row: [String]) {
    precondition(row.count == header.count, "TextTable: \(row.count) cells under \(header.count) columns")
    rows.append(row)
  }

  /// The table, each line ended. A column is set to the right when all its cells begin with a digit, a sign or are empty.
  public var text: String {
    let widths = header.indices.map { column in
      ([header] + rows).map { $0[column].count }.max()!
    }
    let rightward = header.indices.map { column in
      !rows.isEmpty && rows.allSatisfy { $0[column].isEmpty || "0123456789+-–".contains($0[column].first!) }
    }
    func line(_ cells: [String]) -> String {
      let padded = cells.indices.map { column in
        let gap = String(repeating: " ", count: widths[column] - cells[column].count)
        return rightward[column] ? gap + cells[column] : cells[column] + gap
      }
      var text = padded.joined(separator: "  ")
      while text.last == " " { text.removeLast() }
      return text + "\n"
    }
    let rule = widths.map { String(repeating: "─", count: $0) }.joined(separator: "  ") + "\n"
    return line(header) + rule + rows.map(line).joined()
  }
}
