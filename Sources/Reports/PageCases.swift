import Evaluation
import Foundation

/// The page's sections on other data sets, seeds, and single samples.
extension Page {
  var cross: String {
    let sets = Set(analysis.cross.map(\.testedOn)).sorted()
    var table = HTMLTable(["model", "fold", "trained on"] + sets)
    var order: [(model: String, fold: Int?)] = []
    for result in analysis.cross where order.last.map({ $0.model != result.model || $0.fold != result.fold }) ?? true {
      order.append((result.model, result.fold))
    }
    for row in order {
      let cells = analysis.cross.filter { $0.model == row.model && $0.fold == row.fold }
      table.append(
        [
          "<b>\(escaped(row.model))</b>", escaped(cells[0].name),
          "<span class=\"wrap\">\(escaped(cells[0].trainedOn))</span>",
        ]
          + sets.map { set in
            guard let slice = cells.first(where: { $0.testedOn == set })?.slice else { return "–" }
            guard let value = slice.area.value else { return undefined(slice.area) }
            let chance = slice.interval?.contains(0.5) ?? true
            let strength = Int((min(1, max(0, (value - 0.5) * 2)) * 100).rounded())
            return
              "<span class=\"heat\(chance ? " chance" : "")\" style=\"--h:\(chance ? 0 : strength)%\">\(number(value))"
              + "<small>\(slice.interval.map(bracket) ?? "")</small></span>"
          }, group: row.model)
    }
    return "<p>Folds by the protocol <b>\(escaped(report.foldProtocol))</b>. Columns are the data sets tested on.</p>"
      + table.html
      + "<p class=\"note\">AUC by each model's own label with 95 % intervals over groups; without colour where the interval "
      + "contains 0.5. All of it: <code>Results/cross_evaluation.csv</code>.</p>"
  }

  var seeds: String {
    let metrics = ["accuracy", "balanced_accuracy", "f1", "average_precision", "eer_interp", "ece"]
    let titles = metrics.map { name in Metric.all.first { $0.name == name }!.title }
    var table = HTMLTable(["model", "seeds", "AUC within folds"] + titles)
    for result in analysis.seeds {
      table.append(
        ["<b>\(escaped(result.model))</b>", "\(result.seeds.count)", spread(result.area)]
          + metrics.map { spread(result.spread($0)) })
    }
    let seeds = analysis.seeds.first?.seeds.map { "\($0.seed)" }.joined(separator: ", ") ?? ""
    return table.html
      + "<p class=\"note\">Mean ± standard deviation over the seeds \(seeds): each is a cross-validation with a division, "
      + "weights and orders of its own. All other sections are of the first seed. Each seed: <code>Results/seeds.csv</code>.</p>"
  }

  var cases: String {
    guard !analysis.failures.isEmpty else { return "<p>No model made an error, and no two disagree.</p>" }
    let previews = Dictionary(
      report.previews.map { (SampleID(dataset: $0.dataset, sample: $0.sample), $0) },
      uniquingKeysWith: { first, _ in first })
    let samples = Dictionary(report.samples.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    func picture(_ path: String?, _ title: String) -> String {
      guard let path, let data = pictures[path], let size = Self.size(data) else { return "" }
      return "<svg class=\"preview\" viewBox=\"0 0 \(size.width) \(size.height)\" width=\"\(size.width)\" role=\"img\" "
        + "aria-label=\"\(escaped(title))\"><image href=\"\(data)\" width=\"\(size.width)\" height=\"\(size.height)\"/></svg>"
    }
    func card(_ found: FailureCase) -> String {
      let preview = previews[found.sample]
      let sample = samples[found.sample]
      let what = [
        found.label == .fake ? "fake" : "real", sample.map { $0.type.isEmpty ? "" : $0.type } ?? found.type,
        sample.map { $0.group.isEmpty ? "" : "group \($0.group)" } ?? "", preview?.about ?? "",
      ].filter { !$0.isEmpty }.joined(separator: " · ")
      let scores = found.scores.sorted { $0.key < $1.key }.map { "\(escaped($0.key)) \(number($0.value))" }
      return "<div class=\"case\">"
        + picture(preview?.picture, "picture of \(found.sample)")
        + picture(preview?.spectrogram, "spectrogram of \(found.sample)")
        + "<b>\(escaped(found.sample.description))</b><span>\(escaped(what))</span>"
        + "<small>\(scores.joined(separator: ", "))</small></div>"
    }
    var text = ""
    for entry in analysis.entries where entry.role == .model {
      for (kind, title) in [(FailureCase.Kind.missed, "fakes that pass"), (.accused, "real samples called fake")] {
        let own = analysis.failures.filter { $0.kind == kind && $0.model == entry.name }
        guard !own.isEmpty else { continue }
        text += "<h3>\(escaped(entry.name)): \(title)</h3><div class=\"cases\">\(own.map(card).joined())</div>"
      }
    }
    let apart = analysis.failures.filter { $0.kind == .disagreement }
    if !apart.isEmpty {
      text += "<h3>Where models disagree</h3><div class=\"cases\">\(apart.map(card).joined())</div>"
    }
    return text
      + "<p class=\"note\">Test samples furthest on the wrong side of their fold's threshold, by the model's own label; and those "
      + "where models judged by the same label are furthest apart. Numbers are scores. "
      + "<code>Results/failure_cases.csv</code> lists them.</p>"
  }

  /// Width and height of a PNG in a data address: bytes 16 to 23.
  static func size(_ data: String) -> (width: Int, height: Int)? {
    guard let comma = data.firstIndex(of: ","),
      let head = Data(base64Encoded: String(data[data.index(after: comma)...].prefix(32))), head.count == 24
    else { return nil }
    let number = { (at: Int) in head[at..<at + 4].reduce(0) { $0 << 8 | Int($1) } }
    return (number(16), number(20))
  }
}
