import Evaluation
import Files
import Foundation
import Testing

@testable import Reports

/// A folder that is gone after the test. UNMASK_REPORT_OUT keeps the first suite's report for looking at.
private final class Scratch {
  let url = FileManager.default.temporaryDirectory.appending(path: "unmask-report-\(UUID().uuidString)")
  deinit { try? FileManager.default.removeItem(at: url) }
}

@Suite struct `report of a run` {
  @Test func `has every file that the design names, and a page without anything from elsewhere`() throws {
    let run = try SyntheticRun()
    let scratch = Scratch()
    let out = ProcessInfo.processInfo.environment["UNMASK_REPORT_OUT"].map { URL(fileURLWithPath: $0) } ?? scratch.url
    let outcome = try ReportWriter.write(run.report, scores: run.scores, to: out)
    for name in [
      "image_baseline_results", "audio_baseline_results", "video_baseline_results", "fusion_comparison",
      "complete_results", "statistical_analysis", "per_kind_results",
    ] {
      let table = try CSVReader(contentsOf: out.appending(path: "Results/\(name).csv"))
      var rows = 0
      try table.forEachRow { _, _ in rows += 1 }
      #expect(rows > 0, "\(name)")
    }
    for name in [
      "image_models_comparison", "audio_models_comparison", "video_models_comparison", "roc_curves_all_models",
      "confusion_matrices", "training_curves", "threshold_curves", "reliability_diagrams", "mean_ranks",
      "fusion_comparison", "final_comparison_chart",
    ] {
      for ending in ["png", "svg"] {
        #expect(try readFile(out.appending(path: "Figures/\(name).\(ending)")).count > 1000, "\(name).\(ending)")
      }
    }
    #expect(outcome.figuresMissing == nil)
    for name in run.report.models.map(\.name) + run.report.fusions.map(\.name) {
      #expect(outcome.table.contains(name))
    }
    let page = String(decoding: try readFile(outcome.page), as: UTF8.self)
    #expect(!page.contains("src=") && !page.contains("<script") && !page.contains("@import") && !page.contains("url("))
    for section in [
      "comparison", "fusion", "kinds", "tests", "thresholds", "calibration", "cases", "training", "data", "honesty",
      "failures",
      "configuration",
    ] {
      #expect(page.contains("<section id=\"\(section)\">"))
    }
    #expect(page.contains("No model detects <b>lip-sync</b>"))
    #expect(page.contains("the file has no audio stream"))
    let identifiers = page.matches(of: /\sid=["']([^"']*)["']/).map { String($0.1) }
    #expect(identifiers.count == Set(identifiers).count, "two elements share an id")
  }

  @Test func `is the same bytes for the same facts, times apart`() throws {
    var run = try SyntheticRun()
    let first = Scratch()
    let second = Scratch()
    _ = try ReportWriter.write(run.report, scores: run.scores, to: first.url, gnuplot: Gnuplot(), resamples: 100)
    for index in run.report.models.indices {
      run.report.models[index].trainingMinutes! += 1
      run.report.models[index].inferenceMilliseconds! *= 2
    }
    run.report.execution.append(.init("finished", "later"))
    _ = try ReportWriter.write(
      run.report, scores: run.scores.shuffledWithinFiles(), to: second.url, gnuplot: Gnuplot(), resamples: 100)
    let figures = try FileManager.default.contentsOfDirectory(atPath: first.url.appending(path: "Figures").path)
    #expect(figures.count == 22)
    for name in figures {
      let paths = [first.url, second.url].map { $0.appending(path: "Figures/\(name)") }
      #expect(try readFile(paths[0]) == readFile(paths[1]), "\(name)")
    }
    for name in try FileManager.default.contentsOfDirectory(atPath: first.url.appending(path: "Results/latex").path) {
      let paths = [first.url, second.url].map { $0.appending(path: "Results/latex/\(name)") }
      #expect(try readFile(paths[0]) == readFile(paths[1]), "\(name)")
    }
    let tables = try FileManager.default.contentsOfDirectory(atPath: first.url.appending(path: "Results").path)
    for name in tables where name.hasSuffix(".csv") {
      let rows = try [first.url, second.url].map { try Self.timeless($0.appending(path: "Results/\(name)")) }
      #expect(rows[0] == rows[1], "\(name)")
    }
  }

  /// A table without the columns that hold times.
  private static func timeless(_ url: URL) throws -> [[String]] {
    let table = try CSVReader(contentsOf: url)
    let kept = table.header.indices.filter { !table.header[$0].hasPrefix("time_") }
    var rows = [kept.map { table.header[$0] }]
    try table.forEachRow { _, fields in rows.append(kept.map { fields[$0] }) }
    return rows
  }

  @Test func `can be built again from its own files`() throws {
    let run = try SyntheticRun()
    let scratch = Scratch()
    let outcome = try ReportWriter.write(run.report, scores: run.scores, to: scratch.url)
    let page = try readFile(outcome.page)
    for (model, rows) in Dictionary(grouping: run.scores, by: \.model) {
      try ScoreFile.write(rows, to: scratch.url.appending(path: "Scores/\(model).csv"))
    }
    try FileManager.default.removeItem(at: outcome.page)
    #expect(try ReportWriter.rebuild(scratch.url).table == outcome.table)
    #expect(try readFile(outcome.page) == page)
  }

  @Test func `says that gnuplot is missing instead of failing`() throws {
    let run = try SyntheticRun()
    let scratch = Scratch()
    #expect(Gnuplot(path: "/nonexistent") == nil)
    let outcome = try ReportWriter.write(run.report, scores: run.scores, to: scratch.url, gnuplot: nil, resamples: 100)
    #expect(outcome.figuresMissing?.contains("gnuplot is not installed") == true)
    let page = String(decoding: try readFile(outcome.page), as: UTF8.self)
    #expect(page.contains("gnuplot is not installed"))
  }

  @Test func `shows on the page the numbers of the tables`() throws {
    let run = try SyntheticRun()
    let scratch = Scratch()
    let outcome = try ReportWriter.write(run.report, scores: run.scores, to: scratch.url, gnuplot: nil, resamples: 100)
    let page = String(decoding: try readFile(outcome.page), as: UTF8.self)
    let table = try CSVReader(contentsOf: scratch.url.appending(path: "Results/per_kind_results.csv"))
    let (auc, low, high) = (
      try table.column("auc"), try table.column("bootstrap_low"), try table.column("bootstrap_high")
    )
    let (model, reals) = (try table.column("model"), try table.column("reals"))
    try table.forEachRow { _, fields in
      guard let value = Double(fields[auc]), let low = Double(fields[low]), let high = Double(fields[high]), high > low
      else { return }
      #expect(fields[reals] == "48" || fields[model] == "voice")
      #expect(page.contains("\(number(value))<small>[\(number(low)), \(number(high))]</small>"), "\(fields)")
    }
  }

  @Test func `chooses the constant answer on validation labels, for each label that entries are judged by`() throws {
    var run = try SyntheticRun()
    // Fold 0: of the voice's validation part nearly all real samples are gone, so that its constant answer is wrong there.
    var kept = 0
    run.scores.removeAll { row in
      guard row.fold == 0, row.part == .validation, row.model == "voice", row.label == .real else { return false }
      kept += 1
      return kept > 3
    }
    let analysis = try RunAnalysis(run.report, scores: run.scores, resamples: 50)
    let constants = analysis.entries.filter(\.isConstant)
    #expect(
      constants.map(\.name) == ["constant (image)", "constant (audio)", "constant (video)", "constant (sample)"])
    for entry in constants {
      let rows = run.scores.filter { row in
        entry.modality == "sample"
          ? row.model == "mean" : row.model == ["image": "frames", "audio": "voice", "video": "motion"][entry.modality]
      }
      let truth = Dictionary(uniqueKeysWithValues: run.report.samples.map { ($0.name, $0.label) })
      let isFake = { (row: ScoreRow) in entry.modality == "sample" ? truth[row.id] == .fake : row.isFake }
      var right = 0
      for fold in entry.folds {
        let validation = rows.filter { $0.fold == fold.fold && $0.part == .validation }
        let answersFake = 2 * validation.count(where: isFake) >= validation.count
        let own = rows.filter { $0.fold == fold.fold && $0.part == .test }
        let hits = own.count { isFake($0) == answersFake }
        right += hits
        #expect(fold.metrics["accuracy"].value == Double(hits) / Double(own.count), "\(entry.name) \(fold.fold)")
        #expect(fold.metrics["auc"].value == 0.5 && fold.metrics["balanced_accuracy"].value == 0.5)
        #expect(fold.metrics["eer_interp"].value == 0.5)
      }
      #expect(entry.pooled["accuracy"].value == Double(right) / 144 && entry.warnings.isEmpty)
    }
    // One third of the voices are fake, and fold 0 answers fake all the same: the test part had no say.
    #expect(
      constants[1].folds[0].metrics["accuracy"].value! < 0.5 && constants[1].folds[1].metrics["accuracy"].value! > 0.5)
    #expect(analysis.constant(beside: analysis.entry("mean")!)?.name == "constant (sample)")
    #expect(analysis.constant(beside: analysis.entry("voice")!)?.name == "constant (audio)")
  }

  @Test func `leaves a fold of one class undefined and says so`() throws {
    var run = try SyntheticRun()
    // Fold 0 keeps its fakes only.
    run.scores.removeAll { $0.fold == 0 && $0.part == .test && $0.model == "frames" && $0.label == .real }
    let analysis = try RunAnalysis(run.report, scores: run.scores, resamples: 100)
    let frames = try #require(analysis.entry("frames"))
    #expect(frames.folds[0].metrics["auc"].reason == "there are no real items")
    #expect(frames.spread("auc").undefined == 1 && frames.spread("auc").count == 4)
    let complete = try #require(analysis.tables(run.report).first { $0.file == "complete_results.csv" })
    let row = try #require(complete.rows.first { $0[0] == "frames" && $0[4] == "0" })
    #expect(row[complete.columns.firstIndex(of: "auc")!].isEmpty)
    #expect(row.last!.contains("auc: there are no real items"))
    let page = Page(report: run.report, analysis: analysis, drawings: [], figuresMissing: nil).html
    #expect(page.contains("frames: AUC is undefined in 1 fold with one class only"))
  }

  @Test func `finds a planted shortcut and a leak`() throws {
    var run = try SyntheticRun()
    run.report.probes[0].values = run.report.samples.map { $0.label == .fake ? 1.5 : 1 }
    run.report.leaks[0].found = 3
    let analysis = try RunAnalysis(run.report, scores: run.scores, resamples: 100)
    #expect(analysis.probes[0].isShortcut)
    let page = Page(report: run.report, analysis: analysis, drawings: [], figuresMissing: nil).html
    #expect(page.contains("The data has a shortcut: <b>duration</b>"))
    #expect(page.contains("3 groups in two parts of a fold were found"))
  }

  @Test func `chooses its main result by validation, not by test scores`() throws {
    var run = try SyntheticRun()
    let before = try RunAnalysis(run.report, scores: run.scores, resamples: 100).chosen?.name
    for index in run.scores.indices where run.scores[index].part == .test && run.scores[index].model != before {
      let sample = run.report.samples.first { $0.id == run.scores[index].sample }!
      run.scores[index].score = sample.label == .fake ? 0.99 : 0.01
    }
    #expect(try RunAnalysis(run.report, scores: run.scores, resamples: 100).chosen?.name == before)
  }

  @Test func `keeps names out of the page's language`() throws {
    var run = try SyntheticRun(name: "<script>alert(1)</script> & co")
    run.report.failures = [.init(subject: "a<b", stage: "decode", reason: "\"quoted\"")]
    let analysis = try RunAnalysis(run.report, scores: run.scores, resamples: 100)
    let page = Page(report: run.report, analysis: analysis, drawings: [], figuresMissing: nil).html
    #expect(!page.contains("<script>") && page.contains("&lt;script&gt;") && page.contains("a&lt;b"))
  }

  @Test func `refuses scores of a stranger, missing scores, and a sample tested twice`() throws {
    let run = try SyntheticRun()
    var extra = run.scores
    extra[0].model = "stranger"
    #expect { try RunAnalysis(run.report, scores: extra, resamples: 100) } throws: { "\($0)".contains("stranger") }
    let without = run.scores.filter { $0.model != "voice" }
    #expect { try RunAnalysis(run.report, scores: without, resamples: 100) } throws: {
      "\($0)".contains("no scores of \"voice\"")
    }
    var twice = run.scores.first { $0.model == "frames" && $0.part == .test }!
    twice.fold = 99
    #expect { try RunAnalysis(run.report, scores: run.scores + [twice], resamples: 100) } throws: {
      "\($0)".contains("two test scores")
    }
  }

  @Test(arguments: [0, 1, 2, 7])
  func `is complete for next to nothing`(_ count: Int) throws {
    var report = RunReport(name: "small")
    report.models = [.init(name: "m", modality: "audio", architecture: "a")]
    // No sample list, no validation rows; with 0 scored rows every file was refused.
    let rows = (0..<max(count, 1)).map { (index: Int) -> ScoreRow in
      let isFake = index.isMultiple(of: 2)
      let score: Double? = count == 0 ? nil : Double(index) / 8
      return ScoreRow(
        sample: "s\(index)", dataset: "d", fold: 0, part: .test, label: isFake ? .fake : .real, type: isFake ? "x" : "",
        model: "m", score: score, reason: count == 0 ? "the file is empty" : "")
    }
    let scratch = Scratch()
    let outcome = try ReportWriter.write(
      report, scores: rows, to: scratch.url, gnuplot: Gnuplot(), resamples: 100)
    let page = String(decoding: try readFile(outcome.page), as: UTF8.self)
    #expect(page.contains("No model has a validation AUC"))
    #expect(count > 0 || page.contains("the file is empty"))
    #expect(count > 1 || page.contains("undefined"))
  }

  @Test func `draws a curve of many scores with few points`() throws {
    var report = RunReport(name: "large")
    report.models = [.init(name: "m", modality: "image", architecture: "a")]
    var noise = SplitMix64(state: 1)
    let rows = (0..<20_000).map { (index: Int) -> ScoreRow in
      ScoreRow(
        sample: "s\(index)", dataset: "d", fold: 0, part: .test, label: index.isMultiple(of: 2) ? .fake : .real,
        model: "m", score: Double.random(in: 0..<1, using: &noise))
    }
    let analysis = try RunAnalysis(report, scores: rows, resamples: 10)
    let figure = try #require(
      Figures(analysis: analysis, report: report).all.first { $0.name == "roc_curves_all_models" })
    #expect(figure.blocks[0].count == 402)
    #expect(figure.blocks[0].last == "1.000000 1.000000")
  }

  @Test func `compares within folds, so that a fold's own scale changes nothing`() throws {
    var run = try SyntheticRun()
    let before = try RunAnalysis(run.report, scores: run.scores, resamples: 100)
    for index in run.scores.indices where run.scores[index].model == "frames" && run.scores[index].score != nil {
      let shifted = run.scores[index].logit! + 6 * Double(run.scores[index].fold)
      run.scores[index].logit = shifted
      run.scores[index].score = sigmoid(shifted)
    }
    let after = try RunAnalysis(run.report, scores: run.scores, resamples: 100)
    let (old, new) = (try #require(before.entry("frames")), try #require(after.entry("frames")))
    #expect(old.area == new.area && old.bootstrap == new.bootstrap && old.delong == new.delong)
    #expect(old.kinds.map(\.area) == new.kinds.map(\.area))
    #expect(new.pooled["auc"].value! < old.pooled["auc"].value! - 0.1)
    #expect(new.warnings.contains { $0.contains("different scales") })
  }

  @Test func `tells samples of equal names in two data sets apart`() throws {
    var run = try SyntheticRun()
    let copies = run.report.samples.map { sample in
      var sample = sample
      sample.dataset = "other"
      sample.group = "other-\(sample.group)"
      return sample
    }
    run.scores += run.scores.map { row in
      var row = row
      row.dataset = "other"
      return row
    }
    run.report.samples += copies
    run.report.probes = []
    let analysis = try RunAnalysis(run.report, scores: run.scores, resamples: 100)
    #expect(analysis.groups == 24)
    #expect(analysis.entry("frames")?.scores.count == 288)
    #expect(analysis.entry("frames")?.allFakes.fakes == 192)
  }
}

extension [ScoreRow] {
  /// Rows of other models in another order; within a model as they were.
  fileprivate func shuffledWithinFiles() -> [ScoreRow] {
    Dictionary(grouping: self, by: \.model).sorted { $0.key > $1.key }.flatMap(\.value)
  }
}

@Suite struct `terminal tables` {
  @Test func `columns of numbers stand to the right and lines end where their text does`() {
    var table = TextTable(["name", "value", "note"])
    table.append(["a", "1.5", ""])
    table.append(["long name", "12.25", "x"])
    #expect(
      table.text == """
        name       value  note
        ─────────  ─────  ────
        a            1.5
        long name  12.25  x

        """)
  }
}
