import ArgumentParser
import Datasets
import Foundation

struct DatasetsDescribe: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "describe",
    abstract: "Say what a published data set is, when to use it, how it lies on disk, and where to ask for it.",
    discussion: """
      Without a name, all of them in a line each.

      Example: unmask datasets describe asvspoof2019-la
      """)

  @Argument(help: ArgumentHelp("The name of a published data set.", valueName: "kind"))
  var kind: String?

  @Flag(help: "Write JSON to standard output.")
  var json = false

  func validate() throws {
    guard let kind else { return }
    do { _ = try DatasetLayouts.published(kind) } catch { throw ValidationError("\(error)") }
  }

  private struct Entry: Encodable {
    let name: String
    let description: DatasetDescription
  }

  func run() throws {
    let all = DatasetLayouts.official
    guard let kind else {
      if json { return try printJSON(all.map { Entry(name: $0.name, description: $0.description) }) }
      for layout in all {
        let balance = layout.description.classes.map { DatasetStatistics.Balance($0.modality, $0.counts) }
        print(
          "\(layout.name): \(layout.description.what) "
            + balance.map { "\($0.modality?.title ?? "") \($0.ratioText)" }.joined(separator: ", ") + ".")
      }
      return
    }
    let layout = try DatasetLayouts.published(kind)
    let found = layout.description
    if json { return try printJSON(Entry(name: layout.name, description: found)) }
    print("\(found.title)\n\n\(found.what)\n\(found.use)\n\nOn disk (\(found.size))")
    for line in found.layout { print("  \(line)") }
    print("\nBalance")
    for part in found.classes {
      print("  \(DatasetStatistics.Balance(part.modality, part.counts).line)")
    }
    if !found.published.isEmpty { print("\nPublished counts") }
    for part in found.published {
      let unit = part.unit == .folders ? " (folders)" : part.isRounded ? " (rounded)" : ""
      print("  \(part.part): real \(part.counts.real), fake \(part.counts.fake)\(unit)")
    }
    print("\nTerms: \(found.licence)\nSource: \(found.source)")
  }
}
