import Evaluation
import Foundation

/// Other data sets and kinds.
extension Figures {
  /// A matrix of areas: cells are (row, column, area).
  private struct Panel {
    var title: String
    var rows, columns: [String]
    var cells: [(row: Int, column: Int, slice: RunAnalysis.Slice)]

    /// With rows for columns.
    var turned: Panel {
      Panel(title: title, rows: columns, columns: rows, cells: cells.map { ($0.column, $0.row, $0.slice) })
    }

    /// Its columns, so many at a time.
    func divided(columns most: Int) -> [Panel] {
      stride(from: 0, to: columns.count, by: most).map { first in
        let range = first..<min(first + most, columns.count)
        return Panel(
          title: title, rows: rows, columns: Array(columns[range]),
          cells: cells.filter { range.contains($0.column) }.map { ($0.row, $0.column - first, $0.slice) })
      }
    }
  }

  /// AUC by what models were trained and tested on. With one model a data set each model has its own panel; otherwise the
  /// models are columns.
  var cross: Figure? {
    let entries = analysis.entries.filter { $0.role != .baseline }.map(\.name)
    let found = analysis.cross.filter { entries.contains($0.model) && $0.slice.area.value != nil }
    let sets = orderedSet(found.map(\.testedOn))
    func rowName(_ result: RunAnalysis.CrossResult) -> String {
      guard result.fold != nil else { return result.testedOn }
      return sets.count > 1 && result.name != result.testedOn ? "\(result.name) on \(result.testedOn)" : result.name
    }
    var panels: [Panel] = []
    if report.foldProtocol == "cross-dataset" {
      for model in orderedSet(found.map(\.model)) {
        let own = found.filter { $0.model == model }
        let rows = orderedSet(own.map(\.name))
        panels.append(
          Panel(
            title: model, rows: rows, columns: sets,
            cells: own.map { (rows.firstIndex(of: $0.name)!, sets.firstIndex(of: $0.testedOn)!, $0.slice) }))
      }
    } else {
      let (rows, columns) = (orderedSet(found.map(rowName)), orderedSet(found.map(\.model)))
      panels = [
        Panel(
          title: "", rows: rows, columns: columns,
          cells: found.map { (rows.firstIndex(of: rowName($0))!, columns.firstIndex(of: $0.model)!, $0.slice) })
      ]
    }
    guard let first = panels.first, first.rows.count * first.columns.count > 1 else { return nil }
    let isTurned = isPhone && panels.count == 1 && first.columns.count > first.rows.count
    if isPhone { panels = panels.flatMap { (isTurned ? $0.turned : $0).divided(columns: 2) } }
    let across = min(panels.count, isPhone ? 1 : 3)
    let down = (panels.count + across - 1) / across
    // A letter is about 7 points wide; a title may reach into the margin of its panel.
    func room(_ names: [String]) -> Int { 7 * names.map(\.count).max()! }
    let margin = Double(max(room(panels.flatMap(\.rows).map { fitting($0, 15) }) + 34, 70))
    let column = max(96, room(panels.flatMap(\.columns).map { fitting($0, 12) }) + 14)
    let most = panels.map(\.columns.count).max()!
    let panelWidth = max(
      Double(max(column * most, 190)), Double(room(panels.map { fitting($0.title, 30) })) - margin + 20)
    let panelHeight = Double(52 * panels[0].rows.count)
    let width = Double(across) * (panelWidth + margin) + 20
    let height = Double(down) * (panelHeight + 84)
    let what =
      ["cross-dataset": "trained on", "leave-one-type-out": "left out", "leave-one-dataset-out": "left out"][
        report.foldProtocol] ?? ""
    var blocks: [[String]] = []
    var plots: [String] = []
    for (index, panel) in panels.enumerated() {
      blocks.append(
        panel.cells.map { row, column, slice in
          let value = slice.area.value!
          let colour = value > 0.8 ? 0xFFFFFF : 0x20262E
          let text = slice.interval.map { "\(number($0.lower, 2))–\(number($0.upper, 2))" } ?? ""
          return "\(column) \(row) \(number(value, 6)) \(colour) \"\(text)\""
        })
      let (column, row) = (Double(index % across), Double(index / across))
      let left = (column * (panelWidth + margin) + margin) / width
      let top = 1 - (row * (panelHeight + 84) + 30) / height
      plots.append(
        """
        set lmargin at screen \(number(left, 4))
        set rmargin at screen \(number(left + panelWidth / width, 4))
        set tmargin at screen \(number(top, 4))
        set bmargin at screen \(number(top - panelHeight / height, 4))
        set label 1 \(Gnuplot.quoted(fitting(panel.title, 30))) at graph 0.5, screen \(number(top + 14 / height, 4)) center \
          textcolor rgb '\(Self.ink)'
        set xrange [-0.5:\(Double(panel.columns.count) - 0.5)]
        set yrange [\(Double(panel.rows.count) - 0.5):-0.5]
        set xtics (\(Gnuplot.tics(panel.columns.map { fitting($0, 12) }))) scale 0
        set ytics (\(Gnuplot.tics(panel.rows.map { fitting($0, 15) }))) scale 0
        set xlabel '\(report.foldProtocol == "cross-dataset" ? "tested on" : isTurned ? what : "")'
        set ylabel '\(index % across == 0 && !isTurned ? what : "")'
        plot DATA index \(index) using 1:2:(0.49):(0.48):3 with boxxyerror fs solid noborder lc palette, \\
          DATA index \(index) using 1:($2-0.12):(sprintf('%.3f', $3)):4 with labels font ',12' tc rgb variable, \\
          DATA index \(index) using 1:($2+0.24):5:4 with labels font ',9' tc rgb variable
        """)
    }
    let script = """
      \(Self.frame)
      set multiplot
      unset border
      unset colorbox
      unset key
      set palette defined (0 '#eceaf1', 1 '#6d45a8')
      set cbrange [0.5:1]
      \(plots.joined(separator: "\n"))
      unset multiplot
      """
    let sentence =
      switch report.foldProtocol {
      case "cross-dataset": "by the data set that models were trained on (rows) and tested on (columns)"
      case "leave-one-type-out": "on the kind of fake that was left out of training (rows), by model (columns)"
      case "leave-one-dataset-out": "on the data set that was left out of training (rows), by model (columns)"
      default: "on each data set (rows), by model (columns)"
      }
    return Figure(
      name: "cross_evaluation", caption: "AUC with 95 % intervals over groups \(sentence).", width: Int(width),
      height: Int(height), script: script, blocks: blocks)
  }
}
