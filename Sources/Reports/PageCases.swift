import Evaluation
import Foundation

/// The page's sections on other data sets, seeds, and single samples.
extension Page {
  var cross: String {
    let cross = analysis.cross
    let sets = Set(cross.map(\.testedOn)).sorted()
    func ordered(_ names: [String]) -> [String] {
      var seen: Set<String> = []
      return names.filter { seen.insert($0).inserted }
    }
    let models = ordered(cross.map(\.model))
    // With one model a data set, a row says what it was trained on; otherwise models share rows, and columns say what was
    // left out or tested on.
    let isMatrix = report.foldProtocol == "cross-dataset"
    func column(_ result: RunAnalysis.CrossResult) -> String {
      guard !isMatrix, result.fold != nil else { return result.testedOn }
      return sets.count > 1 && result.name != result.testedOn ? "\(result.name) on \(result.testedOn)" : result.name
    }
    let columns = ordered(cross.map(column))
    var table = HTMLTable(["model"] + (isMatrix ? ["trained on"] : []) + columns, csv: "cross_evaluation.csv")
    for model in models {
      let own = cross.filter { $0.model == model }
      for name in isMatrix ? ordered(own.map(\.trainedOn)) : [""] {
        let cells = own.filter { !isMatrix || $0.trainedOn == name }
        table.append(
          ["<b>\(escaped(model))</b>"] + (isMatrix ? [escaped(name)] : [])
            + columns.map { title in cells.first { column($0) == title }.map { heat($0.slice) } ?? "–" },
          group: model, key: isMatrix ? [model, name] : [model])
      }
    }
    let what =
      switch report.foldProtocol {
      case "cross-dataset":
        "Each model was trained on one data set and tested on all: on the diagonal on people that it has not seen, beside it on "
          + "another data set."
      case "leave-one-type-out":
        "In each fold one kind of fake was left out of training and validation, and tested: what a new kind of fake would meet."
      case "leave-one-dataset-out":
        "In each fold one data set was left out of training and validation, and tested."
      default: "The models of all folds, by the data set that their test items are of."
      }
    return "<p>\(what)</p>" + drawn("cross_evaluation") + table.html
      + "<p class=\"note\">AUC by each model's own label with 95 % intervals over groups; without colour where the interval "
      + "contains 0.5. All of it: <code>Results/cross_evaluation.csv</code>.</p>"
  }

  var seeds: String {
    let metrics = ["accuracy", "balanced_accuracy", "f1", "ece"]
    let titles = metrics.map { name in Metric.all.first { $0.name == name }!.title }
    var table = HTMLTable(["model", "AUC within folds"] + titles, csv: "seeds.csv")
    for result in analysis.seeds {
      table.append(
        ["<b>\(escaped(result.model))</b>", spread(result.area)]
          + metrics.map { spread(result.spread($0)) }, key: [result.model])
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
