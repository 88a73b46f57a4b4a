import Evaluation
import Files
import Foundation

/// The report as one self-contained page: no script, no file beside it, light and dark, any width.
struct Page {
  let report: RunReport
  let analysis: RunAnalysis
  let drawings: [Drawing]
  let figuresMissing: String?
  /// The previews' pictures by path.
  var pictures: [String: String] = [:]

  var html: String {
    var sections: [(id: String, title: String, body: String)] = [("comparison", "Comparison", comparison)]
    if !report.fusions.isEmpty { sections.append(("fusion", "Fusion", fusion)) }
    sections.append(("kinds", "Kinds of fake", kinds))
    if !analysis.cross.isEmpty { sections.append(("cross", "Across data", cross)) }
    if !analysis.seeds.isEmpty { sections.append(("seeds", "Over seeds", seeds)) }
    if !analysis.balance.isEmpty { sections.append(("balance", "Unequal classes", balance)) }
    sections += [
      ("tests", "Is the difference real?", tests), ("thresholds", "Thresholds", thresholds),
      ("calibration", "Calibration", calibration), ("cases", "Failure cases", cases),
      ("training", "Training", training),
      ("data", "Data, folds and leaks", data), ("honesty", "Honesty", honesty), ("failures", "Failures", failures),
      ("configuration", "Configuration", configuration), ("methods", "How it was computed", methods),
    ]
    let top = report.unfinished == nil ? "" : "<a href=\"#unfinished\">What is missing</a>"
    let navigation = top + sections.map { "<a href=\"#\($0.id)\">\($0.title)</a>" }.joined()
    let body = sections.map { "<section id=\"\($0.id)\"><h2>\($0.title)</h2>\n\($0.body)</section>\n" }.joined()
    return """
      <!doctype html>
      <html lang="en"><head><meta charset="utf-8">
      <meta name="viewport" content="width=device-width, initial-scale=1">
      <title>\(escaped(report.name)) · Unmask report</title>
      <style>\(PageStyle.css)</style></head><body><main>
      <header><p class="kicker">Unmask report</p><h1>\(escaped(report.name))</h1><p class="facts">\(facts)</p></header>
      <nav>\(navigation)</nav>
      \(unfinished)<section id="summary">\(summary)</section>
      \(body)</main></body></html>

      """
  }

  private var facts: String {
    let folds = Set(analysis.entries.flatMap { $0.folds.map(\.fold) }).count
    let models = analysis.entries.filter { $0.role == .model }.count
    return [
      "\(counted(report.samples.count, "sample")) in \(counted(analysis.groups, "group"))", counted(folds, "fold"),
      counted(models, "model"), counted(report.fusions.count, "fusion"),
      report.seeds.isEmpty ? "" : "seed " + report.seeds.map(String.init).joined(separator: ", "),
    ].filter { !$0.isEmpty }.map { "<span>\(escaped($0))</span>" }.joined()
  }

  // MARK: Summary

  private var summary: String {
    guard let chosen = analysis.chosen else {
      return "<p class=\"lead\">No model has a validation AUC, as its validation parts have one class or no scores: "
        + "there is no main result.</p>"
    }
    let main = analysis.headline(chosen)
    let split = analysis.visibleKinds.count < analysis.kinds.count
    let candidates = analysis.entries.filter { $0.role != .baseline }.count
    var text = "<p class=\"lead\"><b>\(escaped(chosen.name))</b>, "
    text += chosen.role == .fusion ? "a fusion (\(escaped(chosen.rule!.explanation)))" : "a single model"
    text += ", tells real from fake with an AUC of <b>\(area(main.area))</b>\(range(main.interval))"
    if split {
      text +=
        " on the kinds that some model can see (\(escaped(analysis.visibleKinds.joined(separator: ", ")))), and of "
      text += "<b>\(area(chosen.allFakes.area))</b>\(range(chosen.allFakes.interval)) on all fakes"
    }
    text +=
      ".</p><p>It was chosen among \(counted(candidates, "model or fusion", "models and fusions")) by its validation AUC; test scores "
    text +=
      "\(scored) and chose nothing. Brackets are 95 % intervals from \(counted(analysis.groups, "resampled group")).</p>"
    if let single = analysis.bestSingle, single.name != chosen.name {
      let slice = analysis.headline(single)
      text += "<p>The best single model by validation, <b>\(escaped(single.name))</b>, reaches \(area(slice.area))"
      text += "\(range(slice.interval)) on the same samples."
      if let pair = pair(chosen.name, single.name) {
        let sign = pair.first == chosen.name ? 1.0 : -1
        let ends = [pair.delong.interval.lower * sign, pair.delong.interval.upper * sign].sorted()
        text += " On all fakes the difference is \(signed(pair.delong.difference * sign)) "
        text +=
          "[\(signed(ends[0])), \(signed(ends[1]))], \(probability(pair.adjustedP)) after Holm's adjustment (DeLong)."
      }
      text += "</p>"
    }
    return text + tiles(chosen) + remarks
  }

  /// How often test scores were computed, in half a sentence.
  var scored: String {
    let again = report.testScorings.filter { $0.computed > $0.folds || $0.predicted > 0 }
    guard !report.testScorings.isEmpty else { return "were used for nothing else" }
    return again.isEmpty
      ? "were computed once" : "were computed more than once (<a href=\"#honesty\">how often</a>)"
  }

  private func tiles(_ chosen: RunAnalysis.Entry) -> String {
    let leaks = report.leaks.reduce(0) { $0 + $1.found }
    let failed = analysis.entries.filter { $0.role == .model }.reduce(0) { $0 + $1.failed.values.reduce(0, +) }
    func tile(_ value: String, _ title: String, _ note: String, bad: Bool = false) -> String {
      "<div class=\"tile\(bad ? " bad" : "")\"><b>\(value)</b><span>\(title)</span><small>\(note)</small></div>"
    }
    let main = analysis.headline(chosen)
    let constant = analysis.constant(beside: chosen)?.pooled["accuracy"].value
    return "<div class=\"tiles\">"
      + tile(area(main.area), "AUC of \(escaped(chosen.name))", main.interval.map { "95 % " + bracket($0) } ?? "")
      + tile(
        chosen.pooled["accuracy"].value.map { number($0 * 100, 1) + " %" } ?? "–", "accuracy on all samples",
        constant.map { "the constant answer has \(number($0 * 100, 1)) %" } ?? "")
      + tile(
        report.leaks.isEmpty ? "–" : "\(leaks)", "leaks between folds",
        report.leaks.isEmpty ? "not checked" : counted(report.leaks.count, "check"), bad: leaks > 0)
      + tile("\(failed)", "samples without a score", "summed over models", bad: failed > 0) + "</div>"
  }

  /// What a sceptical reader would ask first.
  private var remarks: String {
    var list: [String] = []
    for kind in analysis.kinds {
      let slices = analysis.entries.filter { $0.role != .baseline }.compactMap { entry in
        entry.kinds.first { $0.name == kind }
      }
      if !slices.isEmpty, slices.allSatisfy({ $0.interval?.contains(0.5) ?? true }) {
        list.append("No model detects <b>\(escaped(kind))</b>: every interval contains 0.5.")
      }
    }
    for probe in analysis.probes where probe.isShortcut {
      list.append(
        "The data has a shortcut: <b>\(escaped(probe.name))</b> alone tells real from fake with an AUC of "
          + "\(area(probe.area))\(range(probe.interval)).")
    }
    for leak in report.leaks where leak.found > 0 {
      list.append("\(leak.found) \(escaped(leak.name)) were found: test values are too high.")
    }
    if analysis.groups < 20 {
      list.append(
        "There \(analysis.groups == 1 ? "is" : "are") only \(counted(analysis.groups, "group")): intervals over groups are rough, and differences of a few points say little."
      )
    }
    for entry in analysis.entries {
      let undefined = entry.spread("auc").undefined
      if undefined > 0 {
        list.append("\(escaped(entry.name)): AUC is undefined in \(counted(undefined, "fold")) with one class only.")
      }
      list += entry.warnings.map { "\(escaped(entry.name)): \(escaped($0))." }
    }
    if let figuresMissing { list.append(escaped(figuresMissing) + ".") }
    list += report.notes.map(escaped)
    return list.isEmpty ? "" : "<ul class=\"remarks\">" + list.map { "<li>\($0)</li>" }.joined() + "</ul>"
  }

  /// Of a run that has not come to its end: what failed, what is missing, and what to do. Before everything else.
  private var unfinished: String {
    guard let found = report.unfinished else { return "" }
    let isOver = !found.givenUp.isEmpty
    var text = "<p class=\"lead\"><b class=\"warn\">\(isOver ? "This run failed." : "This run is not over.")</b> "
    text +=
      "\(found.done) of \(counted(found.jobs, "job")) \(found.done == 1 ? "is" : "are") done; below is what they gave. "
    text += "Means, intervals and choices are of fewer folds or models than the experiment asks for.</p>"
    if isOver {
      var table = HTMLTable(["job that was given up", "why"])
      for job in found.givenUp {
        table.append([
          "<b>\(escaped(job.subject))</b>", "<span class=\"wrap\">\(escaped(job.reason))</span>",
        ])
      }
      text += table.html
    }
    if !found.missing.isEmpty {
      text += "<p>Without scores: \(escaped(found.missing.joined(separator: "; "))).</p>"
    }
    text += "<p>"
    text += isOver ? "Remove the cause (the jobs' own words are in <code>Logs/</code>), then g" : "G"
    text +=
      "ive the command that began the run again: what is done stays done, the rest is tried anew, and this page is "
    return "<section id=\"unfinished\"><h2>What is missing</h2>\n" + text + "written again.</p></section>\n"
  }

  // MARK: Results

  private var comparison: String {
    let metrics = RunAnalysis.compared.filter { $0 != "eer" }
    var table = HTMLTable(
      ["model", "modality"] + [
        "accuracy", "precision", "recall", "F1", "AUC", "EER", "AUC within folds", "training min",
        "parameters", "ms / sample",
      ], csv: "comparison_table.csv")
    for role in [RunAnalysis.Role.model, .fusion, .baseline] {
      for entry in analysis.entries where entry.role == role {
        let interval = entry.interval.map(bracket) ?? ""
        let detail = entry.architecture == entry.name ? "" : "<small>\(escaped(entry.architecture))</small>"
        var cells = ["<b>\(escaped(entry.name))</b>\(detail)", badge(entry)]
        cells += metrics.map { spread(entry.spread($0)) }
        cells.append(entry.area.value.map { "\(number($0))<small>\(interval)</small>" } ?? undefined(entry.area))
        cells.append(entry.facts?.trainingMinutes.map { number($0, 1) } ?? "–")
        cells.append(entry.facts?.parameters.map(grouped) ?? "–")
        cells.append(entry.facts?.inferenceMilliseconds.map { number($0, 1) } ?? "–")
        table.append(cells, group: role.rawValue, key: [entry.name])
      }
    }
    return drawn("final_comparison_chart") + table.html
      + "<p class=\"note\">Mean ± standard deviation over the folds' test parts; beside it the AUC over all pairs of a real and a "
      + "fake item of one fold with its 95 % interval (another fold's model has a scale of its own). Single-modality models "
      + "and baselines are judged by their own modality's label, fusions by the sample's. Decisions use each fold's own "
      + "threshold. EER is interpolated on the ROC curve (<code>eer_interp</code>); the ASVspoof value is <code>eer</code> in "
      + "<code>Results/comparison_table.csv</code>. Baselines: a <i>constant</i> gives a fold's test part the answer that is "
      + "more frequent in its validation part, with the share of fakes there as the score; there is one for each label that "
      + "models (image, audio, video) and fusions (sample) are judged by. The others are what a few numbers and a linear model "
      + "reach.</p>"
      + drawn("roc_curves_all_models", "confusion_matrices")
      + grid("image_models_comparison", "audio_models_comparison", "video_models_comparison") + frameLevel
  }

  /// Frames, windows and clips beside the samples that they are of.
  private var frameLevel: String {
    guard !analysis.frames.isEmpty else { return "" }
    var table = HTMLTable(
      ["model", "level", "count", "samples", "AUC", "EER"] + FrameRule.allCases.map { "sample AUC, \($0.rawValue)" },
      csv: "frame_level_results.csv")
    for frame in analysis.frames {
      let level = frame.level
      table.append(
        [
          "<b>\(escaped(frame.model))</b>", frame.unit, grouped(level.items), grouped(level.samples),
          level.area.value.map { "\(number($0))<small>\(level.bootstrap.map(bracket) ?? "")</small>" }
            ?? undefined(level.area), area(level.metrics["eer_interp"]),
        ]
          + FrameRule.allCases.map { rule in level.rules.first { $0.rule == rule }.map { area($0.area) } ?? "–" },
        key: [frame.model])
    }
    return "<h3>Frames, windows and clips</h3>" + table.html
      + "<p class=\"note\">Each frame, window or clip judged for itself (intervals draw groups, as frames of a sample are "
      + "alike), and the samples under each rule that makes one score of their parts. Tables of the field mix both; the "
      + "results above are of samples under the experiment's own rule. Scores: <code>Scores/frames/</code>.</p>"
  }

  private var fusion: String {
    var rules = HTMLTable(["fusion", "rule", "of", "AUC, all fakes"], csv: "per_kind_results.csv")
    for fusion in report.fusions {
      let slice = analysis.entry(fusion.name)?.allFakes
      rules.append(
        [
          "<b>\(escaped(fusion.name))</b>", "<span class=\"wrap\">\(escaped(fusion.rule.explanation))</span>",
          escaped(fusion.models.joined(separator: ", ")),
          slice.map { area($0.area) + "<small>\($0.interval.map(bracket) ?? "")</small>" } ?? "–",
        ], key: [fusion.name])
    }
    return drawn("fusion_comparison") + rules.html
      + "<p class=\"note\">What a fusion learns, it learns from the scores of its fold's validation part, which its models were not "
      + "trained on. All numbers: <code>Results/fusion_comparison.csv</code>.</p>"
  }

  private var kinds: String {
    guard !analysis.kinds.isEmpty else { return "<p>The samples have no fakes.</p>" }
    let together = analysis.visibleKinds.count < analysis.kinds.count && analysis.visibleKinds.count > 1
    var table = HTMLTable(
      ["model", "modality"] + analysis.kinds + (together ? ["kinds some model can see"] : []) + ["all fakes"],
      csv: "per_kind_results.csv")
    for entry in analysis.entries where !entry.isConstant {
      table.append(
        ["<b>\(escaped(entry.name))</b>", badge(entry)]
          + (entry.kinds + (together ? [entry.visibleFakes] : []) + [entry.allFakes]).map(heat),
        group: entry.role.rawValue,
        key: [entry.name])
    }
    let counts = analysis.entries.first?.kinds.map { "\(escaped($0.name)) \($0.fakes)" }.joined(separator: ", ") ?? ""
    let visible =
      together ? "Kinds that some model can see: \(escaped(analysis.visibleKinds.joined(separator: ", ")))." : ""
    return table.html
      + "<p class=\"note\">AUC of all real samples against the fakes of one kind, by the sample's own label, over pairs of "
      + "one test fold; without colour where the 95 % interval contains 0.5, that is, where chance would do. <span class=\"unseen\">Dotted</span>: the "
      + "model cannot see this kind, since its modality is not manipulated there. \(visible) Fakes of each kind: \(counts).</p>"
  }

  // MARK: Figures

  /// Figures by name, one below the other; those that there was nothing to draw for are left out.
  func drawn(_ names: String...) -> String { figures(names).joined() }

  /// The same side by side where there is room.
  func grid(_ names: String...) -> String {
    let found = figures(names)
    return found.isEmpty ? "" : "<div class=\"figures\">" + found.joined() + "</div>"
  }

  private func figures(_ names: [String]) -> [String] {
    names.compactMap { name in
      drawings.first { $0.figure.name == name }.map { drawing in
        let (figure, phone) = (drawing.figure, drawing.phone)
        return
          "<figure><div class=\"scroll\(phone == nil ? "" : " wide")\">\(PageStyle.inline(drawing.svg, figure))</div>"
          + (phone.map { "<div class=\"scroll phone\">\(PageStyle.inline($0.svg, $0.figure, suffix: "_phone"))</div>" }
            ?? "")
          + "<figcaption>\(escaped(figure.caption)) <code>Figures/\(figure.name).svg</code></figcaption></figure>\n"
      }
    }
  }
}
