import ArgumentParser
import Datasets
import Foundation

/// How fast a large manifest is read and divided.
struct BenchmarkFolds: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "folds",
    abstract: "Measure how fast a manifest of many rows is read, and divided into folds.",
    discussion: """
      Writes a manifest of made-up names (five kinds of fake, four rows a person, every fake with a source) into the \
      temporary folder, reads it, and makes five folds. Prints one JSON line: seconds by the clock and of the processor, \
      and the largest memory of the process.

      EXAMPLE
        unmask benchmark folds --rows 1000000
      """)

  @Option(help: ArgumentHelp("Rows of the manifest.", valueName: "n"))
  var rows = 1_000_000

  func validate() throws {
    if rows < 1000 { throw ValidationError("--rows must be at least 1000.") }
  }

  private struct Line: Encodable {
    let rows, groups: Int
    let read, fold: Seconds
    let maxResidentMiB: Double

    struct Seconds: Encodable {
      let clock, processor: Double
    }

    private enum CodingKeys: String, CodingKey {
      case rows, groups, read, fold
      case maxResidentMiB = "max_resident_mib"
    }
  }

  func run() throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("unmask-folds-\(UUID().uuidString).csv")
    defer { try? FileManager.default.removeItem(at: url) }
    try write(url)
    let (dataset, read) = try measured {
      try Dataset(reading: DataSource(name: "made-up", layout: "manifest", path: url.path))
    }
    let (plan, fold) = try measured { try FoldPlan(dataset, FoldSettings(), seed: 7) }
    let line = Line(
      rows: dataset.samples.count, groups: plan.groups.count, read: read, fold: fold,
      maxResidentMiB: Self.usage().resident)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    print(String(decoding: try encoder.encode(line), as: UTF8.self))
  }

  // In pieces, so that the text is not part of the memory that is measured.
  private func write(_ url: URL) throws {
    try Data("path,label,type,identity,source\n".utf8).write(to: url)
    let file = try FileHandle(forWritingTo: url)
    defer { try? file.close() }
    try file.seekToEnd()
    for start in stride(from: 0, to: rows, by: 10_000) {
      var text = ""
      for row in start..<min(rows, start + 10_000) {
        let isFake = row % 5 != 0
        text +=
          "clips/\(row / 1000)/\(row).mp4,\(isFake ? "fake" : "real"),\(isFake ? "kind-\(row % 7)" : ""),"
          + "person-\(row / 4),\(isFake ? "person-\(row / 4)" : "")\n"
      }
      try file.write(contentsOf: Data(text.utf8))
    }
  }

  private func measured<Value>(_ body: () throws -> Value) rethrows -> (Value, Line.Seconds) {
    let (start, before) = (ContinuousClock.now, Self.usage().processor)
    let value = try body()
    let clock = (ContinuousClock.now - start) / .milliseconds(1) / 1000
    return (
      value,
      Line.Seconds(
        clock: (clock * 1000).rounded() / 1000, processor: ((Self.usage().processor - before) * 1000).rounded() / 1000)
    )
  }

  private static func usage() -> (processor: Double, resident: Double) {
    var usage = rusage()
    getrusage(Int32(RUSAGE_SELF.rawValue), &usage)
    let seconds = { (time: timeval) in Double(time.tv_sec) + Double(time.tv_usec) / 1e6 }
    return (seconds(usage.ru_utime) + seconds(usage.ru_stime), (Double(usage.ru_maxrss) / 102.4).rounded() / 10)
  }
}
