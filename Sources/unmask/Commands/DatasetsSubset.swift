import ArgumentParser
import Datasets
import Files
import Foundation

struct DatasetsSubset: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "subset",
    abstract: "Write a manifest of some of the samples: fewer, or with unequal classes.",
    discussion: """
      The choice follows from the seed and the samples' names. The manifest must lie in the data's own folder, as its paths \
      are relative to it. With --modality the labels of that modality count.

      Example: unmask datasets subset data/large --modality audio --real 24 --fake 480 --output data/large/unequal.csv
      """)

  @Argument(help: ArgumentHelp("The path of a manifest or of a folder.", valueName: "path"))
  var path: String

  @OptionGroup var options: LayoutArguments

  @Option(help: "How many real samples; all without it.")
  var real: Int?

  @Option(help: "How many fake samples; all without it.")
  var fake: Int?

  @Option(help: "Whose labels count: image, audio or video; the samples' own without it.")
  var modality: String?

  @Option(help: "What the choice is drawn from.")
  var seed: UInt64 = 7

  @Option(help: "The manifest to write.")
  var output: String

  func validate() throws {
    if let modality, Modality(rawValue: modality) == nil {
      throw ValidationError(
        "--modality \(modality): \(suggestion(modality, among: Modality.allCases.map(\.rawValue)))")
    }
  }

  func run() throws {
    let source = try options.source(path)
    let dataset = try Dataset(reading: source)
    let folder = try DataRoots([source]).folder(of: source.name).standardizedFileURL.resolvingSymlinksInPath()
    let place = URL(fileURLWithPath: output).standardizedFileURL
    guard place.deletingLastPathComponent().resolvingSymlinksInPath().path == folder.path else {
      throw ValidationError(
        "--output \(output): the paths are relative to \(folder.path), so write the manifest there.")
    }
    let chosen = try dataset.subset(
      real: real, fake: fake, modality: modality.flatMap { Modality(rawValue: $0) }, seed: seed)
    try SampleTable.writeManifest(chosen, to: place)
    let statistics = try DatasetStatistics(chosen)
    if options.json { return try printJSON(statistics) }
    print(statistics.overall.line)
    for balance in statistics.modalities { print(balance.line) }
    print("wrote \(output)")
  }
}
