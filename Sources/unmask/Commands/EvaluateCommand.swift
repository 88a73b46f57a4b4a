import ArgumentParser
import Evaluation
import Files
import Foundation
import Reports

struct EvaluateCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate",
    abstract: "Every metric of a score file, ours or another tool's.",
    discussion: """
      Rows need a label (real or fake) and a score that rises with "fake". Thresholds are chosen on rows of part \
      validation, fold by fold, and applied to rows of part test. With a column frame, frames are judged too, and samples under \
      every rule that makes one score of their frames.

      Example: unmask evaluate runs/quickstart/Scores/voice.csv
      Example: unmask evaluate scores.csv --column score=p --column label=target --fake-label 1 --json
      Example: unmask evaluate dev_scores_label.csv --column score=cm_score --column label=sasv_label --fake-label 0 \
        --higher-is-real --asv-score asv_score --asv-target 1
      Example: unmask evaluate frames.csv --column sample=video --aggregate mean
      Example: unmask evaluate proposals.csv --intervals manifest.csv
      """)

  @OptionGroup var scores: ScoreArguments

  @Flag(help: "Choose the threshold on the test rows where there are no validation rows; marked as oracle.")
  var oracle = false

  @Option(
    help: ArgumentHelp(
      "Leave a band undecided so that at most this share of either class is answered wrongly; chosen on validation.",
      valueName: "rate"))
  var undecided: Double?

  @OptionGroup(title: "t-DCF: the detector in front of speaker verification") var verification: VerificationArguments

  @Option(
    help: ArgumentHelp(
      "Judge proposed fake parts instead (columns sample, score, start, end) against this manifest's intervals: AP and AR.",
      valueName: "manifest"))
  var intervals: String?

  @Option(
    help: ArgumentHelp(
      "The manifest's column with them, such as audio_intervals or visual_intervals of AV-Deepfake1M.",
      valueName: "column"
    ))
  var intervalsColumn = "intervals"

  func validate() throws {
    if let undecided, !(0..<1).contains(undecided) { throw ValidationError("--undecided must be from 0 to below 1.") }
  }

  func run() throws {
    if let intervals { return try localize(intervals) }
    let rates = try verification.rates(scores)
    let groups = try scores.groups()
    let results = try scores.models().map { name, rows in
      let (samples, frames) = scores.samples(rows)
      var result = try ScoreEvaluation(
        model: name, rows: samples, rule: scores.rule(), oracle: oracle, undecided: undecided, verification: rates,
        groups: groups, bootstrap: scores.bootstrap)
      result.frames = frames.map { frames in
        FrameLevel(
          frames, thresholds: Dictionary(uniqueKeysWithValues: result.thresholds.map { ($0.fold, $0.threshold) }),
          groups: groups, bootstrap: scores.bootstrap)
      }
      return result
    }
    if scores.json { return try printJSON(results) }
    for (index, result) in results.enumerated() {
      if index > 0 { print("") }
      show(result)
    }
  }

  private func show(_ result: ScoreEvaluation) {
    let failed = result.failed.values.reduce(0, +)
    print(
      "\(result.model): \(counted(result.items, "score")), \(result.fakes) fake, \(result.items - result.fakes) real"
        + (failed == 0 ? "" : ", \(failed) without a score"))
    let several = !result.folds.isEmpty
    var table = TextTable(
      ["metric", several ? "pooled" : "value"] + (several ? ["mean ± sd over folds"] : []) + ["note"])
    if several {
      table.append(["auc_within_folds", result.area.value.map { digits($0) } ?? "–", "", intervals(result)])
    }
    for metric in Metric.all {
      let value = result.pooled[metric.name]
      var cells = [metric.name, value.value.map { digits($0) } ?? "–"]
      if several {
        let spread = result.spreads[metric.name]!
        cells.append(
          spread.mean.value.map { mean in
            digits(mean) + (spread.deviation.value.map { " ± " + digits($0) } ?? "")
          } ?? "–")
      }
      let interval = result.intervals[metric.name].map { "[\(digits($0.lower)), \(digits($0.upper))] \($0.method)" }
      table.append(cells + [value.reason ?? (metric.name == "auc" && !several ? intervals(result) : interval ?? "")])
    }
    print(table.text, terminator: "")
    for (reason, count) in result.failed.sorted(by: { $0.key < $1.key }) {
      print("without a score: \(count), \(reason)")
    }
    let thresholds = result.thresholds.map { threshold in
      (result.thresholds.count > 1 ? "fold \(threshold.fold): " : "")
        + "\(digits(threshold.threshold)) (\(threshold.chosenOn))"
    }
    print("threshold: \(thresholds.joined(separator: ", "))")
    let matrix = result.confusion
    print(
      "decisions: \(matrix.truePositives) fakes found, \(matrix.falseNegatives) missed, \(matrix.trueNegatives) real passed, "
        + "\(matrix.falsePositives) accused")
    if let band = result.band {
      let outcome = band.outcome
      print(
        "undecided band: \(outcome.undecided) of \(outcome.items) left open; of the others "
          + "\(band.accuracy.value.map { digits($0) } ?? "–") right, \(outcome.accused) accused, \(outcome.missed) missed"
      )
    }
    if let frames = result.frames { show(frames) }
    if let tandem = result.tandem {
      let rates = tandem.verification
      print(
        "min t-DCF 2019 \(full(tandem.minimum2019)), 2021 \(full(tandem.minimum2021)); verification lets in "
          + "\(digits(rates.falseAccept)) of other people and \(digits(rates.spoofAccept)) of fakes, misses \(digits(rates.miss))"
          + (rates.equalErrorRate.map { ", EER \($0) at \(rates.threshold!)" } ?? "")
          + (rates.minimumArchitectureAgnosticCost.map { ", min a-DCF alone \(full($0))" } ?? ""))
    }
    if !result.calibrated.isEmpty {
      var table = TextTable(["calibrated on validation", "Brier", "log loss", "ECE", "Cllr"])
      for (name, values) in [("as scored", result.pooled)] + result.calibrated.sorted(by: { $0.key < $1.key }) {
        table.append(
          [name] + ["brier", "log_loss", "ece", "cllr"].map { values[$0].value.map { digits($0) } ?? "–" })
      }
      print("")
      print(table.text, terminator: "")
    }
    if !result.kinds.isEmpty {
      let speech = result.tandem != nil
      var kinds = TextTable(
        ["kind of fake", "fakes", "AUC", "95 % interval", "EER"] + (speech ? ["min t-DCF 2019", "min t-DCF 2021"] : []))
      func cell(_ measure: Measure?) -> String { measure?.value.map(digits) ?? "–" }
      for kind in result.kinds {
        kinds.append(
          [
            kind.type, "\(kind.fakes)", kind.auc.value.map { digits($0) } ?? "undefined: \(kind.auc.reason!)",
            kind.delong.map { "[\(digits($0.lower)), \(digits($0.upper))]" } ?? "", cell(kind.equalErrorRate),
          ] + (speech ? [cell(kind.tandem?.minimum2019), cell(kind.tandem?.minimum2021)] : []))
      }
      print("")
      print(kinds.text, terminator: "")
    }
    for warning in result.warnings { print("note: \(warning)") }
  }

  private func show(_ frames: FrameLevel) {
    let interval = frames.bootstrap.map { " [\(digits($0.lower)), \(digits($0.upper))] \($0.method)" } ?? ""
    print(
      "frames: \(frames.items) of \(counted(frames.samples, "sample")), AUC \(frames.area.value.map(digits) ?? "undefined")\(interval), "
        + "EER (interp.) \(frames.metrics["eer_interp"].value.map(digits) ?? "undefined")")
    var table = TextTable(["score of a sample", "AUC", "EER (interp.)"])
    for rule in frames.rules {
      table.append([
        rule.rule.rawValue + (rule.rule == scores.aggregate ? " (used)" : ""), rule.area.value.map(digits) ?? "–",
        rule.equalErrorRate.value.map(digits) ?? "–",
      ])
    }
    print(table.text, terminator: "")
  }

  private func localize(_ manifest: String) throws {
    let report = LocalizationReport(
      try LocalizedRecording.read(
        manifest: URL(fileURLWithPath: manifest), intervals: intervalsColumn,
        proposals: scores.files.map { URL(fileURLWithPath: $0) }))
    if scores.json { return try printJSON(report) }
    print(
      "\(counted(report.recordings, "recording")), \(counted(report.labels, "fake part")), "
        + counted(report.proposals, "proposal"))
    var table = TextTable(["overlap", "AP", "AP (LAV-DF)"])
    for overlap in LocalizationReport.overlaps.map({ "\($0)" }) {
      table.append([overlap, full(report.ap[overlap]!), full(report.officialAP[overlap]!)])
    }
    print(table.text)
    var recall = TextTable(["proposals", "AR"])
    for count in LocalizationReport.counts { recall.append(["\(count)", full(report.ar["\(count)"]!)]) }
    print(recall.text, terminator: "")
  }

  private func full(_ measure: Measure) -> String { measure.value.map { "\($0)" } ?? "undefined: \(measure.reason!)" }

  private func intervals(_ result: ScoreEvaluation) -> String {
    // Where no resample differs, as with perfect separation, the bootstrap knows nothing.
    let bootstrap = result.bootstrap.flatMap { $0.upper > $0.lower ? $0 : nil }
    let known = [result.delong, bootstrap].compactMap(\.self).map {
      "[\(digits($0.lower)), \(digits($0.upper))] \($0.method)"
    }
    return known.isEmpty && result.area.value != nil ? "too few items for an interval" : known.joined(separator: "; ")
  }
}
