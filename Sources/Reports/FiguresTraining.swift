import Evaluation
import Foundation

/// How training went.
extension Figures {
  /// Losses and validation AUC by epoch, one line a fold.
  var curves: Figure? {
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
      let known = model.training.flatMap(\.epochs).flatMap { [$0.trainLoss, $0.validationLoss] as [Double?] }
      losses.append(
        """
        set title \(Gnuplot.quoted(fitting(model.name)))
        set yrange [*:*]
        set ytics \(isPhone ? "\(Self.coarseTics(known))" : "autofreq")
        set xlabel ''
        set ylabel '\(losses.isEmpty && !isPhone ? "loss" : "")'
        set key top right samplen \(isPhone ? 1 : 1.5)
        plot \(loss.joined(separator: ", \\\n  "))
        """)
      areas.append(
        """
        set title '\(isPhone ? "AUC" : "")'
        set yrange [*<0.5:1]
        set ytics \(isPhone ? "0.25" : "autofreq")
        set xlabel 'epoch'
        set ylabel '\(areas.isEmpty && !isPhone ? "validation AUC" : "")'
        set key bottom right samplen 1
        plot \(area.joined(separator: ", \\\n  "))
        """)
    }
    // Losses above areas; on a phone, a model's loss and its area beside each other.
    let grid =
      isPhone
      ? PanelGrid(2 * models.count, columns: 2, panel: (158, 186), around: (34, 30))
      : PanelGrid(2 * models.count, columns: models.count, panel: (270, 200), around: (40, 60))
    let panels = isPhone ? zip(losses, areas).flatMap { [$0, $1] } : losses + areas
    let last = models.flatMap(\.training).compactMap { $0.epochs.last?.epoch }.max() ?? 1
    let script = """
      \(Self.frame)
      \(grid.multiplot(margins: (isPhone ? 36 : 62, 14, 57, 46), spacing: (isPhone ? 42 : 48, isPhone ? 90 : 60)))
      set grid ytics ls 99
      set xrange [0:\(last + 1)]
      set xtics autofreq
      \(panels.joined(separator: "\n"))
      unset multiplot
      """
    return Figure(
      name: "training_curves",
      caption: "Loss and validation AUC by epoch, one line a fold; dots mark the epoch that validation chose to keep.",
      width: grid.width, height: grid.height, script: script, blocks: blocks)
  }

  /// A step between tics that leaves four or five on a small panel.
  private static func coarseTics(_ values: [Double?]) -> Double {
    let known = values.compactMap { $0 }.filter(\.isFinite)
    let range = max(1e-6, (known.max() ?? 1) - (known.min() ?? 0))
    let power = pow(10, log10(range / 4).rounded(.down))
    return [1, 2, 5, 10].map { $0 * power }.first { range / $0 <= 4.5 } ?? range
  }
}
