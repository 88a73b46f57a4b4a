import ArgumentParser
import Evaluation
import Foundation
import Reports

struct FuseCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fuse",
    abstract: "Late fusion of existing scores: one score a sample out of several models'.",
    discussion: """
      Rules: \(FusionRule.allCases.map { "\($0.rawValue) (\($0.explanation))" }.joined(separator: "; ")). Whatever a rule \
      learns, it learns fold by fold from rows of part validation. Missing scores are left out.

      Example: unmask fuse Scores/frames.csv Scores/voice.csv --rule noisy-or --labels samples.csv --output fused.csv
      """)

  @OptionGroup var scores: ScoreArguments

  @Option(help: "The rule, or all to see them side by side.")
  var rule = "all"

  @Option(
    help: "A table with columns sample and label: the samples' own labels, where models are judged by different ones.")
  var labels: String?

  @Option(help: "Write the fused rows to this file (with one rule).")
  var output: String?

  @Option(help: "What the fusion is called in the fused rows; default: the rule.")
  var name: String?

  func validate() throws {
    if rule != "all" {
      do { _ = try FusionRule(name: rule) } catch { throw ValidationError("\(error)") }
    } else if output != nil {
      throw ValidationError("--output needs one --rule.")
    }
  }

  private struct Summary: Encodable {
    let fusion: String
    let rule: String
    let evaluation: ScoreEvaluation
    let fitted: [FittedFusion]
  }

  func run() throws {
    let models = try scores.models().map { (name: $0.name, rows: scores.samples($0.rows).samples) }
    guard models.count > 1 else {
      throw EvaluationError("a fusion needs two models; give two score files, or one with two models in it")
    }
    let truth = try sampleLabels(labels)
    let groups = try scores.groups()
    let rows = models.flatMap(\.rows)
    var summaries: [Summary] = []
    for rule in rule == "all" ? FusionRule.allCases : [try FusionRule(name: rule)] {
      let fusion = LateFusion(name: name ?? rule.rawValue, rule: rule, models: models.map(\.name))
      let result = try fusion.fuse(rows, truth: truth)
      if let output { try ScoreFile.write(result.rows, to: URL(fileURLWithPath: output)) }
      summaries.append(
        Summary(
          fusion: fusion.name, rule: rule.rawValue,
          evaluation: try ScoreEvaluation(
            model: fusion.name, rows: result.rows, rule: scores.rule(), groups: groups, bootstrap: scores.bootstrap),
          fitted: result.fitted.sorted { $0.key < $1.key }.map(\.value)))
    }
    if scores.json { return try printJSON(summaries) }
    var table = TextTable([
      "model", "samples", "AUC within folds", "95 % interval", "AUC pooled", "accuracy", "F1", "EER",
    ])
    // The single models judged as the fusions are: by the sample's own label.
    let singles = try models.map { name, rows in
      try ScoreEvaluation(
        model: name,
        rows: rows.map { row in
          var row = row
          row.label = truth[row.id] ?? row.label
          return row
        }, rule: scores.rule(), groups: groups, bootstrap: scores.bootstrap)
    }
    for result in singles + summaries.map(\.evaluation) {
      let text = { (metric: String) in result.pooled[metric].value.map(digits) ?? "undefined" }
      table.append([
        result.model, "\(result.items)", result.area.value.map(digits) ?? "undefined",
        (result.bootstrap ?? result.delong).map { "[\(digits($0.lower)), \(digits($0.upper))]" } ?? "", text("auc"),
        text("accuracy"), text("f1"), text("eer_interp"),
      ])
    }
    print(table.text, terminator: "")
    if let output { print("written: \(output)") }
  }
}
