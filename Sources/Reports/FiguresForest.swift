import Evaluation
import Foundation

/// Points with intervals, one row a model.
extension Figures {
  /// Fusions and the single models that they are made of, judged by the sample's own label.
  var fusions: Figure? {
    guard !report.fusions.isEmpty else { return nil }
    let entries = analysis.entries.filter { $0.role != .baseline }
    let both = analysis.visibleKinds.count < analysis.kinds.count && !analysis.visibleKinds.isEmpty
    return forest(
      "fusion_comparison",
      both
        ? "AUC on fakes of \(analysis.visibleKinds.joined(separator: ", ")); hollow: all fakes"
        : "AUC on all fakes",
      entries.map { entry in
        ForestRow(
          entry: entry, main: analysis.headline(entry), other: both ? entry.allFakes : nil)
      },
      caption: "Fusions and single models judged alike, by the sample's own label, with 95 % intervals"
        + " (bootstrap over groups)\(both ? "; filled: the kinds that some model can see, hollow: all fakes" : "").")
  }

  /// Every entry but constant answers, judged by its own label.
  var final: Figure? {
    forest(
      "final_comparison_chart", "AUC within test folds",
      analysis.entries.filter { !$0.isConstant }.map { entry in
        ForestRow(
          entry: entry,
          main: RunAnalysis.Slice(
            name: "", fakes: 0, reals: 0, area: entry.area, delong: entry.interval, bootstrap: nil),
          other: nil)
      },
      caption:
        "AUC over all pairs of a real and a fake item of one test fold with 95 % intervals (bootstrap over groups). Single-modality models "
        + "are judged by their own modality's label, fusions by the sample's; 0.5 is chance.")
  }

  private struct ForestRow {
    let entry: RunAnalysis.Entry
    let main: RunAnalysis.Slice
    let other: RunAnalysis.Slice?
  }

  /// A point and an interval a row, the best on top.
  private func forest(_ name: String, _ label: String, _ rows: [ForestRow], caption: String) -> Figure? {
    let rows = rows.filter { $0.main.area.value != nil }.sorted { $0.main.area.value! > $1.main.area.value! }
    guard !rows.isEmpty else { return nil }
    var blocks: [[String]] = []
    var plots: [String] = []
    var lowest = 0.45
    for (position, row) in rows.enumerated() {
      let colour = Self.colour(row.entry)
      func add(_ slice: RunAnalysis.Slice, _ y: Double, _ point: Int) {
        guard let area = slice.area.value else { return }
        let interval = slice.interval
        let (low, high) = (interval?.lower ?? area, interval?.upper ?? area)
        lowest = min(lowest, low - 0.02)
        blocks.append(["\(number(area, 6)) \(number(y, 3)) \(number(low, 6)) \(number(high, 6))"])
        plots.append(
          "DATA index \(blocks.count - 1) using 1:2:3:4 with xerrorbars pt \(point) ps 0.9 lw 1.8 lc rgb '\(colour)' notitle"
        )
      }
      add(row.main, Double(position), 7)
      if let other = row.other { add(other, Double(position) + 0.28, 6) }
    }
    let values = rows.enumerated().map { position, row in
      "set label \(position + 1) '\(number(row.main.area.value!))' at graph 1.015, first \(position) "
        + "left font ',10' textcolor rgb '\(Self.ink)'"
    }
    let names = rows.map { fitting($0.entry.name, 17) }
    let longest = names.map(\.count).max()!
    let script = """
      \(Self.frame)
      set border 1 lw 1 lc rgb '\(Self.ink)'
      set lmargin \(min(max(longest + 3, 10), 34))
      set rmargin 8
      set xrange [\(number(max(0, (lowest * 20).rounded(.down) / 20), 2)):1]
      set yrange [\(number(Double(rows.count) - 0.4, 1)):-0.6]
      set ytics (\(Gnuplot.tics(names))) scale 0
      set xtics \(isPhone ? 0.2 : 0.1)
      set grid xtics ls 99
      set xlabel \(Gnuplot.quoted(isPhone ? "AUC" : label))
      set arrow from 0.5, graph 0 to 0.5, graph 1 nohead lc rgb '#9aa1ab' lw 1.2 dt 2
      \(values.joined(separator: "\n"))
      unset key
      plot \(plots.joined(separator: ", \\\n  "))
      """
    return Figure(
      name: name, caption: caption, width: isPhone ? Self.phoneWidth : 700, height: 84 + 30 * rows.count,
      script: script, blocks: blocks)
  }

  /// Mean ranks over folds; models whose bars do not overlap differ.
  var ranks: Figure? {
    guard let ranking = analysis.ranking else { return nil }
    let rows = ranking.ranks.compactMap { found in analysis.entry(found.model).map { ($0, found.rank) } }
    let half = ranking.criticalDifference / 2
    let blocks = rows.enumerated().map { position, row in
      ["\(number(row.1, 6)) \(position) \(number(row.1 - half, 6)) \(number(row.1 + half, 6))"]
    }
    let plots = rows.enumerated().map { position, row in
      "DATA index \(position) using 1:2:3:4 with xerrorbars pt 7 ps 0.9 lw 1.8 lc rgb '\(Self.colour(row.0))' notitle"
    }
    let names = rows.map { fitting($0.0.name, 17) }
    let longest = names.map(\.count).max()!
    let script = """
      \(Self.frame)
      set border 1 lw 1 lc rgb '\(Self.ink)'
      set lmargin \(min(max(longest + 3, 10), 34))
      set rmargin 6
      set xrange [\(number(min(0.5, 1 - half - 0.2), 2)):\(number(Double(rows.count) + max(0.5, half + 0.2), 2))]
      set yrange [\(number(Double(rows.count) - 0.4, 1)):-0.6]
      set ytics (\(Gnuplot.tics(names))) scale 0
      set xtics 1,\(isPhone ? 2 : 1),\(rows.count)
      set grid xtics ls 99
      set xlabel '\(isPhone ? "mean rank" : "mean rank over \(ranking.folds) folds (1 is best) ± half of the critical difference")'
      unset key
      plot \(plots.joined(separator: ", \\\n  "))
      """
    return Figure(
      name: "mean_ranks",
      caption:
        "Mean rank of the folds' AUC by the sample's own label. Two models differ at 0.05 (Nemenyi) where their bars do not "
        + "overlap: the bars are as long as the critical difference, \(number(ranking.criticalDifference, 2)).",
      width: isPhone ? Self.phoneWidth : 640, height: 80 + 28 * rows.count, script: script, blocks: blocks)
  }
}
