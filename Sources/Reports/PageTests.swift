import Evaluation
import Files
import Foundation

/// The page's section on differences.
extension Page {
  var tests: String {
    guard let chosen = analysis.chosen else { return "<p>There is nothing to compare.</p>" }
    var table = HTMLTable(
      [
        "\(escaped(chosen.name)) against", "AUC", "its AUC", "difference", "DeLong 95 %", "groups 95 %", "p (Holm)",
        "only it right / only the other", "McNemar p", "over folds p",
      ], csv: "statistical_analysis.csv")
    for pair in analysis.comparisons.filter({ $0.scope == RunAnalysis.allScope }).map(\.pair) {
      guard pair.first == chosen.name || pair.second == chosen.name else { continue }
      let straight = pair.first == chosen.name
      let sign = straight ? 1.0 : -1
      let ends = { (interval: Interval?) -> String in
        guard let interval else { return "–" }
        let ends = [interval.lower * sign, interval.upper * sign].sorted()
        return "[\(signed(ends[0])), \(signed(ends[1]))]"
      }
      let (mine, other) = (
        straight ? pair.firstArea : pair.secondArea, straight ? pair.secondArea : pair.firstArea
      )
      let counts = [pair.mcNemar.onlyFirst, pair.mcNemar.onlySecond]
      table.append(
        [
          "<b>\(escaped(straight ? pair.second : pair.first))</b>", number(mine), number(other),
          signed(pair.delong.difference * sign), ends(pair.delong.interval), ends(pair.bootstrap),
          probability(pair.adjustedP, bare: true),
          "\(counts[straight ? 0 : 1]) / \(counts[straight ? 1 : 0])", probability(pair.mcNemarP, bare: true),
          probability(pair.folds?.p.value, bare: true),
        ], key: [RunAnalysis.allScope, pair.first, pair.second])
    }
    let all = analysis.comparisons.filter { $0.scope == RunAnalysis.allScope }
    let pairs = all.count
    let differ = all.filter { ($0.pair.adjustedP ?? 1) < 0.05 }
    let verdict =
      all.isEmpty
      ? ""
      : differ.isEmpty
        ? "<p>No two models differ in AUC at 0.05 after Holm's adjustment over \(counted(pairs, "pair")).</p>"
        : "<p>Of \(counted(pairs, "pair")) \(differ.count) differ in AUC at 0.05 after Holm's adjustment.</p>"
    return verdict + table.orNone("There are too few samples for a paired test.") + ranks + decisions(all)
      + "<p class=\"note\">All fakes, by the sample's own label, on samples that both scored. p: DeLong's test of the "
      + "AUCs within folds, adjusted by Holm over all of them. Groups: bootstrap over groups, which respects that clips "
      + "of one person are alike; believe it where the two intervals differ. Over folds: Nadeau and Bengio's corrected t of "
      + "the folds' AUCs. Every pair, also per kind: <code>Results/statistical_analysis.csv</code>.</p>"
  }

  /// Balanced accuracy of each pair at the chosen thresholds and at 0.5, and a plain word where nothing differs.
  private func decisions(_ all: [RunAnalysis.Comparison]) -> String {
    var table = HTMLTable(
      ["pair", "at chosen thresholds", "95 %", "at 0.5", "95 %"], csv: "statistical_analysis.csv")
    func apart(_ found: RunAnalysis.DecisionDifference?) -> Bool {
      found?.interval.map { !$0.contains(0) } ?? false
    }
    func cells(_ found: RunAnalysis.DecisionDifference?) -> [String] {
      guard let found else { return ["–", "–"] }
      let value = apart(found) ? "<b>\(signed(found.difference))</b>" : signed(found.difference)
      return [value, found.interval.map { "[\(signed($0.lower)), \(signed($0.upper))]" } ?? "–"]
    }
    for found in all {
      table.append(
        ["\(escaped(found.pair.first)) less \(escaped(found.pair.second))"] + cells(found.chosen)
          + cells(found.atHalf), key: [RunAnalysis.allScope, found.pair.first, found.pair.second])
    }
    guard !all.isEmpty else { return "" }
    let (chosen, half) = (all.count { apart($0.chosen) }, all.count { apart($0.atHalf) })
    func word(_ count: Int) -> String {
      count == 0 ? "no pair differs" : "\(count) of \(counted(all.count, "pair")) \(count == 1 ? "differs" : "differ")"
    }
    return
      "<h3>Decisions</h3><p>Balanced accuracy: at the chosen thresholds \(word(chosen)), at 0.5 \(word(half)) (the 95 % "
      + "interval over groups leaves out 0; not adjusted for the number of pairs).</p>"
      + "<details><summary>All pairs, \(all.count)</summary>\(table.html)</details>"
  }

  /// Friedman's test and Nemenyi's differences.
  private var ranks: String {
    guard let ranking = analysis.ranking else { return "" }
    let apart = ranking.pairs.filter { ranking.differ($0.first, $0.second) }
    let verdict =
      apart.isEmpty
      ? "no two models' mean ranks differ"
      : "\(apart.count) of \(counted(ranking.pairs.count, "pair")) of mean ranks \(apart.count == 1 ? "differs" : "differ"): "
        + apart.prefix(6).map { "\(escaped($0.first)) and \(escaped($0.second))" }.joined(separator: ", ")
        + (apart.count > 6 ? ", …" : "")
    return
      "<h3>Ranks over folds</h3><p>Friedman's test over \(counted(ranking.folds, "fold")): \(probability(ranking.p.value)) "
      + "(Iman and Davenport \(probability(ranking.imanDavenportP.value))); by Nemenyi's test at 0.05 \(verdict).</p>"
      + drawn("mean_ranks")
      + "<p class=\"note\">A few folds are few: the critical difference is wide. All pairs: "
      + "<code>Results/friedman_nemenyi.csv</code>.</p>"
  }

  func pair(_ a: String, _ b: String) -> PairedComparison? {
    analysis.comparisons.first { comparison in
      comparison.scope == RunAnalysis.allScope && Set([comparison.pair.first, comparison.pair.second]) == [a, b]
    }?.pair
  }
}
