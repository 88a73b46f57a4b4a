import ArgumentParser
import Datasets
import Foundation

struct DatasetsVerify: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check that every file of a data set is there and readable; partial copies are explained.",
    discussion: """
      Ends with 1 when a file is missing, empty or unreadable, or when files of the same content have both labels. With \
      KIND, the data is read by that layout.

      Example: unmask datasets verify data/sample
               unmask datasets verify manifest data/sample/manifest.csv --decode
      """)

  @Argument(
    help: ArgumentHelp(
      "The path of a manifest or folder, after the layout's name if it is not to be guessed.", valueName: "kind> <path")
  )
  var arguments: [String]

  @OptionGroup var options: LayoutArguments

  @Flag(help: "Decode every file to its end, which finds damage that headers do not show.")
  var decode = false

  @Flag(inversion: .prefixedNo, help: "Compare the contents of files.")
  var hash = true

  func validate() throws {
    guard (1...2).contains(arguments.count) else {
      throw ValidationError("Give a path, or the name of a layout and a path; not \(arguments.count) arguments.")
    }
  }

  func run() throws {
    let source = try options.source(arguments.last!, layout: arguments.count == 2 ? arguments[0] : nil)
    let listed = try Dataset(reading: source)
    let roots = try DataRoots([source])
    var scan = ScanOptions()
    scan.decodesContent = decode
    scan.hashesContent = hash
    let line = ProgressLine(decode ? "decoding files" : "reading files")
    let dataset = listed.scanned(roots, scan, progress: line.update)
    let check = try FileCheck(dataset, root: roots.folder(of: source.name))
    if !options.json {
      compare(dataset, try DatasetLayouts.named(source.layout, at: URL(fileURLWithPath: source.path)))
    }
    if options.json { try printJSON(check) } else { show(check) }
    guard check.isComplete else {
      throw DatasetError(
        source.path,
        "\(check.missing.count) samples are missing, \(check.unreadable.count) unreadable, "
          + "\(check.conflicts.count) sets of equal files have both labels; training leaves out what it cannot read")
    }
  }

  private func show(_ check: FileCheck) {
    print(
      "listed \(check.listed), usable \(check.usable), missing \(check.missing.count), unreadable "
        + "\(check.unreadable.count), extra \(check.extra.count), sets of equal files \(check.duplicates.count), of these "
        + "with both labels \(check.conflicts.count)")
    section("missing", check.missing.map(text))
    section("unreadable", check.unreadable.map(text))
    section("extra: media files that no sample names", check.extra)
    section("equal files with both labels", check.conflicts.map { $0.joined(separator: " = ") })
    section("equal files", check.duplicates.map { $0.joined(separator: " = ") })
  }

  // The counts of a published set beside those listed here.
  private func compare(_ dataset: Dataset, _ layout: any DatasetLayout) {
    guard let official = layout as? any OfficialLayout else { return }
    print("read as \(official.name)")
    for part in official.description.published {
      print("published \(DatasetStatistics.Balance(nil, part.counts, title: part.part).line)")
    }
    let parts = Dictionary(grouping: dataset.samples) { $0.split ?? "all" }
    for (part, samples) in parts.sorted(by: { $0.key < $1.key }) {
      let real = samples.count { $0.label == .real }
      let counts = ClassCounts(real: real, fake: samples.count - real)
      print("listed \(DatasetStatistics.Balance(nil, counts, title: part).line)")
    }
  }

  private func text(_ finding: FileCheck.Finding) -> String {
    (finding.line.map { "line \($0): " } ?? "") + "\(finding.sample): \(finding.reason)"
  }

  private func section(_ title: String, _ lines: [String]) {
    guard !lines.isEmpty else { return }
    print("\n\(title)")
    for line in lines.prefix(20) { print("  \(line)") }
    if lines.count > 20 { print("  and \(lines.count - 20) more (--json lists all)") }
  }
}
