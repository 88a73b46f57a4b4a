import Evaluation
import Foundation

/// What validation chose, and what scores mean.
extension Figures {
  /// F1, recall and specificity on validation by threshold, one panel a model; lines mark the folds' thresholds.
  var thresholds: Figure? {
    let entries = analysis.entries.filter { $0.role != .baseline && !$0.thresholdCurves.isEmpty }
    guard !entries.isEmpty else { return nil }
    let grid = PanelGrid(
      entries.count, columns: isPhone ? 2 : 3, panel: isPhone ? (156, 150) : (270, 220), around: (isPhone ? 36 : 40, 60)
    )
    var blocks: [[String]] = []
    var plots: [String] = []
    for (index, entry) in entries.enumerated() {
      blocks.append(
        entry.thresholdCurves.map {
          "\(number($0.threshold, 2)) \(number($0.f1, 6)) \(number($0.recall, 6)) \(number($0.specificity, 6))"
        })
      let marks = entry.folds.filter { $0.thresholdNote == nil && (0...1).contains($0.threshold) }.map {
        "set arrow from \(number($0.threshold, 6)), graph 0 to \(number($0.threshold, 6)), graph 0.06 nohead lw 1.5 "
          + "lc rgb '\(Self.ink)'"
      }
      plots.append(
        """
        unset arrow
        \(marks.joined(separator: "\n"))
        set title \(Gnuplot.quoted(fitting(entry.name)))
        set xlabel '\(grid.isLowest(index) ? "threshold" : "")'
        plot DATA index \(index) using 1:2 with lines lw 2 lc rgb '\(Self.colour(entry))' notitle, \\
          DATA index \(index) using 1:3 with lines lw 1.2 dt 2 lc rgb '\(Self.ink)' notitle, \\
          DATA index \(index) using 1:4 with lines lw 1.2 dt 3 lc rgb '\(Self.ink)' notitle
        """)
    }
    let script = """
      \(Self.frame)
      \(grid.multiplot(margins: (isPhone ? 36 : 48, 14, 56, 40), spacing: (isPhone ? 40 : 44, isPhone ? 58 : 74)))
      set xrange [0:1]
      set yrange [0:1.02]
      set xtics \(isPhone ? 0.5 : 0.25)
      set ytics \(isPhone ? 0.5 : 0.25)
      set grid ytics ls 99
      unset key
      \(plots.joined(separator: "\n"))
      unset multiplot
      """
    return Figure(
      name: "threshold_curves",
      caption:
        "Decisions on validation parts by threshold, mean over folds: F1 (coloured), the share of fakes found (dashed) and "
        + "of real samples passed (dotted); the marks below are the thresholds that the folds chose for their test parts.",
      width: grid.width, height: grid.height, script: script, blocks: blocks)
  }

  /// Shares of fakes by probability, one panel a model: as scored, and after the experiment's calibration.
  var reliability: Figure? {
    let entries = analysis.entries.filter { $0.role != .baseline && $0.reliability["none"] != nil }
    guard !entries.isEmpty else { return nil }
    let method = report.decision.calibration.rawValue
    let grid = PanelGrid(
      entries.count, columns: isPhone ? 2 : 3, panel: isPhone ? (156, 170) : (250, 262), around: (isPhone ? 38 : 40, 44)
    )
    var blocks: [[String]] = []
    var plots: [String] = []
    func add(_ table: Calibration.Reliability) -> Int {
      let all = Double(table.bins.reduce(0) { $0 + $1.count })
      blocks.append(
        table.bins.map {
          "\(number($0.confidence, 6)) \(number($0.accuracy, 6)) \(number(0.35 + 1.6 * (Double($0.count) / all).squareRoot(), 3))"
        })
      return blocks.count - 1
    }
    for (index, entry) in entries.enumerated() {
      let scored = entry.reliability["none"]!
      let colour = Self.colour(entry)
      let (width, mass) = (add(scored.equalWidth), add(scored.equalMass))
      var parts = [
        "DATA index \(width) using 1:2 with lines lw 1.6 lc rgb '\(colour)' notitle",
        "DATA index \(width) using 1:2:3 with points pt 7 ps variable lc rgb '\(colour)' notitle",
        "DATA index \(mass) using 1:2 with points pt 6 ps 0.6 lw 1.2 lc rgb '\(Self.ink)' notitle",
      ]
      if let after = entry.reliability[method], method != "none" {
        parts.append(
          "DATA index \(add(after.equalWidth)) using 1:2 with lines lw 1.4 dt 2 lc rgb '\(Self.ink)' notitle")
      }
      let error = "ECE \(number(scored.equalWidth.expected))"
      plots.append(
        """
        set title \(Gnuplot.quoted(isPhone ? fitting(entry.name) : "\(entry.name), \(error)"))
        set label 1 \(Gnuplot.quoted(isPhone ? error : "")) at graph 0.98, graph 0.09 right textcolor rgb '\(Self.ink)'
        set xlabel '\(grid.isLowest(index) ? "P(fake)" : "")'
        set ylabel '\(grid.isLeftmost(index) && !isPhone ? "share of fakes" : "")'
        plot \(parts.joined(separator: ", \\\n  "))
        """)
    }
    let script = """
      \(Self.frame)
      \(grid.multiplot(margins: (isPhone ? 36 : 62, 14, 56, 34), spacing: (isPhone ? 40 : 44, isPhone ? 58 : 62)))
      set xrange [0:1]
      set yrange [0:1]
      set xtics \(isPhone ? 0.5 : 0.25)
      set ytics \(isPhone ? 0.5 : 0.25)
      set grid xtics ytics ls 99
      unset key
      set arrow from 0,0 to 1,1 nohead lc rgb '#9aa1ab' dt 2
      \(plots.joined(separator: "\n"))
      unset multiplot
      """
    return Figure(
      name: "reliability_diagrams",
      caption:
        "Share of fakes among test items of about the same score; on the diagonal, scores are frequencies. Filled: 15 bins "
        + "of equal width, larger with more items; hollow: 15 bins of equal counts"
        + (method == "none" ? "." : "; dashed: after \(method) calibration on each fold's validation part."),
      width: grid.width, height: grid.height, script: script, blocks: blocks)
  }
}
