import ArgumentParser
import Datasets
import Files
import Foundation

struct DatasetsFolds: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "folds",
    abstract: "Divide data for cross-validation so that no person or source is on both sides, and report leaks.",
    discussion: """
      The same data, settings and seed give the same folds as in training. Identical files are compared by content; \
      --no-hash leaves that out.

      Protocols: \(FoldProtocol.allCases.map { "\($0.rawValue) (\($0.explanation))" }.joined(separator: "; ")).

      A file with parts, exported or your own, is judged with --check and used with --protocol given --folds FILE \
      (in an experiment: folds: {protocol: given, file: FILE}).

      Example: unmask datasets folds data/sample --count 5 --seed 7 --output folds.csv
      Example: unmask datasets folds ff=FaceForensics++ --protocol leave-one-type-out --output folds.csv
      """)

  @OptionGroup var data: DataArguments

  @Option(help: "k-fold, official, leave-one-type-out, leave-one-dataset-out, cross-dataset or given.")
  var `protocol` = "k-fold"

  @Option(help: "How many folds.")
  var count = 5

  @Option(help: "How often the whole is divided anew, each time with the next seed.")
  var repeats = 1

  @Option(help: "Share of the samples outside the test part that becomes validation.")
  var validation = 0.15

  @Option(help: "What must stay together: auto (identity and source), none, or the name of a column.")
  var group = "auto"

  @Option(help: "Columns whose combinations are spread evenly, with commas between.")
  var stratify = "label,type"

  @Option(help: "What all chance is drawn from.")
  var seed: UInt64 = 7

  @Option(help: "Write the parts of every sample to this CSV file.")
  var output: String?

  @Option(help: "The CSV file of --protocol given: sample, and fold or fold_0, fold_1, …; dataset where it is needed.")
  var folds: String?

  @Option(help: "Do not divide, but look for leaks in this file; the same as --protocol given --folds FILE.")
  var check: String?

  @Flag(inversion: .prefixedNo, help: "Read all files to find those of the same content.")
  var hash = true

  @Flag(help: "Decode every file and look for pictures and sounds that are nearly the same in two parts.")
  var near = false

  private struct Report: Encodable {
    let settings: FoldSettings
    let seed: UInt64
    let samples, groups: Int
    let clean: Bool
    let warnings, notes: [String]
    let leaks: LeakReport
    let nearDuplicates: [Near]?
  }

  private struct Near: Encodable {
    let first, second, modality: String
    let differingBits, fold: Int
  }

  func validate() throws {
    do { _ = try FoldProtocol(name: `protocol`) } catch { throw ValidationError("\(error)") }
  }

  func run() throws {
    let sources = try data.sources()
    var options = ScanOptions()
    options.probesContent = false
    options.hashesContent = hash
    let line = ProgressLine("reading files")
    let sets = try sources.map { try Dataset(reading: $0) }
    let roots = try DataRoots(sources)
    let dataset = try Dataset(joining: sets).scanned(roots, options, progress: line.update)
    let settings = FoldSettings(
      protocol: try check == nil ? FoldProtocol(name: `protocol`) : .given, count: count, repeats: repeats,
      validation: validation,
      group: group,
      stratify: stratify.split(separator: ",").map(String.init), file: check ?? folds)
    let plan = try FoldPlan(dataset, settings, seed: seed)
    let notes = plan.notes(of: dataset)
    let report = LeakReport(plan, of: dataset)
    let comparing = ProgressLine("comparing contents")
    let found =
      near
      ? NearDuplicates(dataset, roots, groups: plan.groups, progress: comparing.update).crossing(plan).map {
        pair, fold in
        Near(
          first: dataset.samples[pair.first].id, second: dataset.samples[pair.second].id,
          modality: pair.modality.rawValue, differingBits: pair.distance, fold: fold)
      } : nil
    if let output { try FoldTable.write(plan, of: dataset, to: URL(fileURLWithPath: output)) }
    if data.options.json {
      try printJSON(
        Report(
          settings: settings, seed: seed, samples: dataset.samples.count, groups: plan.groups.count,
          clean: report.isClean, warnings: report.warnings, notes: notes, leaks: report, nearDuplicates: found))
    } else {
      show(plan, report, dataset)
      for note in notes { print("NOTE: \(note)") }
      if let found { show(found) }
    }
    guard report.isClean, found?.isEmpty ?? true else {
      throw DatasetError("folds", "parts share what they should not; scores on these folds would be too good")
    }
  }

  private func show(_ plan: FoldPlan, _ report: LeakReport, _ dataset: Dataset) {
    print(
      "\(counted(dataset.samples.count, "sample")) in \(counted(plan.groups.count, "group")), "
        + counted(plan.count, "fold"))
    for (fold, name) in plan.names.enumerated() { print("fold \(fold): \(name)") }
    print("fold  part          real    fake  groups" + (report.isClean ? "" : "  shared"))
    for row in report.parts {
      print(
        pad("\(row.fold)", 6, left: true) + pad(row.part.rawValue, 10, left: true) + pad("\(row.counts.real)", 8)
          + pad("\(row.counts.fake)", 8) + pad("\(row.groups)", 8) + (report.isClean ? "" : pad("\(row.shared)", 8)))
    }
    if report.duplicateSets > 0 {
      print("\(counted(report.duplicateSets, "set")) of files with the same content")
    }
    if report.unhashed > 0 { print("not compared by content: \(counted(report.unhashed, "sample"))") }
    for warning in report.warnings { print(warning) }
    if report.isClean { print("no group, identity, source or content lies in two parts of a fold") }
    if let output { print("wrote \(output)") }
  }

  private func show(_ found: [Near]) {
    for pair in found.prefix(20) {
      print(
        "NEAR DUPLICATE (\(pair.modality), differing in \(counted(pair.differingBits, "bit"))): \(pair.first) and \(pair.second) in two parts of "
          + "fold \(pair.fold)")
    }
    if found.count > 20 { print("and \(counted(found.count - 20, "more pair"))") }
    if found.isEmpty { print("no two pictures or sounds in two parts are nearly the same") }
  }

  private func pad(_ text: String, _ width: Int, left: Bool = false) -> String {
    let space = String(repeating: " ", count: max(0, width - text.count))
    return left ? text + space : space + text
  }
}
