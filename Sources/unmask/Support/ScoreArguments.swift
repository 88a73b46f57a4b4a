import ArgumentParser
import Evaluation
import Files
import Foundation

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
    help:
      "How decisions are made: f1, youden, balanced-accuracy, eer, fpr:RATE, cost:MISS:FALSE-ALARM, or a number (of scores that rise with fake)."
  )
  var threshold = "f1"

  @Option(
    help: ArgumentHelp(
      "How scores of frames (files with a column frame) become a sample's: "
        + FrameRule.allCases.map(\.rawValue).joined(separator: ", ") + ".", valueName: "rule"),
    transform: { text in
      if let rule = FrameRule(rawValue: text) { return rule }
      throw ValidationError("\"\(text)\" is unknown; \(suggestion(text, among: FrameRule.allCases.map(\.rawValue)))")
    })
  var aggregate = FrameRule.mean

  @Option(help: "A table with columns sample and group (and dataset): the bootstrap then draws groups.")
  var groupsFrom: String?

  @Option(help: "Bootstrap resamples; 0 for none.")
  var resamples = 1000

  @Option(help: "Seed of the bootstrap.")
  var seed: UInt64 = 1

  @Option(
    name: .customLong("fold"),
    help: ArgumentHelp(
      "Only rows of this fold or range of folds, e.g. 0-4 for the first of several repetitions; may be repeated.",
      valueName: "fold"))
  var foldRanges: [String] = []

  @Flag(help: "Write JSON to standard output.")
  var json = false

  func validate() throws {
    guard !files.isEmpty else { throw ValidationError("Give at least one score file.") }
    for column in columns where column.split(separator: "=").count != 2 {
      throw ValidationError("--column \(column) is not of the form ours=theirs, such as score=p_fake.")
    }
    do { _ = try rule() } catch { throw ValidationError("\(error)") }
    for range in foldRanges where Self.folds(range) == nil {
      throw ValidationError("--fold \(range) is neither a fold such as 3 nor a range such as 0-4.")
    }
  }

  private static func folds(_ text: String) -> ClosedRange<Int>? {
    let ends = text.split(separator: "-", omittingEmptySubsequences: false).map { Int($0) }
    guard ends.count <= 2, let first = ends[0], let last = ends[ends.count - 1], 0 <= first, first <= last else {
      return nil
    }
    return first...last
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
    guard !foldRanges.isEmpty else { return try allRows() }
    let wanted = foldRanges.compactMap(Self.folds)
    let rows = try allRows().filter { row in wanted.contains { $0.contains(row.fold) } }
    guard !rows.isEmpty else {
      throw EvaluationError(
        "\(files.joined(separator: ", ")): there are no rows of fold \(foldRanges.joined(separator: ", "))")
    }
    return rows
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

  /// Rows of samples, whether the files' are of samples or of frames; and the rows of frames, where they are.
  func samples(_ rows: [ScoreRow]) -> (samples: [ScoreRow], frames: [ScoreRow]?) {
    rows.contains { $0.frame != nil } ? (FrameScores.samples(of: rows, by: aggregate), rows) : (rows, nil)
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

/// Four decimals, or the exponent form where they would hide the value or fill the line.
func digits(_ value: Double) -> String {
  value != 0 && (abs(value) < 0.001 || abs(value) >= 1e7)
    ? String(format: "%.2e", value) : String(format: "%.4f", value)
}
