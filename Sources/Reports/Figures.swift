import Evaluation
import Foundation

/// Every figure of a report, as gnuplot scripts. Colours tell modalities apart, dashes the models within one.
struct Figures {
  let analysis: RunAnalysis
  let report: RunReport
  /// Whether they are to be read on a screen of 390 points: as narrow as that, panels below each other.
  var isPhone = false

  /// The width on a phone.
  static let phoneWidth = 350

  /// A name as long as there is room for.
  func fitting(_ name: String, _ letters: Int = 22) -> String {
    isPhone && name.count > letters ? name.prefix(letters - 1) + "…" : name
  }

  /// All that there is something to draw of.
  var all: [Figure] {
    let bars = ["image", "audio", "video"].compactMap(modalityBars)
    return bars + [roc, confusions, curves, thresholds, reliability, cross, ranks, fusions, final].compactMap(\.self)
  }

  // Mid-tones that read on white and on black.
  static func colour(_ entry: RunAnalysis.Entry) -> String {
    if entry.role == .baseline { return "#8b929c" }
    return switch entry.modality {
    case "image": "#3d7ebf"
    case "audio": "#d98324"
    case "video": "#2f9e6e"
    case "fusion": "#8a5cb8"
    default: "#c2557a"
    }
  }

  // Text and axes: replaced by the page's text colour where a figure is part of it.
  static let ink = "#3f4651"

  static let frame = """
    set border 3 lw 1 lc rgb '\(ink)'
    set tics nomirror out scale 0.5 textcolor rgb '\(ink)'
    set xlabel textcolor rgb '\(ink)'
    set ylabel textcolor rgb '\(ink)'
    set title textcolor rgb '\(ink)'
    set key textcolor rgb '\(ink)'
    set style line 99 lc rgb '#9aa1ab' lw 0.6 dt 3
    """

  func dash(_ entry: RunAnalysis.Entry) -> Int {
    let same = analysis.entries.filter { Self.colour($0) == Self.colour(entry) }.map(\.name)
    return (same.firstIndex(of: entry.name) ?? 0) % 5 + 1
  }

  func orderedSet(_ names: [String]) -> [String] {
    var seen: Set<String> = []
    return names.filter { seen.insert($0).inserted }
  }
}
