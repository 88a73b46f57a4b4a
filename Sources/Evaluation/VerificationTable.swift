public import Files
public import Foundation

/// Reading of a speaker verification system's scores: columns of a score file, or ASVspoof's listing.
extension VerificationScores {
  /// How a table says which trials are which.
  public struct Columns: Sendable, Hashable {
    /// The column with the verification scores.
    public var score: String
    /// The column with the kinds of trials.
    public var kind: String
    /// Its text for trials of the right speaker; numbers compare as numbers.
    public var target: String
    /// Its text for spoofed trials; everything else is a non-target trial.
    public var spoof: String
    /// The column with the attack of spoofed trials, if there is one.
    public var attack: String?

    /// Columns by name.
    public init(score: String, kind: String, target: String, spoof: String, attack: String? = nil) {
      (self.score, self.kind, self.target, self.spoof, self.attack) = (score, kind, target, spoof, attack)
    }
  }

  /// Reads a table with one row a trial.
  ///
  /// - Throws: `FileProblem` or `EvaluationError` naming the line.
  public init(_ table: CSVReader, name: String, _ columns: Columns) throws {
    let (score, kind) = (try table.column(columns.score), try table.column(columns.kind))
    let attack = columns.attack.flatMap(table.header.firstIndex(of:))
    self.init(target: [], nontarget: [], spoof: [])
    try table.forEachRow { line, fields in
      guard let value = Double(fields[score]), value.isFinite else {
        throw EvaluationError(
          "\(name):\(line): verification score \"\(fields[score])\" is not a number; correct the row")
      }
      let same = { (text: String) in
        if let a = Double(fields[kind]), let b = Double(text) { return a == b }
        return fields[kind] == text
      }
      if same(columns.spoof) {
        spoof.append(value)
        if let attack { attacks.append(fields[attack]) }
      } else if same(columns.target) {
        target.append(value)
      } else {
        nontarget.append(value)
      }
    }
  }

  /// Reads ASVspoof's listing: words apart by spaces, the last two of a line being `target`, `nontarget` or `spoof`, and the
  /// score; a word before them names a spoof's attack.
  ///
  /// - Throws: `FileProblem` or `EvaluationError` naming the line.
  public init(listing url: URL) throws {
    self.init(target: [], nontarget: [], spoof: [])
    let text = String(decoding: try readFile(url), as: UTF8.self)
    for (number, line) in text.split(separator: "\n", omittingEmptySubsequences: false).enumerated() {
      let words = line.split(whereSeparator: \.isWhitespace)
      if words.isEmpty { continue }
      guard words.count >= 2, let value = Double(words[words.count - 1]), value.isFinite else {
        throw EvaluationError("\(url.path):\(number + 1): the line does not end with a kind of trial and a score")
      }
      switch words[words.count - 2] {
      case "target": target.append(value)
      case "nontarget": nontarget.append(value)
      case "spoof":
        spoof.append(value)
        if words.count > 2 { attacks.append(String(words[words.count - 3])) }
      case let other:
        throw EvaluationError(
          "\(url.path):\(number + 1): \"\(other)\" is no kind of trial; it must be target, nontarget or spoof")
      }
    }
  }
}
