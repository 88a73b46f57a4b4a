import Evaluation
import Files
import Foundation
import Testing

@testable import Reports

@Suite struct `a balance comparison` {
  /// 200 items in 20 groups, one in ten real; `none` calls nearly everything fake at 0.5, `shifted` ranks alike with its
  /// scores moved down, `same` scores like `none`, and `other` is of another kind.
  private func run() -> (report: RunReport, scores: [ScoreRow]) {
    var noise = SplitMix64(state: 3)
    var report = RunReport(name: "unequal", thresholdRule: .youden)
    var scores: [ScoreRow] = []
    func kind(_ name: String) -> String { name == "other" ? "b" : "a" }
    let names = ["none", "shifted", "same", "other"]
    var base: [Double] = []
    for item in 0..<200 {
      let truth: Truth = item % 10 == item / 10 % 2 ? .real : .fake  // ten in each fold
      report.samples.append(
        RunReport.Sample(
          id: "s\(item)", dataset: "d", label: truth, audioLabel: truth, type: truth == .fake ? "vocoder" : "",
          group: "g\(item / 10)"))
      base.append((truth == .fake ? 4 : 1) + 2 * Double.random(in: -1...1, using: &noise))
    }
    for name in names {
      for item in 0..<200 {
        for part in [Part.validation, .test] {
          let fold = part == .test ? item % 2 : 1 - item % 2
          let logit = base[item] - (name == "shifted" ? 2.5 : 0)
          scores.append(
            ScoreRow(
              sample: "s\(item)", dataset: "d", fold: fold, part: part, label: report.samples[item].label,
              type: report.samples[item].type, model: name, score: sigmoid(logit), logit: logit))
        }
      }
      report.models.append(
        RunReport.Model(
          name: name, modality: "audio", architecture: "audio-cnn",
          balance: .init(
            strategy: name == "none" ? "none" : "oversample", kind: kind(name), shown: ["real 20, fake 180", ""])))
    }
    return (report, scores)
  }

  private final class Scratch {
    let url = FileManager.default.temporaryDirectory.appending(path: "unmask-balance-\(UUID().uuidString)")
    deinit { try? FileManager.default.removeItem(at: url) }
  }

  @Test func `shows each strategy at both thresholds, and says where nothing differs`() throws {
    let (report, scores) = run()
    let analysis = try RunAnalysis(report, scores: scores, resamples: 500)
    let found = try #require(analysis.balance.first)
    #expect(analysis.balance.count == 1 && found.rows.map(\.model) == ["none", "shifted", "same"])
    #expect(found.reference == "none" && found.real == 20 && found.fake == 180)
    // Counted apart: decisions at 0.5.
    for (row, name) in zip(found.rows, ["none", "shifted", "same"]) {
      let test = scores.filter { $0.model == name && $0.part == .test }
      let hits = test.count { $0.isFake && $0.score! >= 0.5 }
      let rest = test.count { !$0.isFake && $0.score! < 0.5 }
      #expect(row.atHalf[.recall]?.value == Double(hits) / 180 && row.atHalf[.specificity]?.value == Double(rest) / 20)
      #expect(row.atHalf[.balancedAccuracy]?.value == (Double(hits) / 180 + Double(rest) / 20) / 2)
      #expect(row.atHalf[.f1]?.value == 2 * Double(hits) / Double(hits + 180 + 20 - rest))
    }
    let shifted = found.rows[1]
    let gain = try #require(shifted.atHalf[.balancedAccuracy]?.difference)
    #expect(gain.isReal && gain.value > 0.2 && gain.interval!.contains(gain.value))
    // The same ranking, and thresholds tuned to it: nothing but 0.5 was wrong.
    #expect(shifted.areaDifference?.value == 0 && shifted.areaDifference?.isReal == false)
    let tuned = try #require(shifted.chosen[.balancedAccuracy]?.difference)
    #expect(abs(tuned.value) < 0.06 && !tuned.isReal)
    #expect(found.rows[2].atHalf[.f1]?.difference?.value == 0 && found.rows[0].areaDifference == nil)
    #expect(
      found.verdicts[0]
        == "At the tuned thresholds, in balanced accuracy, no strategy differs from none: every 95 % interval of the "
        + "difference contains 0.")
    #expect(
      found.verdicts[1].hasPrefix("At 0.5, in balanced accuracy, 1 of 2 strategies differ from none: shifted (+0."))
    #expect(found.verdicts[2].contains("In AUC, which no threshold changes, no strategy differs"))
  }

  @Test func `stands in the page and in a table with the same numbers`() throws {
    let (report, scores) = run()
    let scratch = Scratch()
    let outcome = try ReportWriter.write(report, scores: scores, to: scratch.url, gnuplot: nil, resamples: 200)
    let page = String(decoding: try readFile(outcome.page), as: UTF8.self)
    #expect(page.contains("<h2>Unequal classes</h2>") && page.contains("under 3 answers to unequal classes"))
    let table = try CSVReader(contentsOf: scratch.url.appending(path: "Results/balance_comparison.csv"))
    var count = 0
    try table.forEachRow { _, fields in
      let row = Dictionary(uniqueKeysWithValues: zip(table.header, fields))
      count += 1
      guard let value = Double(row["value"]!), row["threshold"] != "none", row["metric"] != "precision" else { return }
      #expect(page.contains(number(value)), "\(row)")
      if let low = Double(row["difference_low"]!), ["f1", "balanced_accuracy"].contains(row["metric"]!) {
        #expect(page.contains("[\(signed(low)), "), "\(row)")
      }
    }
    #expect(count == 3 * 9)
    // Without models that differ in nothing else there is no such section.
    var plain = report
    for index in plain.models.indices { plain.models[index].balance = nil }
    #expect(try RunAnalysis(plain, scores: scores, resamples: 50).balance.isEmpty)
  }
}
