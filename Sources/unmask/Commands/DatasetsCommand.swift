// `unmask datasets …`: what is in the data, before anything is trained on it.

import ArgumentParser
import Datasets
import Foundation

struct DatasetsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "datasets",
    abstract: "See what is in the data: counts and balance, missing files, folds and leaks, shortcuts; cut faces out.",
    discussion: """
      Example: unmask datasets stats data/sample
      """,
    subcommands: [
      DatasetsStats.self, DatasetsVerify.self, DatasetsFolds.self, DatasetsAudit.self, DatasetsPrepare.self,
      DatasetsDescribe.self, DatasetsSubset.self,
    ])
}

/// Which data a command is about.
struct DataArguments: ParsableArguments {
  @Argument(
    help: ArgumentHelp(
      "Manifests (CSV with path and label) or folders with real/ and fake/ in them; NAME=PATH names a set.",
      valueName: "path"))
  var paths: [String]

  @OptionGroup var options: LayoutArguments

  func validate() throws {
    guard !paths.isEmpty else { throw ValidationError("Give the path of a manifest or of a folder.") }
  }

  /// The paths as data entries.
  func sources() throws -> [DataSource] {
    try paths.map { try options.source($0) }
  }
}

/// How data is to be read.
struct LayoutArguments: ParsableArguments {
  @Option(help: "How the data is laid out: auto, \(DatasetLayouts.all.map(\.name).joined(separator: ", ")).")
  var layout = "auto"

  @Option(
    name: .customLong("column"),
    help: ArgumentHelp(
      "The data's own name of a column, e.g. identity=speaker; may be repeated.", valueName: "ours=theirs"))
  var columns: [String] = []

  @Flag(help: "Write JSON to standard output.")
  var json = false

  func validate() throws {
    do { try DatasetLayouts.check(name: layout) } catch { throw ValidationError("\(error)") }
  }

  /// A path, or NAME=PATH, as a data entry.
  func source(_ text: String, layout other: String? = nil) throws -> DataSource {
    var mapped: [String: String] = [:]
    for column in columns {
      let parts = column.split(separator: "=", maxSplits: 1).map(String.init)
      guard parts.count == 2 else {
        throw ValidationError(
          "--column \(column): write the column of a manifest, =, and its name here: identity=speaker")
      }
      mapped[parts[0]] = parts[1]
    }
    var (name, path) = (String?.none, text)
    if let sign = text.firstIndex(of: "="), !FileManager.default.fileExists(atPath: text), sign > text.startIndex {
      (name, path) = (String(text[..<sign]), String(text[text.index(after: sign)...]))
    }
    return DataSource(name: name ?? Self.name(of: path), layout: other ?? layout, path: path, columns: mapped)
  }

  /// A folder's name; for a file called manifest.csv its folder's, for another file its own.
  private static func name(of path: String) -> String {
    let url = URL(fileURLWithPath: path).standardizedFileURL
    let stem = url.deletingPathExtension().lastPathComponent
    return url.lastPathComponent == "manifest.csv" ? url.deletingLastPathComponent().lastPathComponent : stem
  }
}

/// Prints a value as JSON with sorted keys.
func printJSON(_ value: some Encodable) throws {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
  print(String(decoding: try encoder.encode(value), as: UTF8.self))
}

/// Prints a sentence to standard error.
func printWarning(_ text: String) {
  FileHandle.standardError.write(Data("\(text)\n".utf8))
}
