public import Evaluation
import Files
public import Foundation

/// Writes a run's results: `Results/*.csv`, `Figures/*.png` and `.svg`, `report.html`, and `report.json`, from which the
/// same report can be built again.
public enum ReportWriter {
  /// What was written, and what was not.
  public struct Outcome: Sendable {
    /// The report's page.
    public let page: URL
    /// The comparison table for a terminal.
    public let table: String
    /// Why there are no figures, if there are none.
    public let figuresMissing: String?
  }

  /// Writes everything into a run directory.
  ///
  /// - Parameters:
  ///   - scores: the rows of all models, baselines and fusions, of all folds and parts.
  ///   - frames: the rows of frames, windows and clips of models that see several of a sample.
  /// - Throws: `FileProblem` or `ReportError`. A missing gnuplot is not an error: the outcome and the page say so.
  public static func write(
    _ report: RunReport, scores: [ScoreRow], frames: [ScoreRow] = [], to directory: URL
  ) throws -> Outcome {
    try write(report, scores: scores, frames: frames, to: directory, gnuplot: Gnuplot())
  }

  static func write(
    _ report: RunReport, scores: [ScoreRow], frames: [ScoreRow] = [], to directory: URL, gnuplot: Gnuplot?,
    resamples: Int = 2000
  ) throws -> Outcome {
    let analysis = try RunAnalysis(report, scores: scores, frames: frames, resamples: resamples)
    let results = directory.appending(path: "Results")
    for table in analysis.tables(report) {
      try writeAtomically(table.csv, to: results.appending(path: table.file))
      let name = table.file.replacing(".csv", with: ".tex")
      try writeAtomically(table.latex, to: results.appending(path: "latex/\(name)"))
    }
    let pictures = pictures(report, in: directory)
    var drawings: [Drawing] = []
    var missing: String?
    if let gnuplot {
      let folder = directory.appending(path: "Figures")
      let narrow = Figures(analysis: analysis, report: report, isPhone: true).all
      for figure in Figures(analysis: analysis, report: report).all {
        let phone = narrow.first { $0.name == figure.name }
        drawings.append(
          Drawing(
            figure: figure, svg: try gnuplot.draw(figure, in: folder),
            phone: try phone.map { ($0, try gnuplot.draw($0, in: folder, keepsFiles: false)) }))
      }
    } else {
      missing =
        "gnuplot is not installed, so there are no figures; install it (Scripts/setup) and run unmask report again"
    }
    try writeJSON(report, to: directory.appending(path: "report.json"))
    let page = directory.appending(path: "report.html")
    let html = Page(report: report, analysis: analysis, drawings: drawings, figuresMissing: missing, pictures: pictures)
      .html
    try writeAtomically(html, to: page)
    return Outcome(page: page, table: analysis.terminalTable, figuresMissing: missing)
  }

  /// Builds the report of a run directory again from its `report.json` and `Scores/`.
  ///
  /// - Parameter update: changes facts that are known better by now.
  /// - Throws: as `write`.
  public static func rebuild(_ directory: URL, update: (inout RunReport) -> Void = { _ in }) throws -> Outcome {
    let facts = directory.appending(path: "report.json")
    var report: RunReport
    do {
      report = try JSONDecoder().decode(RunReport.self, from: Data(readFile(facts)))
    } catch let error as DecodingError {
      throw ReportError(
        "\(facts.path) is not a report of this version (\(error)); give the command that made the run again")
    }
    update(&report)
    return try write(
      report, scores: scores(in: directory.appending(path: "Scores")),
      frames: scores(in: directory.appending(path: "Scores/frames")), to: directory)
  }

  /// Whether a `report.json` is of a run that had not come to its end.
  public static func isUnfinished(_ facts: URL) -> Bool {
    struct Facts: Decodable { let unfinished: RunReport.Unfinished? }
    return (try? JSONDecoder().decode(Facts.self, from: Data(readFile(facts))))?.unfinished != nil
  }

  /// The score rows of a folder, file by file in the order of their names.
  static func scores(in folder: URL) throws -> [ScoreRow] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    return try names.filter { $0.hasSuffix(".csv") }.sorted().flatMap {
      try ScoreFile.read(folder.appending(path: $0))
    }
  }

  /// The previews' pictures as text for the page, by path; one that is missing or too large is left out.
  private static func pictures(_ report: RunReport, in directory: URL) -> [String: String] {
    let paths = Set(report.previews.flatMap { [$0.picture, $0.spectrogram] }.compactMap(\.self))
    var found: [String: String] = [:]
    for path in paths {
      let bytes = try? readFile(directory.appending(path: path), limit: 1 << 18)
      if let bytes { found[path] = "data:image/png;base64," + Data(bytes).base64EncodedString() }
    }
    return found
  }

  private static func writeJSON(_ report: RunReport, to url: URL) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted]
    try writeAtomically(encoder.encode(report), to: url)
  }
}

/// What is wrong with a report's input: one sentence that says what to do.
public struct ReportError: Error, CustomStringConvertible, Equatable {
  /// The sentence.
  public let description: String

  /// Makes an error from its sentence.
  public init(_ description: String) { self.description = description }
}
