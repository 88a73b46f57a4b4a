import Evaluation
import Foundation

// The small formats that the page is made of.

func escaped(_ text: String) -> String {
  text.replacing("&", with: "&amp;").replacing("<", with: "&lt;").replacing(">", with: "&gt;")
    .replacing("\"", with: "&quot;")
}

func bracket(_ interval: Interval) -> String { "[\(number(interval.lower)), \(number(interval.upper))]" }
func range(_ interval: Interval?) -> String { interval.map { " " + bracket($0) } ?? "" }
func area(_ measure: Measure) -> String { measure.value.map { number($0) } ?? undefined(measure) }
func signed(_ value: Double) -> String { (value < 0 ? "−" : "+") + number(abs(value)) }

func undefined(_ measure: Measure) -> String {
  "<span class=\"undefined\" title=\"\(escaped(measure.reason ?? ""))\">undefined</span>"
}

func spread(_ spread: Spread) -> String {
  guard let mean = spread.mean.value else { return undefined(spread.mean) }
  return number(mean) + (spread.deviation.value.map { "<small>± \(number($0))</small>" } ?? "")
}

func badge(_ entry: RunAnalysis.Entry) -> String {
  "<span class=\"badge\" style=\"color:\(Figures.colour(entry))\">\(escaped(entry.modality))</span>"
}

/// `p = 0.012`, `p < 0.001`.
func probability(_ value: Double?, bare: Bool = false) -> String {
  guard let value else { return bare ? "–" : "p undefined" }
  let text = value < 0.001 ? "< 0.001" : (bare ? "" : "= ") + number(value)
  return bare ? (value < 0.001 ? "&lt; 0.001" : text) : "p \(value < 0.001 ? "&lt; 0.001" : text)"
}

/// Digits in groups of three.
func grouped(_ value: Int) -> String {
  let digits = String(abs(value))
  var text = ""
  for (index, digit) in digits.enumerated() {
    if index > 0, (digits.count - index) % 3 == 0 { text += "\u{202F}" }
    text.append(digit)
  }
  return (value < 0 ? "−" : "") + text
}

/// A cell of a table of areas: darker with more, without colour where the interval contains 0.5.
func heat(_ slice: RunAnalysis.Slice) -> String {
  guard let value = slice.area.value else { return undefined(slice.area) }
  let chance = slice.interval?.contains(0.5) ?? true
  let strength = chance ? 0 : Int((min(1, max(0, (value - 0.5) * 2)) * 100).rounded())
  return "<span class=\"heat\(chance ? " chance" : "")\(slice.seen ? "" : " unseen")\" style=\"--h:\(strength)%\">"
    + "\(number(value))<small>\(slice.interval.map(bracket) ?? "")</small></span>"
}
