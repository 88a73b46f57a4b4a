/// A results table as LaTeX, for a paper: booktabs rules, numbers to the right. Times are left out: they differ between equal
/// runs.
extension ResultTable {
  var latex: String {
    let kept = columns.indices.filter { !columns[$0].hasPrefix("time_") && columns[$0] != "note" }
    let alignment = kept.map { column in
      !rows.isEmpty && rows.allSatisfy { $0[column].isEmpty || Double($0[column]) != nil } ? "r" : "l"
    }
    let head = kept.map { Self.escaped(columns[$0].replacing("_", with: " ")) }.joined(separator: " & ")
    let body = rows.map { row in kept.map { Self.cell(row[$0]) }.joined(separator: " & ") + " \\\\\n" }.joined()
    return """
      % \(file), written by Unmask; needs \\usepackage{booktabs}
      \\begin{tabular}{\(alignment.joined())}
      \\toprule
      \(head) \\\\
      \\midrule
      \(body)\\bottomrule
      \\end{tabular}

      """
  }

  // An empty cell is an undefined value; six decimals are cut to three, which is what a page has room for.
  private static func cell(_ text: String) -> String {
    if text.isEmpty { return "--" }
    guard let value = Double(text), text.contains(".") else { return escaped(text) }
    return text.contains("e") ? text : number(value)
  }

  private static func escaped(_ text: String) -> String {
    var result = ""
    for character in text {
      switch character {
      case "&", "%", "$", "#", "_", "{", "}": result += "\\\(character)"
      case "~": result += "\\textasciitilde{}"
      case "^": result += "\\textasciicircum{}"
      case "\\": result += "\\textbackslash{}"
      default: result.append(character)
      }
    }
    return result
  }
}
