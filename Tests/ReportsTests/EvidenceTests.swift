import Evaluation
import Files
import Foundation
import Testing

@testable import Reports

/// Reports of several seeds, data sets and protocols.
@Suite struct `evidence in a report` {
  private final class Scratch {
    let url = FileManager.default.temporaryDirectory.appending(path: "unmask-evidence-\(UUID().uuidString)")
    deinit { try? FileManager.default.removeItem(at: url) }
  }

  /// The synthetic run over two data sets, done twice: the second time with other scores.
  static func twice() throws -> SyntheticRun {
    var run = try SyntheticRun()
    let other = Set(run.report.samples.filter { Int($0.group.dropFirst(5))! >= 6 }.map(\.id))
    for index in run.report.samples.indices where other.contains(run.report.samples[index].id) {
      run.report.samples[index].dataset = "other"
    }
    for index in run.scores.indices where other.contains(run.scores[index].sample) {
      run.scores[index].dataset = "other"
    }
    var noise = SplitMix64(state: 17)
    for var row in run.scores {
      row.fold += 5
      if let score = row.score {
        row.logit = logit(score) + Double.random(in: -1...1, using: &noise)
        row.score = sigmoid(row.logit!)
      }
      run.scores.append(row)
    }
    run.report.seeds = [7, 8]
    run.report.scopes = (0..<10).map {
      .init(
        fold: $0, name: "\($0 % 5) of repetition \($0 / 5 + 1)", repetition: $0 / 5, trainedOn: ["other", "sample"])
    }
    return run
  }

  /// Frames whose mean is the row's score, for the picture models.
  static func frames(of rows: [ScoreRow]) -> [ScoreRow] {
    var noise = SplitMix64(state: 23)
    return rows.filter { $0.model == "frames" && $0.score != nil }.flatMap { row in
      let reach = min(row.score!, 1 - row.score!) * Double.random(in: 0...1, using: &noise)
      return [-reach, 0, reach].enumerated().map { frame, shift in
        var one = row
        (one.frame, one.score, one.logit) = (frame, row.score! + shift, nil)
        return one
      }
    }
  }

  @Test func `shows no number that is not in the run's tables`() throws {
    var run = try Self.twice()
    run.report.decision.undecided = 0.1
    run.report.decision.calibration = .isotonic
    run.report.testScorings = [.init(model: "frames", folds: 10, computed: 11, predicted: 2)]
    let scratch = Scratch()
    let outcome = try ReportWriter.write(
      run.report, scores: run.scores, frames: Self.frames(of: run.scores), to: scratch.url, gnuplot: nil, resamples: 60)
    let page = String(decoding: try readFile(outcome.page), as: UTF8.self)
    let found = try PageNumbers(page: page, results: scratch.url.appending(path: "Results"))
    #expect(found.strangers.isEmpty, "\(found.strangers.prefix(12).joined(separator: "\n"))")
    #expect(found.checked > 1500)
    for name in [
      "comparison_table", "frame_level_results", "per_kind_results", "cross_evaluation", "seeds",
      "statistical_analysis",
      "thresholds", "complete_results", "undecided", "calibration", "reliability", "dataset_statistics", "fold_counts",
      "leak_report", "shortcut_probes", "selections", "test_scorings", "failures", "unscored_samples",
    ] {
      #expect(found.tables.contains("\(name).csv"), "\(name)")
    }
    #expect(page.contains("computed more than once"))
    // It does look: one digit changed is found.
    let row = try #require(
      try rows(scratch.url.appending(path: "Results/per_kind_results.csv")).first { $0["type"] == "face" })
    let shown = number(Double(row["auc"]!)!)
    let wrong = try PageNumbers(
      page: page.replacing(">\(shown)<", with: ">\(number(Double(shown)! - 0.017))<"),
      results: scratch.url.appending(path: "Results"))
    #expect(!wrong.strangers.isEmpty)
  }

  @Test func `of frames gives their own AUC beside the samples', and the band what it leaves open`() throws {
    var run = try SyntheticRun()
    run.report.decision.undecided = 0.1
    let frames = Self.frames(of: run.scores)
    let analysis = try RunAnalysis(run.report, scores: run.scores, frames: frames, resamples: 50)
    let found = try #require(analysis.frames.first)
    #expect(analysis.frames.count == 1 && found.unit == "frames" && found.level.items == 3 * 144)
    let mean = try #require(found.level.rules.first { $0.rule == .mean })
    #expect(abs(mean.area.value! - analysis.entry("frames")!.area.value!) < 1e-3)
    #expect(found.level.area.value! < mean.area.value!)
    let band = try #require(analysis.entry("frames")?.band)
    #expect(band.outcome.items == 144 && band.coverage.value! <= 1)
    #expect(throws: ReportError.self) {
      try RunAnalysis(
        run.report, scores: run.scores,
        frames: frames.map { row in
          var row = row
          row.model = "stranger"
          return row
        }, resamples: 5)
    }
  }

  private func rows(_ url: URL) throws -> [[String: String]] {
    let table = try CSVReader(contentsOf: url)
    var rows: [[String: String]] = []
    try table.forEachRow { _, fields in rows.append(Dictionary(uniqueKeysWithValues: zip(table.header, fields))) }
    return rows
  }

  @Test func `of several seeds gives mean and deviation over them, and every number of the page stands in a table`()
    throws
  {
    let run = try Self.twice()
    let scratch = Scratch()
    let out = ProcessInfo.processInfo.environment["UNMASK_REPORT_OUT"].map { URL(fileURLWithPath: $0 + "-seeds") }
    let folder = out ?? scratch.url
    let outcome = try ReportWriter.write(
      run.report, scores: run.scores, to: folder, gnuplot: out == nil ? nil : Gnuplot(), resamples: 100)
    let page = String(decoding: try readFile(outcome.page), as: UTF8.self)
    let seeds = try rows(folder.appending(path: "Results/seeds.csv"))
    let models = Set(seeds.map { $0["model"]! })
    #expect(models.count == 11 && seeds.count == 4 * 11)
    for model in models {
      let own = Dictionary(uniqueKeysWithValues: seeds.filter { $0["model"] == model }.map { ($0["seed"]!, $0) })
      let values = ["7", "8"].map { Double(own[$0]!["auc_within_folds"]!)! }
      expect(Double(own["mean"]!["auc_within_folds"]!)!, (values[0] + values[1]) / 2)
      expect(Double(own["sd"]!["auc_within_folds"]!)!, abs(values[0] - values[1]) / 2.0.squareRoot())
      for metric in ["auc_within_folds", "accuracy", "f1", "ece"] {
        guard let mean = Double(own["mean"]![metric]!), let sd = Double(own["sd"]![metric]!) else { continue }
        #expect(page.contains("\(number(mean))<small>± \(number(sd))</small>"), "\(model) \(metric)")
      }
    }
    // The other sections are of the first seed.
    for row in try rows(folder.appending(path: "Results/complete_results.csv")) where row["fold"] == "mean" {
      #expect(row["model"]!.hasPrefix("constant") || page.contains(number(Double(row["auc"]!)!)))
    }
    for (file, columns) in [
      ("cross_evaluation", ["auc", "bootstrap_low", "bootstrap_high"]),
      ("per_kind_results", ["auc", "bootstrap_low", "bootstrap_high"]),
    ] {
      var checked = 0
      for row in try rows(folder.appending(path: "Results/\(file).csv")) {
        let numbers = columns.compactMap { Double(row[$0]!) }
        guard numbers.count == 3, numbers[1] < numbers[2] else { continue }
        checked += 1
        #expect(
          page.contains("\(number(numbers[0]))<small>[\(number(numbers[1])), \(number(numbers[2]))]</small>"), "\(row)")
      }
      #expect(checked > 10, "\(file)")
    }
    for row in try rows(folder.appending(path: "Results/calibration.csv")) where row["calibration"] == "none" {
      #expect(page.contains(number(Double(row["ece"]!)!)))
    }
    for row in try rows(folder.appending(path: "Results/thresholds.csv")) {
      #expect(page.contains(">\(number(Double(row["threshold"]!)!))"))
    }
  }

  private func expect(_ value: Double, _ wanted: Double, sourceLocation: SourceLocation = #_sourceLocation) {
    #expect(abs(value - wanted) < 2e-6, "\(value), expected \(wanted)", sourceLocation: sourceLocation)
  }

  /// A model of each of two data sets tested on both, without fusions.
  static func crossed() throws -> SyntheticRun {
    var run = try SyntheticRun(folds: 2)
    let sets = ["sample", "other"]
    let pairs = Dictionary(uniqueKeysWithValues: run.report.samples.map { ($0.id, Int($0.group.dropFirst(5))! % 2) })
    for index in run.report.samples.indices {
      run.report.samples[index].dataset = sets[pairs[run.report.samples[index].id]!]
    }
    run.scores.removeAll { row in run.report.fusions.contains { $0.name == row.model } }
    run.report.fusions = []
    for index in run.scores.indices { run.scores[index].dataset = sets[pairs[run.scores[index].sample]!] }
    // Each model also tests the other set: fold 0 was tested on the pairs of fold 0.
    run.scores += run.scores.filter { $0.part == .test }.map { row in
      var row = row
      row.fold = 1 - row.fold
      row.score = row.score.map { $0 * 0.5 + 0.25 * (row.isFake ? 0 : 1) }
      row.logit = nil
      return row
    }
    run.report.foldProtocol = "cross-dataset"
    run.report.scopes = (0..<2).map { .init(fold: $0, name: sets[$0], trainedOn: [sets[$0]]) }
    return run
  }

  @Test func `across data sets judges each model on each set, and main results by its own`() throws {
    let run = try Self.crossed()
    let analysis = try RunAnalysis(run.report, scores: run.scores, resamples: 50)
    let frames = analysis.cross.filter { $0.model == "frames" }
    #expect(
      frames.map { [$0.trainedOn, $0.testedOn] } == [
        ["sample", "other"], ["sample", "sample"], ["other", "other"], ["other", "sample"],
      ])
    let own = frames.filter { $0.trainedOn == $0.testedOn }.compactMap(\.slice.area.value)
    let far = frames.filter { $0.trainedOn != $0.testedOn }.compactMap(\.slice.area.value)
    #expect(own.count == 2 && far.count == 2 && far.max()! < own.min()!)
    #expect(analysis.entry("frames")!.scores.count == 144)
    #expect(Set(analysis.entry("frames")!.folds.map(\.metrics["auc"])) == Set(own.map { Measure.defined($0) }))
  }

  @Test func `three models of two data sets and two seeds have a figure in which nothing is cut off`() throws {
    var run = try Self.crossed()
    let long = "vision-transformer-of-faces-v2"
    func renamed(_ name: String) -> String { name == "voice" ? long : name }
    for index in run.report.models.indices { run.report.models[index].name = renamed(run.report.models[index].name) }
    for index in run.scores.indices { run.scores[index].model = renamed(run.scores[index].model) }
    run.scores += run.scores.map { row in
      var row = row
      (row.fold, row.score) = (row.fold + 2, row.score.map { $0 * 0.9 + 0.05 })
      row.logit = nil
      return row
    }
    run.report.seeds = [7, 8]
    run.report.scopes += run.report.scopes.map { scope in
      var scope = scope
      (scope.fold, scope.repetition, scope.name) = (scope.fold + 2, 1, scope.name + " (2)")
      return scope
    }
    let scratch = Scratch()
    let out = ProcessInfo.processInfo.environment["UNMASK_REPORT_OUT"].map { URL(fileURLWithPath: $0 + "-cross") }
    let folder = out ?? scratch.url
    _ = try ReportWriter.write(run.report, scores: run.scores, to: folder, gnuplot: Gnuplot(), resamples: 50)
    let svg = String(decoding: try readFile(folder.appending(path: "Figures/cross_evaluation.svg")), as: UTF8.self)
    let size = try #require(svg.firstMatch(of: /width="([0-9]+)" height="([0-9]+)"/))
    let (width, height) = (Double(size.1)!, Double(size.2)!)
    // gnuplot's texts: a place, an anchor, a size and the words, which are about 0.6 of their size wide each.
    let texts = svg.matches(
      of:
        /translate\(([0-9.]+),([0-9.]+)\)"[^>]*font-size="([0-9.]+)"[^>]*text-anchor="(\w+)"[^>]*>\s*<text>(?:<tspan[^>]*>)?([^<]*)</
    )
    var titles: [String: (left: Double, right: Double, y: Double)] = [:]
    for text in texts where !text.5.allSatisfy(\.isWhitespace) {
      let (x, y, letters) = (Double(text.1)!, Double(text.2)!, Double(text.3)! * 0.6 * Double(text.5.count))
      let left = text.4 == "middle" ? x - letters / 2 : text.4 == "end" ? x - letters : x
      #expect(left >= 0 && left + letters <= width && y >= Double(text.3)! && y <= height, "\(text.5) is cut off")
      if ["frames", long, "motion"].contains(String(text.5)) { titles[String(text.5)] = (left, left + letters, y) }
    }
    #expect(texts.count > 3 * 8 && titles.count == 3)
    // Titles beside each other do not meet.
    let inRow = titles.values.sorted { $0.left < $1.left }
    for (a, b) in zip(inRow, inRow.dropFirst()) where a.y == b.y { #expect(a.right < b.left) }
  }

  @Test func `the worst errors and the widest disagreements are shown with their pictures`() throws {
    var run = try SyntheticRun()
    let fake = run.report.samples.first { $0.type == "face" }!
    for index in run.scores.indices where run.scores[index].sample == fake.id && run.scores[index].part == .test {
      if run.scores[index].model == "frames" { run.scores[index].score = 0.0001 }
      if run.scores[index].model == "motion" { run.scores[index].score = 0.9999 }
    }
    let found = FailureCase.find(run.report, run.scores)
    let missed = found.filter { $0.kind == .missed && $0.model == "frames" }
    #expect(missed.first?.sample == fake.name && missed.count <= 3)
    #expect(found.contains { $0.kind == .disagreement && $0.sample == fake.name })
    let scratch = Scratch()
    let picture = "Figures/cases/0-picture.png"
    // A PNG's first 24 bytes are enough to be shown.
    let png: [UInt8] = [137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0, 0, 0, 90, 0, 0, 0, 60]
    try writeAtomically(png, to: scratch.url.appending(path: picture))
    run.report.previews = [.init(dataset: fake.dataset, sample: fake.id, about: "2 s, 90×60, mp4", picture: picture)]
    let outcome = try ReportWriter.write(run.report, scores: run.scores, to: scratch.url, gnuplot: nil, resamples: 20)
    let page = String(decoding: try readFile(outcome.page), as: UTF8.self)
    #expect(page.contains("viewBox=\"0 0 90 60\"") && page.contains("data:image/png;base64,iVBOR"))
    #expect(page.contains("2 s, 90×60, mp4") && page.contains("frames: fakes that pass"))
    let table = try rows(scratch.url.appending(path: "Results/failure_cases.csv"))
    #expect(table.count == found.count && table[0]["score_frames"] == "0.000100")
  }

  @Test func `every table stands beside in LaTeX`() throws {
    let run = try SyntheticRun()
    let scratch = Scratch()
    _ = try ReportWriter.write(run.report, scores: run.scores, to: scratch.url, gnuplot: nil, resamples: 20)
    let results = scratch.url.appending(path: "Results")
    for name in try FileManager.default.contentsOfDirectory(atPath: results.path) where name.hasSuffix(".csv") {
      let text = String(
        decoding: try readFile(results.appending(path: "latex/\(name.replacing(".csv", with: ".tex"))")), as: UTF8.self)
      let lines = text.split(separator: "\n")
      let columns = lines[3].split(separator: " & ").count
      let body = lines.drop { $0 != "\\midrule" }.dropFirst().prefix { $0 != "\\bottomrule" }
      let wanted = try rows(results.appending(path: name)).count
      #expect(text.contains("\\toprule") && body.count == wanted, "\(name)")
      #expect(
        body.allSatisfy { $0.split(separator: " & ", omittingEmptySubsequences: false).count == columns }, "\(name)")
      #expect(!text.contains("time") || !name.hasPrefix("image"))
    }
  }

  @Test func `what validation chose is counted`() throws {
    let run = try SyntheticRun()
    let analysis = try RunAnalysis(run.report, scores: run.scores, resamples: 20)
    let counts = Dictionary(uniqueKeysWithValues: analysis.selections.map { ($0.what, $0.count) })
    #expect(counts["epochs kept"] == 15 && counts["fusions fitted"] == 30 && counts["main result"] == 1)
    #expect(counts["thresholds"] == 55 && counts["best folds kept"] == 3)
    #expect(analysis.selections.first?.among.hasPrefix("180 epochs") == true)
  }

  @Test
  func
    `decisions are compared at chosen thresholds and at one half, and it is said where none differ`()
    throws
  {
    var run = try SyntheticRun()
    run.scores.removeAll { row in run.report.fusions.contains { $0.name == row.model } }
    run.report.fusions = []
    // A copy of a model differs from it nowhere; one that decides nothing at 0.5 differs there alone.
    for (name, shift) in [("copy", 0.0), ("shy", -8.0)] {
      var model = run.report.models[0]
      model.name = name
      run.report.models.append(model)
      run.scores += run.scores.filter { $0.model == "frames" }.map { row in
        var row = row
        row.model = name
        row.logit = row.logit.map { $0 + shift }
        row.score = row.logit.map(sigmoid)
        return row
      }
    }
    let analysis = try RunAnalysis(run.report, scores: run.scores, resamples: 200)
    func found(_ a: String, _ b: String) throws -> RunAnalysis.Comparison {
      try #require(
        analysis.comparisons.first {
          $0.scope == "all fakes" && $0.pair.first == a && $0.pair.second == b
        })
    }
    let (same, shy) = (try found("frames", "copy"), try found("frames", "shy"))
    #expect(
      same.chosen?.difference == 0 && same.atHalf?.interval?.lower == 0
        && same.atHalf?.interval?.upper == 0)
    #expect(shy.chosen?.difference == 0 && (shy.atHalf?.interval?.lower ?? 0) > 0.02)
    let plain = try RunAnalysis(run.report, scores: run.scores, resamples: 20)
    let page = Page(report: run.report, analysis: plain, drawings: [], figuresMissing: nil).html
    #expect(page.contains("Balanced accuracy: at the chosen thresholds"))
  }
}
