// `unmask sample`: writes the small audio-visual data set that the quick start trains on.

import ArgumentParser
import Files
import Foundation
import SampleData

struct SampleCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "sample",
    abstract: "Write the sample data set: two-second clips of drawn talking heads, one third real, two thirds fake.",
    discussion: """
      Writes DIR/clips/*.mp4, DIR/manifest.csv and DIR/README.txt. The same seed gives the same bytes; a set that is \
      there already is left as it is.

      Example: unmask sample data/sample --clips 144 --seed 7
      Example: unmask sample data/faulty --plant leading-silence --plant identity-leak
      """
  )

  @Argument(help: ArgumentHelp("The folder to write into; it is made if it is missing.", valueName: "dir"))
  var directory: String

  @Option(help: "How many clips: a multiple of 12, the clips of one pair of people.")
  var clips = 144

  @Option(help: "What all chance is drawn from.")
  var seed: UInt64 = 7

  @Option(
    help: ArgumentHelp(
      "A fault to make on purpose, for `datasets audit` and `datasets folds` to find: "
        + "\(SampleFault.allCases.map(\.rawValue).joined(separator: " or ")); may be repeated.", valueName: "fault"))
  var plant: [String] = []

  @Option(help: "How many pairs are drawn side by side; the bytes do not depend on it.")
  var threads = ProcessInfo.processInfo.activeProcessorCount

  func validate() throws {
    guard clips > 0, clips % 12 == 0 else {
      let nearest = max(1, (clips + 6) / 12) * 12
      throw ValidationError("--clips must be a multiple of 12, and \(clips) is not; the nearest is \(nearest).")
    }
    for fault in plant where SampleFault(rawValue: fault) == nil {
      throw ValidationError(
        "--plant \(fault): there is no such fault; \(suggestion(fault, among: SampleFault.allCases.map(\.rawValue)))"
      )
    }
    guard threads > 0 else { throw ValidationError("--threads must be at least 1, not \(threads).") }
  }

  func run() throws {
    let isTerminal = isatty(STDERR_FILENO) == 1
    let outcome = try SampleDataSet.write(
      to: URL(fileURLWithPath: directory, isDirectory: true), clips: clips, seed: seed,
      faults: Set(plant.compactMap(SampleFault.init)),
      threads: threads
    ) { progress in
      guard isTerminal else { return }
      let line = "\rsample: clip \(progress.written) of \(progress.total)"
      FileHandle.standardError.write(Data((progress.written == progress.total ? line + "\n" : line).utf8))
    }
    let with = plant.isEmpty ? "" : ", with " + plant.joined(separator: " and ")
    let what = "\(clips) clips (\(clips / 3) real, \(clips * 2 / 3) fake) of \(clips / 6) people in pairs\(with)"
    switch outcome {
    case .written: print("\(directory): wrote \(what), seed \(seed).")
    case .wasThere: print("\(directory): \(what), seed \(seed), are there already.")
    }
  }
}
