import Evaluation
import Files
import Foundation

/// A table with a file name: rows of text under column names.
struct ResultTable: Sendable {
  let file: String
  let columns: [String]
  private(set) var rows: [[String]] = []

  init(_ file: String, _ columns: [String]) { (self.file, self.columns) = (file, columns) }

  mutating func append(_ row: [String]) {
    precondition(row.count == columns.count, "\(file): \(row.count) cells under \(columns.count) columns")
    rows.append(row)
  }

  var csv: String {
    var writer = CSVWriter(header: columns)
    for row in rows { writer.append(row) }
    return writer.text
  }
}

/// A number as CSV files hold it: six decimals; very small ones (p-values) in the exponent form.
func cell(_ value: Double?) -> String {
  guard let value else { return "" }
  if value != 0, abs(value) < 1e-4 { return String(format: "%.6e", value) }
  return String(format: "%.6f", value)
}

func cell(_ measure: Measure) -> String { cell(measure.value) }
func cell(_ number: Int?) -> String { number.map(String.init) ?? "" }

/// A number for people: the six decimals of the CSV files cut down, so that both agree to the last digit.
func number(_ value: Double, _ digits: Int = 3) -> String {
  let shown = digits < 6 && abs(value) < 1e9 ? Double(String(format: "%.6f", value))! : value
  return String(format: "%.\(digits)f", shown)
}
