import ArgumentParser
import Datasets
import Files
import Foundation

struct DatasetsAudit: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "audit",
    abstract: "Look for shortcuts: how well length, loudness, size, leading silence and the like tell real from fake.",
    discussion: """
      Each quantity is judged by its area under the ROC curve with a 95% interval; 0.5 is chance. Above 0.6, in either \
      direction, a detector could learn it instead of the manipulation.

      Example: unmask datasets audit data/sample
      """)

  @OptionGroup var data: DataArguments

  @Option(help: "Measure at most so many samples of each class; 0 for all.")
  var samples = 2000

  @Option(help: "Which samples are chosen when there are more.")
  var seed: UInt64 = 7

  private struct Report: Encodable {
    let measured: Int
    let probes: [ShortcutProbe]
    let warnings: [String]
    let failures: Int
  }

  func run() throws {
    let sources = try data.sources()
    var options = ScanOptions()
    options.hashesContent = false
    let sets = try sources.map { try Dataset(reading: $0) }
    let roots = try DataRoots(sources)
    let looking = ProgressLine("looking at files")
    let dataset = try Dataset(joining: sets).scanned(roots, options, progress: looking.update)
    let measuring = ProgressLine("measuring")
    let audit = try ShortcutAudit(
      dataset, roots, limit: samples > 0 ? samples : nil, seed: seed, progress: measuring.update)
    let warnings = audit.probes.compactMap(\.warning)
    if data.options.json {
      try printJSON(
        Report(measured: audit.measured, probes: audit.probes, warnings: warnings, failures: audit.failures.count))
      return
    }
    print(
      "\(counted(audit.measured, "sample")) measured"
        + (audit.failures.isEmpty ? "" : ", \(audit.failures.count) not decodable"))
    for probe in audit.probes {
      guard let auc = probe.auc, let lower = probe.lower, let upper = probe.upper else {
        print("\(probe.name): too few samples of a class")
        continue
      }
      print(
        "\(probe.name): AUC \(three(auc)) [\(three(lower)), \(three(upper))]"
          + (probe.warning == nil ? probe.isCategorical && auc < 0.5 ? "  (tells nothing)" : "" : "  SHORTCUT"))
    }
    if warnings.isEmpty {
      print("no quantity tells real from fake by more than AUC \(ShortcutProbe.limit)")
    } else {
      print("")
      for warning in warnings { print("WARNING: \(warning)") }
    }
  }

  private func three(_ value: Double) -> String { String(format: "%.3f", value) }
}
