import Foundation

/// A table of the page. A column is set to the right when its cells are numbers. The table names the file whose numbers it
/// shows, and a row the cells that its rows there have, so that both can be compared without a reader.
struct HTMLTable {
  private let header: [String]
  private let csv: String?
  private var rows: [(cells: [String], group: String, key: [String])] = []

  /// Starts with titles, which are text.
  init(_ header: [String], csv: String? = nil) { (self.header, self.csv) = (header, csv) }

  /// Adds a row of HTML cells; a line is drawn where the group changes.
  mutating func append(_ cells: [String], group: String = "", key: [String] = []) {
    precondition(cells.count == header.count, "HTMLTable: \(cells.count) cells under \(header.count) columns")
    rows.append((cells, group, key))
  }

  func orNone(_ sentence: String) -> String { rows.isEmpty ? "<p>\(sentence)</p>" : html }

  var html: String {
    let numeric = header.indices.map { column in
      !rows.isEmpty
        && rows.allSatisfy { row in
          let text = row.cells[column].replacing(/<[^>]*>/, with: "").replacing("&lt; ", with: "")
          return text.first.map { "0123456789+-–−[".contains($0) } ?? true || row.cells[column].contains("undefined")
        }
        && !rows.allSatisfy { $0.cells[column].replacing(/<[^>]*>/, with: "").isEmpty }
    }
    let attribute = { (column: Int) in numeric[column] ? " class=\"n\"" : "" }
    let head =
      header.allSatisfy(\.isEmpty)
      ? ""
      : "<thead><tr>" + header.indices.map { "<th\(attribute($0))>\(escaped(header[$0]))</th>" }.joined()
        + "</tr></thead>"
    var body = ""
    var group = rows.first?.group
    for row in rows {
      let key = row.key.isEmpty ? "" : " data-key=\"\(escaped(row.key.joined(separator: "|")))\""
      body += row.group == group ? "<tr\(key)>" : "<tr class=\"first\"\(key)>"
      group = row.group
      body += row.cells.indices.map { "<td\(attribute($0))>\(row.cells[$0])</td>" }.joined() + "</tr>\n"
    }
    let source = csv.map { " data-csv=\"\(escaped($0))\"" } ?? ""
    return "<div class=\"scroll\"><table\(source)>\(head)<tbody>\(body)</tbody></table></div>\n"
  }
}
