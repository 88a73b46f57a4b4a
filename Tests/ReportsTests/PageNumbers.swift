import Files
import Foundation
import Testing

@testable import Reports

/// Compares a page with the tables beside it: each table of the page that names a file, row by row.
struct PageNumbers {
  /// Numbers that were looked for and found.
  private(set) var checked = 0
  /// Tables of the page that name a file.
  private(set) var tables: [String] = []
  /// What stands on the page and in no row of the file that the page's row names.
  private(set) var strangers: [String] = []

  init(page: String, results: URL) throws {
    for match in page.matches(of: /<table data-csv="([^"]*)">(.*?)<\/table>/.dotMatchesNewlines()) {
      let file = String(match.1)
      tables.append(file)
      let table = try CSVReader(contentsOf: results.appending(path: file))
      var rows: [[String]] = []
      try table.forEachRow { _, fields in rows.append(fields) }
      for row in match.2.matches(of: /<tr([^>]*)>(.*?)<\/tr>/.dotMatchesNewlines()) where row.2.contains("<td") {
        let key =
          row.1.firstMatch(of: /data-key="([^"]*)"/)?.1.split(separator: "|").map { Self.text(String($0)) } ?? []
        let own = rows.filter { fields in key.allSatisfy(fields.contains) }
        if own.isEmpty { strangers.append("\(file): no row has \(key)") }
        let known = own.flatMap { $0 }.compactMap(Double.init)
        for cell in row.2.matches(of: /<td[^>]*>(.*?)<\/td>/.dotMatchesNewlines()) {
          for number in Self.numbers(String(cell.1)) {
            checked += 1
            if !known.contains(where: { Self.same(number, $0) }) { strangers.append("\(file) \(key): \(number)") }
          }
        }
      }
    }
  }

  /// The numbers that a cell is made of; those within names and sentences do not count.
  static func numbers(_ html: String) -> [String] {
    var cell = text(
      html.replacing(
        /<b>[A-Za-z].*?<\/b>|<span class="(?:badge|wrap|verdict)[^>]*>.*?<\/span>|<code>.*?<\/code>/, with: ""))
    cell.replace("−", with: "-")
    cell.replace("< 0.001", with: "")
    cell.replace(" : 1", with: "")
    cell.replace("\u{202F}", with: "")
    // A cell that begins with a letter is a name or a sentence, but for its small second line.
    return cell.split(separator: /[\s,\[\]\/:%±]+|of/).map(String.init).filter { word in
      word.firstMatch(of: /^[+-]?[0-9]+(\.[0-9]+)?$/) != nil
    }
  }

  private static func text(_ html: String) -> String {
    html.replacing(/<[^>]*>/, with: " ").replacing("&lt;", with: "<").replacing("&gt;", with: ">")
      .replacing("&quot;", with: "\"").replacing("&amp;", with: "&").trimmingCharacters(in: .whitespaces)
  }

  /// Whether a number of the file, cut to as many digits, is the page's; differences may be turned around.
  static func same(_ shown: String, _ value: Double) -> Bool {
    let digits = shown.split(separator: ".").dropFirst().first?.count ?? 0
    let wanted = shown.drop { "+-".contains($0) }
    return number(abs(value), digits) == wanted
  }
}
