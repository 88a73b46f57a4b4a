import Evaluation
import Foundation

/// Every figure of a report, as gnuplot scripts. Colours tell modalities apart, dashes the models within one.
struct Figures {
  let analysis: RunAnalysis
  let report: RunReport

  /// All that there is something to draw of.
  var all: [Figure] {
    let bars = ["image", "audio", "video"].compactMap(modalityBars)
    return bars + [roc, confusions, curves, thresholds, matrix, fusions, final].compactMap(\.self)
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

  private static let frame = """
    set border 3 lw 1 lc rgb '\(ink)'
    set tics nomirror out scale 0.5 textcolor rgb '\(ink)'
    set xlabel textcolor rgb '\(ink)'
    set ylabel textcolor rgb '\(ink)'
    set title textcolor rgb '\(ink)'
    set key textcolor rgb '\(ink)'
    set style line 99 lc rgb '#9aa1ab' lw 0.6 dt 3
    """

  private func dash(_ entry: RunAnalysis.Entry) -> Int {
    let same = analysis.entries.filter { Self.colour($0) == Self.colour(entry) }.map(\.name)
    return (same.firstIndex(of: entry.name) ?? 0) % 5 + 1
  }

  /// Bars of the compared metrics, mean over folds with the standard deviation, one bar a model of the modality.
  private func modalityBars(_ modality: String) -> Figure? {
    let entries = analysis.entries.filter { $0.modality == modality }
    guard !entries.isEmpty else { return nil }
    let metrics = [
      ("auc", "AUC"), ("accuracy", "accuracy"), ("balanced_accuracy", "bal. accuracy"),
      ("precision", "precision"), ("recall", "recall"), ("f1", "F1"), ("eer_interp", "EER"),
    ]
    let width = 0.8 / Double(entries.count)
    let blocks = entries.enumerated().map { position, entry in
      metrics.enumerated().compactMap { index, metric -> String? in
        let spread = entry.spread(metric.0)
        guard let mean = spread.mean.value else { return nil }
        let x = Double(index) + (Double(position) - Double(entries.count - 1) / 2) * width
        let sd = spread.deviation.value ?? 0
        return "\(number(x, 4)) \(number(mean, 6)) \(number(max(0, mean - sd), 6)) \(number(min(1, mean + sd), 6))"
      }
    }
    let tics = metrics.enumerated().map { "\(Gnuplot.quoted($1.1)) \($0)" }.joined(separator: ", ")
    var plots: [String] = []
    for (index, entry) in entries.enumerated() {
      let shade = 1 - 0.25 * Double(dash(entry) - 1)
      plots.append(
        "DATA index \(index) using 1:2:(\(number(width * 0.88, 4))) with boxes fs solid \(number(shade, 2)) noborder "
          + "lc rgb '\(Self.colour(entry))' title \(Gnuplot.quoted(entry.name))")
    }
    for index in entries.indices {
      plots.append("DATA index \(index) using 1:3:(0):($4-$3) with vectors nohead lw 1.4 lc rgb '\(Self.ink)' notitle")
    }
    let script = """
      \(Self.frame)
      set yrange [0:1]
      set xrange [-0.6:\(Double(metrics.count) - 0.4)]
      set xtics (\(tics)) scale 0
      set ytics 0.2
      set grid ytics ls 99
      set ylabel 'test score, mean ± sd over folds'
      set key outside above left horizontal Left reverse samplen 1 width 2
      plot \(plots.joined(separator: ", \\\n  "))
      """
    let title = modality.prefix(1).uppercased() + modality.dropFirst()
    return Figure(
      name: "\(modality)_models_comparison",
      caption: "\(title) models and baselines on their test folds; whiskers are one standard deviation over folds. "
        + "A lower EER is better.",
      width: 860, height: 400, script: script, blocks: blocks)
  }

  /// The folds' curves averaged vertically, on a grid of 401 false-positive rates: a million scores make no larger a figure
  /// than a thousand.
  private static func averaged(_ curves: [ROCCurve]) -> [String] {
    let grid = (0...400).map { Double($0) / 400 }
    var sums = [Double](repeating: 0, count: grid.count)
    for curve in curves {
      let (x, y) = (curve.falsePositiveRate, curve.truePositiveRate)
      var index = 0
      for (position, rate) in grid.enumerated() {
        while index + 1 < x.count, x[index + 1] <= rate { index += 1 }  // the highest point at or before the rate
        let next = index + 1 < x.count ? index + 1 : index
        let share = x[next] > x[index] ? (rate - x[index]) / (x[next] - x[index]) : 0
        sums[position] += y[index] + share * (y[next] - y[index])
      }
    }
    return ["0.000000 0.000000"] + zip(grid, sums).map { "\(number($0, 6)) \(number($1 / Double(curves.count), 6))" }
  }

  /// ROC curves, averaged over folds.
  private var roc: Figure? {
    let entries = analysis.entries.filter { !$0.curves.isEmpty && $0.name != "constant" }
    guard !entries.isEmpty else { return nil }
    let blocks = entries.map { Self.averaged($0.curves) }
    let plots = entries.enumerated().map { index, entry in
      let area = entry.spread("auc").mean.value.map { number($0) } ?? "undefined"
      let width = entry.role == .baseline ? 1.2 : 2
      return "DATA index \(index) using 1:2 with lines lw \(width) dt \(dash(entry)) lc rgb '\(Self.colour(entry))' "
        + "title \(Gnuplot.quoted("\(entry.name)  \(area)"))"
    }
    let script = """
      \(Self.frame)
      set size ratio 1
      set xrange [0:1]
      set yrange [0:1]
      set xtics 0.2
      set ytics 0.2
      set grid xtics ytics ls 99
      set xlabel 'share of real items called fake (FPR)'
      set ylabel 'share of fakes found (TPR)'
      set key outside right center Left reverse samplen 2.5 spacing 1.25
      set arrow from 0,0 to 1,1 nohead lc rgb '#9aa1ab' dt 2
      plot \(plots.joined(separator: ", \\\n  "))
      """
    return Figure(
      name: "roc_curves_all_models",
      caption:
        "ROC curves averaged over the folds' test parts (at equal FPR), with the mean area. Single-modality models are judged by "
        + "their own modality's label, fusions by the sample's.",
      width: 820, height: 520, script: script, blocks: blocks)
  }

  /// Decisions of all folds at their own thresholds.
  private var confusions: Figure? {
    let entries = analysis.entries.filter { $0.role != .baseline }
    guard !entries.isEmpty else { return nil }
    // The fewest empty places; up to five in a row.
    let columns =
      entries.count <= 5
      ? entries.count : [4, 5, 3].min { a, b in (a - entries.count % a) % a < (b - entries.count % b) % b }!
    let rows = (entries.count + columns - 1) / columns
    let (width, height) = (Double(230 * columns + 60), Double(225 * rows + 10))
    var blocks: [[String]] = []
    var plots: [String] = []
    for (index, entry) in entries.enumerated() {
      let support = entry.confusion.support
      blocks.append(
        [0, 1].flatMap { truth in
          [0, 1].map { call in
            let count = entry.confusion.counts[truth][call]
            let share = support[truth] == 0 ? 0 : Double(count) / Double(support[truth])
            let colour = share > 0.55 ? 0xFFFFFF : 0x20262E
            return "\(call) \(truth) \(number(share, 4)) \(count) \(number(share * 100, 0)) \(colour)"
          }
        })
      plots.append(
        """
        set title \(Gnuplot.quoted(entry.name)) textcolor rgb '\(Self.ink)'
        set palette defined (0 '#e9edf2', 1 '\(Self.colour(entry))')
        plot DATA index \(index) using 1:2:(0.49):(0.49):3 with boxxyerror fs solid noborder lc palette notitle, \\
          DATA index \(index) using 1:($2-0.08):(sprintf('%d', $4)):6 with labels font ',14' tc rgb variable notitle, \\
          DATA index \(index) using 1:($2+0.2):(sprintf('%d %%', $5)):6 with labels font ',9' tc rgb variable notitle
        """)
    }
    let script = """
      \(Self.frame)
      set multiplot layout \(rows),\(columns) margins \(number(34 / width, 3)),\(number(1 - 8 / width, 3)),\
        \(number(34 / height, 3)),\(number(1 - 34 / height, 3)) spacing \(number(44 / width, 3)),\(number(74 / height, 3))
      unset border
      unset colorbox
      unset key
      set cbrange [0:1]
      set xrange [-0.5:1.5]
      set yrange [1.5:-0.5]
      set xtics ('called real' 0, 'called fake' 1) scale 0
      set ytics ('real' 0, 'fake' 1) scale 0 rotate by 90 center
      \(plots.joined(separator: "\n"))
      unset multiplot
      """
    return Figure(
      name: "confusion_matrices",
      caption: "Decisions on the test parts of all folds, each at the threshold that its fold's validation part chose; "
        + "percentages are of the row.",
      width: Int(width), height: Int(height), script: script, blocks: blocks)
  }

  /// Losses and validation AUC by epoch, one line a fold.
  private var curves: Figure? {
    let models = report.models.filter { !$0.isBaseline && $0.training.contains { !$0.epochs.isEmpty } }
    guard !models.isEmpty else { return nil }
    var blocks: [[String]] = []
    var (losses, areas): ([String], [String]) = ([], [])
    for model in models {
      let colour = analysis.entry(model.name).map(Self.colour) ?? Self.ink
      var (loss, area): ([String], [String]) = ([], [])
      for (position, fold) in model.training.enumerated() {
        let index = blocks.count
        let text = { (value: Double?) in value.map { number($0, 6) } ?? "NaN" }
        blocks.append(
          fold.epochs.map {
            "\($0.epoch) \(text($0.trainLoss)) \(text($0.validationLoss)) \(text($0.validationAUC)) "
              + ($0.epoch == fold.bestEpoch ? text($0.validationAUC) : "NaN")
          })
        let first = position == 0
        loss.append(
          "DATA index \(index) using 1:2 with lines lw 1 dt 3 lc rgb '\(colour)' \(first ? "title 'training'" : "notitle")"
        )
        loss.append(
          "DATA index \(index) using 1:3 with lines lw 1.4 lc rgb '\(colour)' \(first ? "title 'validation'" : "notitle")"
        )
        area.append("DATA index \(index) using 1:4 with lines lw 1.2 lc rgb '\(colour)' notitle")
        area.append(
          "DATA index \(index) using 1:5 with points pt 7 ps 0.6 lc rgb '\(colour)' \(first ? "title 'kept'" : "notitle")"
        )
      }
      losses.append(
        "set title \(Gnuplot.quoted(model.name))\nset ylabel '\(losses.isEmpty ? "loss" : "")'\n"
          + "plot \(loss.joined(separator: ", \\\n  "))")
      areas.append(
        "set ylabel '\(areas.isEmpty ? "validation AUC" : "")'\nplot \(area.joined(separator: ", \\\n  "))")
    }
    let columns = models.count
    let width = Double(270 * columns + 40)
    let last = models.flatMap(\.training).compactMap { $0.epochs.last?.epoch }.max() ?? 1
    let script = """
      \(Self.frame)
      set multiplot layout 2,\(columns) margins \(number(62 / width, 3)),\(number(1 - 14 / width, 3)),0.125,0.9 \\
        spacing \(number(48 / width, 3)),0.13
      set grid ytics ls 99
      set xrange [0:\(last + 1)]
      set xtics autofreq
      set key top right samplen 1.5
      \(losses.joined(separator: "\n"))
      unset title
      set yrange [*<0.5:1]
      set xlabel 'epoch'
      set key bottom right samplen 1
      \(areas.joined(separator: "\n"))
      unset multiplot
      """
    return Figure(
      name: "training_curves",
      caption: "Loss and validation AUC by epoch, one line a fold; dots mark the epoch that validation chose to keep.",
      width: 270 * columns + 40, height: 460, script: script, blocks: blocks)
  }

  /// F1, recall and specificity on validation by threshold, one panel a model; lines mark the folds' thresholds.
  private var thresholds: Figure? {
    let entries = analysis.entries.filter { $0.role != .baseline && !$0.thresholdCurves.isEmpty }
    guard !entries.isEmpty else { return nil }
    let columns = min(entries.count, 3)
    let rows = (entries.count + columns - 1) / columns
    let (width, height) = (Double(270 * columns + 40), Double(220 * rows + 60))
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
        set title \(Gnuplot.quoted(entry.name))
        plot DATA index \(index) using 1:2 with lines lw 2 lc rgb '\(Self.colour(entry))' notitle, \\
          DATA index \(index) using 1:3 with lines lw 1.2 dt 2 lc rgb '\(Self.ink)' notitle, \\
          DATA index \(index) using 1:4 with lines lw 1.2 dt 3 lc rgb '\(Self.ink)' notitle
        """)
    }
    let script = """
      \(Self.frame)
      set multiplot layout \(rows),\(columns) margins \(number(48 / width, 3)),\(number(1 - 14 / width, 3)),\
        \(number(56 / height, 3)),\(number(1 - 40 / height, 3)) spacing \(number(44 / width, 3)),\(number(74 / height, 3))
      set xrange [0:1]
      set yrange [0:1.02]
      set xtics 0.25
      set ytics 0.25
      set grid ytics ls 99
      unset key
      set xlabel 'threshold'
      \(plots.joined(separator: "\n"))
      unset multiplot
      """
    return Figure(
      name: "threshold_curves",
      caption:
        "Decisions on validation parts by threshold, mean over folds: F1 (coloured), the share of fakes found (dashed) and "
        + "of real samples passed (dotted); the marks below are the thresholds that the folds chose for their test parts.",
      width: Int(width), height: Int(height), script: script, blocks: blocks)
  }

  /// The AUC of the best entry by validation, by what it was trained on and tested on.
  private var matrix: Figure? {
    guard let chosen = analysis.bestSingle ?? analysis.chosen else { return nil }
    let cells = analysis.cross.filter { $0.model == chosen.name && $0.slice.area.value != nil }
    let (rows, columns) = (orderedSet(cells.map(\.name)), orderedSet(cells.map(\.testedOn)))
    guard rows.count * columns.count > 1 else { return nil }
    let block = cells.map { found in
      let value = found.slice.area.value!
      let colour = value > 0.9 ? 0xFFFFFF : 0x20262E
      let text = found.slice.interval.map { "\(number($0.lower, 2))-\(number($0.upper, 2))" } ?? ""
      return "\(columns.firstIndex(of: found.testedOn)!) \(rows.firstIndex(of: found.name)!) \(number(value, 6)) "
        + "\(colour) \"\(text)\""
    }
    let tics = { (names: [String]) in
      names.enumerated().map { "\(Gnuplot.quoted($1)) \($0)" }.joined(separator: ", ")
    }
    let longest = rows.map(\.count).max()!
    let rowsTitle =
      switch report.foldProtocol {
      case "cross-dataset": "trained on"
      case "leave-one-dataset-out", "leave-one-type-out": "left out"
      default: ""
      }
    let script = """
      \(Self.frame)
      unset border
      unset colorbox
      unset key
      set lmargin \(min(max(longest + 3, 10), 34))
      set palette defined (0 '#e9edf2', 1 '\(Self.colour(chosen))')
      set cbrange [0.5:1]
      set xrange [-0.5:\(Double(columns.count) - 0.5)]
      set yrange [\(Double(rows.count) - 0.5):-0.5]
      set xtics (\(tics(columns))) scale 0
      set ytics (\(tics(rows))) scale 0
      set xlabel 'tested on'
      set ylabel '\(rowsTitle)'
      plot DATA index 0 using 1:2:(0.49):(0.49):3 with boxxyerror fs solid noborder lc palette, \
        DATA index 0 using 1:($2-0.1):(sprintf('%.3f', $3)):4 with labels font ',13' tc rgb variable, \
        DATA index 0 using 1:($2+0.2):5:4 with labels font ',9' tc rgb variable
      """
    return Figure(
      name: "cross_evaluation",
      caption:
        "AUC of \(chosen.name) with 95 % intervals by what was left out or trained on (rows) and tested on (columns).",
      width: max(420, 150 * columns.count + 8 * longest + 60), height: 110 + 70 * rows.count, script: script,
      blocks: [block])
  }

  private func orderedSet(_ names: [String]) -> [String] {
    var seen: Set<String> = []
    return names.filter { seen.insert($0).inserted }
  }

  /// Fusions and the single models that they are made of, judged by the sample's own label.
  private var fusions: Figure? {
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

  /// Every entry, judged by its own label.
  private var final: Figure? {
    forest(
      "final_comparison_chart", "AUC within test folds",
      analysis.entries.map { entry in
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
    let names = rows.enumerated().map { "\(Gnuplot.quoted($1.entry.name)) \($0)" }.joined(separator: ", ")
    let values = rows.enumerated().map { position, row in
      "set label \(position + 1) '\(number(row.main.area.value!))' at graph 1.015, first \(position) "
        + "left font ',10' textcolor rgb '\(Self.ink)'"
    }
    let longest = rows.map { $0.entry.name.count }.max()!
    let script = """
      \(Self.frame)
      set border 1 lw 1 lc rgb '\(Self.ink)'
      set lmargin \(min(max(longest + 3, 10), 34))
      set rmargin 8
      set xrange [\(number(max(0, (lowest * 20).rounded(.down) / 20), 2)):1]
      set yrange [\(number(Double(rows.count) - 0.4, 1)):-0.6]
      set ytics (\(names)) scale 0
      set xtics 0.1
      set grid xtics ls 99
      set xlabel \(Gnuplot.quoted(label))
      set arrow from 0.5, graph 0 to 0.5, graph 1 nohead lc rgb '#9aa1ab' lw 1.2 dt 2
      \(values.joined(separator: "\n"))
      unset key
      plot \(plots.joined(separator: ", \\\n  "))
      """
    return Figure(
      name: name, caption: caption, width: 820, height: 90 + 34 * rows.count, script: script, blocks: blocks)
  }
}
