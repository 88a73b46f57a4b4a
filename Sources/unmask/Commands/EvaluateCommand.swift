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
      validation, fold by fold, and applied to rows of part test.

      Example: unmask evaluate runs/quickstart/Scores/voice.csv
      Example: unmask evaluate scores.csv --column score=p --column label=target --fake-label 1 --json
      Example: unmask evaluate dev_scores_label.csv --column score=cm_score --column label=sasv_label --fake-label 0 \
        --higher-is-real --asv-score asv_score --asv-target 1
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

  func validate() throws {
    if let undecided, !(0..<1).contains(undecided) { throw ValidationError("--undecided must be from 0 to below 1.") }
  }

  func run() throws {
    if let intervals { return try localize(intervals) }
    let rates = try verification.rates(scores)
    let groups = try scores.groups()
    let results = try scores.models().map { name, rows in
      try ScoreEvaluation(
        model: name, rows: rows, rule: scores.rule(), oracle: oracle, undecided: undecided, verification: rates,
        groups: groups, bootstrap: scores.bootstrap)
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
      "\(result.model): \(result.items) scores, \(result.fakes) fake, \(result.items - result.fakes) real"
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
      table.append(cells + [value.reason ?? (metric.name == "auc" && !several ? intervals(result) : "")])
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
    if let tandem = result.tandem {
      let rates = tandem.verification
      print(
        "min t-DCF 2019 \(full(tandem.minimum2019)), 2021 \(full(tandem.minimum2021)); verification lets in "
          + "\(digits(rates.falseAccept)) of other people and \(digits(rates.spoofAccept)) of fakes, misses \(digits(rates.miss))"
          + (rates.equalErrorRate.map { ", EER \($0) at \(rates.threshold!)" } ?? ""))
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
      var kinds = TextTable(["kind of fake", "fakes", "AUC", "95 % interval"])
      for kind in result.kinds {
        kinds.append([
          kind.type, "\(kind.fakes)", kind.auc.value.map { digits($0) } ?? "undefined: \(kind.auc.reason!)",
          kind.delong.map { "[\(digits($0.lower)), \(digits($0.upper))]" } ?? "",
        ])
      }
      print("")
      print(kinds.text, terminator: "")
    }
    for warning in result.warnings { print("note: \(warning)") }
  }

  private func localize(_ manifest: String) throws {
    let report = LocalizationReport(
      try LocalizedRecording.read(
        manifest: URL(fileURLWithPath: manifest), proposals: scores.files.map { URL(fileURLWithPath: $0) }))
    if scores.json { return try printJSON(report) }
    print("\(report.recordings) recordings, \(report.labels) fake parts, \(report.proposals) proposals")
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
    [result.delong, result.bootstrap].compactMap(\.self).map {
      "[\(digits($0.lower)), \(digits($0.upper))] \($0.method)"
    }.joined(separator: "; ")
  }
}

/// A speaker verification system's scores or rates.
struct VerificationArguments: ParsableArguments {
  @Option(help: ArgumentHelp("The score file's column with verification scores.", valueName: "column"))
  var asvScore: String?

  @Option(help: ArgumentHelp("What the label column says of trials of the right speaker.", valueName: "label"))
  var asvTarget: String?

  @Option(
    help: ArgumentHelp("ASVspoof's list of verification scores: lines ending with kind and score.", valueName: "file"))
  var asvScores: String?

  @Option(
    help: ArgumentHelp("Known rates: asvspoof5, or FALSE-ACCEPT:MISS:SPOOF-ACCEPT.", valueName: "rates"))
  var asvRates: String?

  func validate() throws {
    guard [asvScore, asvScores, asvRates].compactMap(\.self).count <= 1 else {
      throw ValidationError("Give one of --asv-score, --asv-scores and --asv-rates.")
    }
    guard (asvScore == nil) == (asvTarget == nil) else {
      throw ValidationError("--asv-score and --asv-target go together.")
    }
    do { _ = try asvRates.map { try VerificationRates($0) } } catch { throw ValidationError("\(error)") }
  }

  /// The system's rates, if any were asked for.
  func rates(_ scores: ScoreArguments) throws -> VerificationRates? {
    if let asvRates { return try VerificationRates(asvRates) }
    if let asvScores { return try VerificationRates(VerificationScores(listing: URL(fileURLWithPath: asvScores))) }
    guard let asvScore, let asvTarget else { return nil }
    let mapping = scores.mapping
    let columns = VerificationScores.Columns(
      score: asvScore, kind: mapping.names["label"] ?? "label", target: asvTarget, spoof: mapping.fakeLabel ?? "fake")
    guard scores.files.count == 1 else {
      throw EvaluationError("--asv-score reads one score file; give one, or name the list with --asv-scores")
    }
    let table = try CSVReader(contentsOf: URL(fileURLWithPath: scores.files[0]))
    return try VerificationRates(VerificationScores(table, name: scores.files[0], columns))
  }
}

/// Score files and how to read them.
struct ScoreArguments: ParsableArguments {
  @Argument(help: "Score files (CSV).")
  var files: [String]

  @Option(
    name: .customLong("column"),
    help: ArgumentHelp("The file's own name of a column, e.g. score=p_fake; may be repeated.", valueName: "ours=theirs")
  )
  var columns: [String] = []

  @Option(help: "The label that means fake, where labels are not real and fake.")
  var fakeLabel: String?

  @Flag(help: "Scores rise with real, not with fake; their sign is turned.")
  var higherIsReal = false

  @Option(
    help: "How decisions are made: f1, youden, balanced-accuracy, eer, fpr:RATE, cost:MISS:FALSE-ALARM, or a number.")
  var threshold = "f1"

  @Option(help: "A table with columns sample and group (and dataset): the bootstrap then draws groups.")
  var groupsFrom: String?

  @Option(help: "Bootstrap resamples; 0 for none.")
  var resamples = 1000

  @Option(help: "Seed of the bootstrap.")
  var seed: UInt64 = 1

  @Option(help: "Only rows of this fold.")
  var fold: Int?

  @Flag(help: "Write JSON to standard output.")
  var json = false

  func validate() throws {
    guard !files.isEmpty else { throw ValidationError("Give at least one score file.") }
    for column in columns where column.split(separator: "=").count != 2 {
      throw ValidationError("--column \(column) is not of the form ours=theirs, such as score=p_fake.")
    }
    do { _ = try rule() } catch { throw ValidationError("\(error)") }
  }

  func rule() throws -> ThresholdRule { try ThresholdRule(threshold) }

  var bootstrap: Bootstrap? {
    resamples > 0 ? Bootstrap(resamples: resamples, seed: seed, expanded: groupsFrom != nil) : nil
  }

  /// How the files' columns are to be read.
  var mapping: ScoreFile.Mapping {
    var names: [String: String] = [:]
    for column in columns {
      let parts = column.split(separator: "=").map(String.init)
      names[parts[0]] = parts[1]
    }
    return ScoreFile.Mapping(names: names, fakeLabel: fakeLabel, higherIsReal: higherIsReal)
  }

  /// All rows of all files.
  func rows() throws -> [ScoreRow] {
    guard let fold else { return try allRows() }
    return try allRows().filter { $0.fold == fold }
  }

  private func allRows() throws -> [ScoreRow] {
    if files.count == 1 { return try ScoreFile.read(URL(fileURLWithPath: files[0]), mapping: mapping) }
    return try files.flatMap { try ScoreFile.read(URL(fileURLWithPath: $0), mapping: mapping) }
  }

  /// The rows model by model, in the order of their first rows.
  func models() throws -> [(name: String, rows: [ScoreRow])] {
    let rows = try rows()
    if let first = rows.first, rows.allSatisfy({ $0.model == first.model }) { return [(first.model, rows)] }
    var order: [String] = []
    var byModel: [String: [ScoreRow]] = [:]
    for row in rows {
      if byModel[row.model] == nil { order.append(row.model) }
      byModel[row.model, default: []].append(row)
    }
    guard !order.isEmpty else {
      throw EvaluationError("\(files.joined(separator: ", ")): there are no rows; give a score file")
    }
    return order.map { ($0, byModel[$0]!) }
  }

  /// Group numbers by sample, if a table was named.
  func groups() throws -> [SampleID: Int]? {
    guard let groupsFrom else { return nil }
    var numbers: [String: Int] = [:]
    return try sampleTable(groupsFrom, "group").mapValues { group in
      let number = numbers[group] ?? numbers.count
      numbers[group] = number
      return number
    }
  }
}

/// One column of a table of samples, which a column sample, path or id names, and dataset if there is one.
func sampleTable(_ path: String, _ wanted: String) throws -> [SampleID: String] {
  let table = try CSVReader(contentsOf: URL(fileURLWithPath: path))
  let names = ["sample", "path", "id"]
  let sample = try names.lazy.compactMap(table.header.firstIndex(of:)).first ?? table.column("sample")
  let value = try table.column(wanted)
  let dataset = table.header.firstIndex(of: "dataset")
  var found: [SampleID: String] = [:]
  try table.forEachRow { _, fields in
    found[SampleID(dataset: dataset.map { fields[$0] } ?? "", sample: fields[sample])] = fields[value]
  }
  return found
}

/// The samples' own labels from a table with columns sample and label.
func sampleLabels(_ path: String?) throws -> [SampleID: Truth] {
  guard let path else { return [:] }
  return try sampleTable(path, "label").mapValues { label in
    guard let truth = Truth(rawValue: label) else {
      throw EvaluationError("\(path): label \"\(label)\" is neither real nor fake")
    }
    return truth
  }
}

/// Four decimals, or the exponent form where they would hide the value.
func digits(_ value: Double) -> String {
  value != 0 && abs(value) < 0.001 ? String(format: "%.2e", value) : String(format: "%.4f", value)
}
