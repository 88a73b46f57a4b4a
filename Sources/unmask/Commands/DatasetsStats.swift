import ArgumentParser
import Datasets
import Files
import Foundation

struct DatasetsStats: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "stats",
    abstract: "Count real and fake for each modality, judge the balance, and say what follows.",
    discussion: """
      A modality is counted by its own label (audio_label, visual_label). Below 3:1 is GOOD, 3:1 to 5:1 MODERATE, above \
      SEVERE.

      Example: unmask datasets stats data/sample
      """)

  @OptionGroup var data: DataArguments

  @Flag(help: "Trust file names: do not open files to see which streams they have.")
  var namesOnly = false

  func run() throws {
    let sources = try data.sources()
    var options = ScanOptions()
    options.hashesContent = false
    options.probesContent = !namesOnly
    let sets = try sources.map { try Dataset(reading: $0) }
    let roots = try DataRoots(sources)
    let line = ProgressLine("looking at files")
    let dataset = try Dataset(joining: sets).scanned(roots, options, progress: line.update)
    let statistics = try DatasetStatistics(dataset)
    if data.options.json { try printJSON(statistics) } else { show(statistics, dataset) }
    try dataset.requireTwoClasses(usableOnly: false)
  }

  private func show(_ found: DatasetStatistics, _ dataset: Dataset) {
    func list(_ counts: [DatasetStatistics.Count]) -> String {
      let shown = counts.prefix(20).map { "\($0.name) \($0.count)" }.joined(separator: ", ")
      return counts.count > 20 ? "\(shown), and \(counts.count - 20) more" : shown
    }
    let size = ByteSize.text(found.bytes)
    print(
      "\(list(found.datasets)): \(counted(found.groups, "group")), "
        + "\(counted(found.identities, "identity", "identities")), \(size)")
    print(found.overall.line)
    for balance in found.modalities { print(balance.line) }
    if !found.types.isEmpty {
      print(
        "Kinds of fake: \(list(found.types))" + (found.partial > 0 ? "; \(found.partial) in part of their time" : ""))
    }
    if !found.splits.isEmpty { print("Official parts: \(list(found.splits))") }
    print("\nAdvice")
    for balance in [found.overall] + found.modalities {
      print("  \(balance.modality?.title ?? "Samples"): \(balance.advice).")
    }
    guard !found.problems.isEmpty else { return }
    print("\nCannot be used (counted above by name; `unmask datasets verify` lists them)")
    for problem in found.problems.prefix(20) {
      let example = dataset.samples.first { $0.problem == problem.name }?.id ?? ""
      print("  \(problem.count): \(problem.name) (\(example))")
    }
  }
}
