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
      for fold in model.training {
        let index = blocks.count
        let text = { (value: Double?) in value.map { number($0, 6) } ?? "NaN" }
        blocks.append(
          fold.epochs.map {
            "\($0.epoch) \(text($0.trainLoss)) \(text($0.validationLoss)) \(text($0.validationAUC)) "
              + ($0.epoch == fold.bestEpoch ? text($0.validationAUC) : "NaN")
          })
        loss.append(
          "DATA index \(index) using 1:2 with lines lw 1 dt 3 lc rgb '\(colour)' notitle"
        )
        loss.append(
          "DATA index \(index) using 1:3 with lines lw 1.4 lc rgb '\(colour)' notitle"
        )
        area.append("DATA index \(index) using 1:4 with lines lw 1.2 lc rgb '\(colour)' notitle")
        area.append(
          "DATA index \(index) using 1:5 with points pt 7 ps 0.6 lc rgb '\(colour)' notitle"
        )
      }
      losses.append(
        "set title \(Gnuplot.quoted(model.name))\nset ylabel '\(losses.isEmpty ? "loss" : "")'\nset ytics \(Self.step(model))\n"
          + "plot \(loss.joined(separator: ", \\\n  "))")
      areas.append(
        "set ylabel '\(areas.isEmpty ? "validation AUC" : "")'\nplot \(area.joined(separator: ", \\\n  "))")
    }
    let columns = models.count
    let width = Double(190 * columns + 64)
    let last = models.flatMap(\.training).compactMap { $0.epochs.last?.epoch }.max() ?? 1
    let script = """
      \(Self.frame)
      set multiplot layout 2,\(columns) margins \(number(62 / width, 3)),\(number(1 - 14 / width, 3)),0.125,0.9 \\
        spacing \(number(48 / width, 3)),0.13
      set grid ytics ls 99
      set xrange [0:\(last + 1)]
      set xtics \(max(1, (last + 4) / 5))
      unset key
      \(losses.joined(separator: "\n"))
      unset title
      set yrange [*<0.5:1]
      set xlabel 'epoch'
      set ytics 0.1
      \(areas.joined(separator: "\n"))
      unset multiplot
      """
    return Figure(
      name: "training_curves",
      caption:
        "Loss (dotted in training, solid in validation) and validation AUC by epoch, one line a fold; dots mark the epoch that "
        + "validation chose to keep.",
      width: Int(width), height: 400, script: script, blocks: blocks)
  }

  /// A round step that gives the losses of a model about four marks.
  private static func step(_ model: RunReport.Model) -> String {
    let losses = model.training.flatMap(\.epochs).flatMap { [$0.trainLoss, $0.validationLoss] }.compactMap(\.self)
      .filter(\.isFinite)
    guard let least = losses.min(), let most = losses.max(), most > least else { return "autofreq" }
    let rough = (most - least) / 3
    let power = pow(10, floor(log10(rough)))
    return "\(([1, 2, 5, 10].first { $0 * power >= rough } ?? 10) * power)"
  }
}
