import ArgumentParser
import Evaluation
import Foundation
import Reports

struct CompareCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "compare",
    abstract: "Whether models differ: paired tests on the samples that both scored.",
    discussion: """
      DeLong's test of the AUCs with Holm's adjustment over all pairs, a bootstrap interval of the difference (over groups \
      with --groups-from), McNemar's test of the decisions; with three folds or more Nadeau and Bengio's corrected t of the \
      folds' AUCs, with six Wilcoxon's signed ranks, and with three models Friedman's test with Nemenyi's critical difference.

      Example: unmask compare Scores/voice.csv Scores/mfcc-logistic.csv --groups-from samples.csv
      """)

  @OptionGroup var scores: ScoreArguments

  @Option(
    help: "A table with columns sample and label: the samples' own labels, where models are judged by different ones.")
  var labels: String?

  func run() throws {
    let comparison = try ScoreComparison(
      scores.models().map { ($0.name, scores.samples($0.rows).samples) }, truth: sampleLabels(labels),
      groups: scores.groups(), rule: scores.rule(),
      bootstrap: scores.bootstrap ?? Bootstrap(resamples: 1))
    if scores.json { return try printJSON(comparison) }
    var models = TextTable(["model", "samples", "AUC within folds", "95 % interval (DeLong)", "AUC pooled"])
    for model in comparison.models {
      models.append([
        model.name, "\(model.items)", model.auc.value.map { digits($0) } ?? "undefined: \(model.auc.reason!)",
        model.delong.map(bracket) ?? "", model.pooledAUC.value.map { digits($0) } ?? "undefined",
      ])
    }
    print(models.text)
    var table = TextTable([
      "pair", "samples", "difference", "DeLong 95 %", "bootstrap 95 %", "p", "p (Holm)", "McNemar p",
      "folds p", "Wilcoxon p",
    ])
    for pair in comparison.pairs {
      table.append([
        "\(pair.first) − \(pair.second)", "\(pair.items)", digits(pair.delong.difference),
        bracket(pair.delong.interval),
        scores.resamples > 0 ? pair.bootstrap.map(bracket) ?? "–" : "–",
        pair.delong.p.value.map(digits) ?? pair.delong.p.reason!,
        pair.adjustedP.map(digits) ?? "–", digits(pair.mcNemarP), pair.folds?.p.value.map(digits) ?? "–",
        pair.wilcoxonP.map(digits) ?? "–",
      ])
    }
    print(table.text, terminator: "")
    if let friedman = comparison.friedman {
      let ranks = comparison.models.map { "\($0.name) \(String(format: "%.2f", friedman.ranks[$0.name]!))" }
      print(
        "\nFriedman over folds: p \(friedman.p.value.map(digits) ?? "undefined"); mean ranks \(ranks.joined(separator: ", ")); "
          + "ranks further apart than \(String(format: "%.2f", friedman.criticalDifference)) differ at 0.05 (Nemenyi)")
    }
  }

  private func bracket(_ interval: Interval) -> String { "[\(digits(interval.lower)), \(digits(interval.upper))]" }
}
