import Files
import Foundation

/// A figure as a gnuplot script body and its data, both independent of the output format.
struct Figure: Sendable {
  /// The file name without its ending.
  let name: String
  /// One sentence under the figure.
  let caption: String
  let width: Int
  let height: Int
  /// Commands after `set terminal` and `set output`; `DATA` stands for the data file's quoted name.
  let script: String
  /// Blocks of rows; the script names block k by `index k`.
  let blocks: [[String]]

  /// The data file. Blocks are two empty lines apart; an empty block still counts.
  var data: String {
    blocks.map { ($0.isEmpty ? ["NaN NaN NaN NaN"] : $0).joined(separator: "\n") }.joined(separator: "\n\n\n") + "\n"
  }
}

/// A figure as the page has it: as its files are, and as a phone shows it.
struct Drawing: Sendable {
  let figure: Figure
  let svg: String
  let phone: (figure: Figure, svg: String)?
}

/// Runs gnuplot on script files and checks what it says.
struct Gnuplot: Sendable {
  private let program: URL

  /// Looks for gnuplot on the PATH.
  init?(path: String? = ProcessInfo.processInfo.environment["PATH"]) {
    let found = (path ?? "").split(separator: ":").map { URL(fileURLWithPath: "\($0)/gnuplot") }
      .first { FileManager.default.isExecutableFile(atPath: $0.path) }
    guard let found else { return nil }
    program = found
  }

  /// A text in gnuplot's single quotes, where only the quote itself is special.
  static func quoted(_ text: String) -> String {
    let line = text.split(whereSeparator: \.isNewline).joined(separator: " ")
    return "'" + line.replacing("'", with: "''") + "'"
  }

  /// Names along an axis, at 0, 1, 2, …
  static func tics(_ names: [String]) -> String {
    names.enumerated().map { "\(quoted($1)) \($0)" }.joined(separator: ", ")
  }

  /// Draws a figure as `name.png` (twice the size, for print) and `name.svg` in a folder.
  ///
  /// - Parameter keepsFiles: false for a figure that is wanted as text only.
  /// - Returns: the SVG's text.
  /// - Throws: `FileProblem`, or `ReportError` with what gnuplot said.
  func draw(_ figure: Figure, in folder: URL, keepsFiles: Bool = true) throws -> String {
    try makeFolder(folder)
    let scratch = folder.appending(path: ".\(figure.name)-\(UUID().uuidString)")
    try makeFolder(scratch)
    defer { try? FileManager.default.removeItem(at: scratch) }
    let (png, svg) = (scratch.appending(path: "figure.png"), scratch.appending(path: "figure.svg"))
    let data = scratch.appending(path: "figure.dat")
    let body = figure.script.replacing("DATA", with: Self.quoted(data.path))
    let (w, h) = (figure.width, figure.height)
    let font = "font 'DejaVu Sans,11'"
    let print = """
      set terminal pngcairo size \(2 * w),\(2 * h) \(font) fontscale 2 linewidth 2 pointscale 2 noenhanced background '#ffffff'
      set output \(Self.quoted(png.path))
      \(body)
      unset output
      reset
      """
    let script = """
      set encoding utf8
      \(keepsFiles ? print : "")
      set terminal svg size \(w),\(h) \(font) noenhanced name '\(figure.name)\(keepsFiles ? "" : "_phone")' background '#ffffff'
      set output \(Self.quoted(svg.path))
      \(body)
      unset output

      """
    try writeAtomically(figure.data, to: data)
    try writeAtomically(script, to: scratch.appending(path: "figure.gp"))
    try run(scratch.appending(path: "figure.gp"), figure.name)
    for (from, ending) in keepsFiles ? [(png, "png"), (svg, "svg")] : [] {
      let bytes = try readFile(from)
      guard bytes.count > 100 else { throw ReportError("gnuplot wrote an empty \(figure.name).\(ending)") }
      try writeAtomically(bytes, to: folder.appending(path: "\(figure.name).\(ending)"))
    }
    return String(decoding: try readFile(svg), as: UTF8.self)
  }

  private func run(_ script: URL, _ name: String) throws {
    let process = Process()
    process.executableURL = program
    process.arguments = [script.path]
    // A user's ~/.gnuplot, locale or GDFONTPATH must not change figures.
    process.environment = ["HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "PATH": "/usr/bin:/bin"]
    process.currentDirectoryURL = script.deletingLastPathComponent()
    let words = Pipe()
    process.standardError = words
    process.standardOutput = FileHandle.nullDevice
    process.standardInput = FileHandle.nullDevice
    do { try process.run() } catch {
      throw ReportError("gnuplot (\(program.path)) cannot be started: \(error.localizedDescription)")
    }
    let said = String(decoding: words.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      let line = said.split(separator: "\n").last { !$0.trimmingCharacters(in: .whitespaces).isEmpty }
      throw ReportError("gnuplot failed on figure \(name): \(line ?? "it gave no reason")")
    }
  }
}
