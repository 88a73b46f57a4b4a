import Evaluation
import Foundation

/// How the models compare on their test folds.
extension Figures {
  /// Bars of the compared metrics, mean over folds with the standard deviation, one bar a model of the modality.
  func modalityBars(_ modality: String) -> Figure? {
    let entries = analysis.entries.filter { $0.modality == modality }
    guard !entries.isEmpty else { return nil }
    let metrics = [
      ("auc", "AUC"), ("accuracy", isPhone ? "acc." : "accuracy"), ("balanced_accuracy", isPhone ? "bal." : "balanced"),
      ("precision", isPhone ? "prec." : "precision"), ("recall", isPhone ? "rec." : "recall"), ("f1", "F1"),
      ("eer_interp", "EER"),
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
    var plots: [String] = []
    for (index, entry) in entries.enumerated() {
      let shade = max(0.2, 1 - 0.17 * Double(dash(entry) - 1))
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
      set xtics (\(Gnuplot.tics(metrics.map(\.1)))) scale 0
      set ytics 0.2
      set grid ytics ls 99
      set ylabel 'mean ± sd over folds'
      set key outside above left horizontal Left reverse samplen 1 width 2\(isPhone ? " maxcols 1" : "")
      plot \(plots.joined(separator: ", \\\n  "))
      """
    let title = modality.prefix(1).uppercased() + modality.dropFirst()
    return Figure(
      name: "\(modality)_models_comparison",
      caption: "\(title) models and baselines on their test folds; whiskers are one standard deviation over folds. "
        + "A lower EER is better.",
      width: isPhone ? Self.phoneWidth : 560, height: isPhone ? 300 + 17 * entries.count : 300, script: script,
      blocks: blocks)
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
  var roc: Figure? {
    let entries = analysis.entries.filter { !$0.curves.isEmpty && !$0.isConstant }
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
      set key outside \(isPhone ? "below center maxcols 1" : "right center") Left reverse samplen 2.5 spacing 1.25
      set arrow from 0,0 to 1,1 nohead lc rgb '#9aa1ab' dt 2
      plot \(plots.joined(separator: ", \\\n  "))
      """
    return Figure(
      name: "roc_curves_all_models",
      caption:
        "ROC curves averaged over the folds' test parts (at equal FPR), with the mean area. Single-modality models are judged by "
        + "their own modality's label, fusions by the sample's.",
      width: isPhone ? Self.phoneWidth : 820, height: isPhone ? 330 + 19 * entries.count : 520, script: script,
      blocks: blocks)
  }

  /// Decisions of all folds at their own thresholds.
  var confusions: Figure? {
    let entries = analysis.entries.filter { $0.role != .baseline }
    guard !entries.isEmpty else { return nil }
    // The fewest empty places; up to five in a row.
    let columns =
      isPhone
      ? 2
      : entries.count <= 5
        ? entries.count : [4, 5, 3].min { a, b in (a - entries.count % a) % a < (b - entries.count % b) % b }!
    let grid = PanelGrid(
      entries.count, columns: columns, panel: isPhone ? (158, 160) : (230, 225),
      around: (isPhone ? 34 : 60, isPhone ? 24 : 10))
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
        set title \(Gnuplot.quoted(fitting(entry.name))) textcolor rgb '\(Self.ink)'
        set xlabel '\(isPhone && grid.isLowest(index) ? "called" : "")'
        set palette defined (0 '#e9edf2', 1 '\(Self.colour(entry))')
        plot DATA index \(index) using 1:2:(0.49):(0.49):3 with boxxyerror fs solid noborder lc palette notitle, \\
          DATA index \(index) using 1:($2-0.08):(sprintf('%d', $4)):6 with labels font ',14' tc rgb variable notitle, \\
          DATA index \(index) using 1:($2+0.2):(sprintf('%d %%', $5)):6 with labels font ',9' tc rgb variable notitle
        """)
    }
    let script = """
      \(Self.frame)
      \(grid.multiplot(margins: (34, 8, isPhone ? 48 : 34, 34), spacing: (isPhone ? 38 : 44, isPhone ? 56 : 74)))
      unset border
      unset colorbox
      unset key
      set cbrange [0:1]
      set xrange [-0.5:1.5]
      set yrange [1.5:-0.5]
      set xtics (\(isPhone ? "'real' 0, 'fake' 1" : "'called real' 0, 'called fake' 1")) scale 0
      set ytics ('real' 0, 'fake' 1) scale 0 rotate by 90 center
      \(plots.joined(separator: "\n"))
      unset multiplot
      """
    return Figure(
      name: "confusion_matrices",
      caption: "Decisions on the test parts of all folds, each at the threshold that its fold's validation part chose; "
        + "percentages are of the row.",
      width: grid.width, height: grid.height, script: script, blocks: blocks)
  }
}
