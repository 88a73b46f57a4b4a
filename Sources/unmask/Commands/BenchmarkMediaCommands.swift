// `unmask benchmark decode` and `unmask benchmark features`.

import ArgumentParser
import Foundation

/// How fast files are decoded.
struct BenchmarkDecode: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "decode",
    abstract: "Measure how fast pictures, sounds and videos are decoded.",
    discussion: """
      Prints one JSON line. A sample is a file; step_ms is the median time of one pass over all files, with one thread.
      JPEG is decoded with the accurate inverse DCT and smooth chroma.

      EXAMPLE
        unmask benchmark decode photos/*.jpg
      """)

  @Argument(help: "The files to decode.")
  var files: [String]

  @Option(help: ArgumentHelp("How often all files are decoded.", valueName: "n"))
  var passes = 9

  @Option(help: ArgumentHelp("Frames taken of a video.", valueName: "n"))
  var frames = 8

  func validate() throws {
    if passes < 1 { throw ValidationError("--passes must be at least 1.") }
    if frames < 1 { throw ValidationError("--frames must be at least 1.") }
  }

  func run() throws {
    print(try MediaBenchmark(files: files.map { URL(filePath: $0) }, passes: passes).decode(frames: frames).line())
  }
}

/// How fast spectral features are computed.
struct BenchmarkFeatures: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "features",
    abstract: "Measure how fast log-mel spectrograms are computed.",
    discussion: """
      Prints one JSON line. A sample is a file, decoded and resampled to 16 kHz beforehand; step_ms is the median time of
      one pass over all files, with one thread.

      EXAMPLE
        unmask benchmark features speech/*.wav
      """)

  @Argument(help: "Sound or video files.")
  var files: [String]

  @Option(help: ArgumentHelp("How often all files are processed.", valueName: "n"))
  var passes = 9

  @Option(help: ArgumentHelp("Mel bands.", valueName: "n"))
  var bands = 64

  func validate() throws {
    if passes < 1 { throw ValidationError("--passes must be at least 1.") }
    if bands < 1 { throw ValidationError("--bands must be at least 1.") }
  }

  func run() throws {
    print(try MediaBenchmark(files: files.map { URL(filePath: $0) }, passes: passes).features(bands: bands).line())
  }
}
