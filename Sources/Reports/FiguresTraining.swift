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
}
