import ArgumentParser
import Datasets
import Foundation

struct DatasetsVerify: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "verify",
    abstract: "Check that every file of a data set is there and readable; partial copies are explained.",
    discussion: """
      Prints what is listed, there, missing, extra and unreadable, files of the same content with both labels, and for a \
      published set its counts beside the published ones. With KIND, the data is read by that layout (`unmask datasets \
      describe` lists them).

      Ends with 0 for a complete copy; with 3 for a partial one, which can be trained on without what is missing; with 1 \
      when something that is there is wrong: a file that cannot be read, equal files with both labels, nothing to use.

      Example: unmask datasets verify data/sample
               unmask datasets verify celeb-df /data/Celeb-DF-v2
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
    guard arguments.count == 2 else { return }
    do { try DatasetLayouts.check(name: arguments[0]) } catch { throw ValidationError("\(error)") }
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
    let layout = try DatasetLayouts.named(source.layout, at: URL(fileURLWithPath: source.path))
    let check = try FileCheck(dataset, root: roots.folder(of: source.name), layout: layout)
    if options.json { try printJSON(check) } else { show(check, layout.name) }
    switch check.verdict {
    case .complete: return
    case .partial:
      printWarning("unmask: \(source.path): a partial copy: \(check.reason); the rest can be trained on")
      throw ExitCode(3)
    case .faulty:
      throw DatasetError(source.path, "\(check.reason); training leaves out what it cannot read")
    }
  }

  private func show(_ check: FileCheck, _ layout: String) {
    print("read as \(layout): \(check.verdict.rawValue)")
    for part in check.published { print("  \(part.line)") }
    print(
      "listed \(check.listed), have \(check.have), missing \(check.missing.count), unreadable "
        + "\(check.unreadable.count), extra \(check.extra.count), sets of equal files \(check.duplicates.count), of these "
        + "with both labels \(check.conflicts.count)")
    section("missing", check.missing.map(text))
    section("unreadable", check.unreadable.map(text))
    section("extra: media files that no sample names", check.extra)
    section("equal files with both labels", check.conflicts.map { $0.joined(separator: " = ") })
    section("equal files", check.duplicates.map { $0.joined(separator: " = ") })
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
