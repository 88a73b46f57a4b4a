public import Files
public import Foundation

/// What a sample is. Polarity goes by name everywhere; scores are P(fake).
public enum Truth: String, Sendable, Hashable, Codable {
  /// Not manipulated.
  case real
  /// Manipulated.
  case fake
}

/// What the data scored was for the model that scored it.
public enum Part: String, Sendable, Hashable, Codable {
  /// Chose thresholds, calibration, fusion weights and the epoch to stop at.
  case validation
  /// Was scored once.
  case test
}

/// A sample's name within its data set; two data sets may use the same names.
public struct SampleID: Sendable, Hashable, Codable, CustomStringConvertible {
  /// The data set.
  public let dataset: String
  /// The sample.
  public let sample: String

  /// Makes a name from its parts.
  public init(dataset: String, sample: String) { (self.dataset, self.sample) = (dataset, sample) }

  /// `dataset/sample`, or the sample alone.
  public var description: String { dataset.isEmpty ? sample : "\(dataset)/\(sample)" }
}

/// One row of a score file: one sample's score by one fold's model, or why there is none.
public struct ScoreRow: Sendable, Hashable, Codable {
  /// The sample's name, unique in its data set.
  public var sample: String
  /// The data set it is of.
  public var dataset: String
  /// The fold whose model scored it.
  public var fold: Int
  /// What the sample was for that model.
  public var part: Part
  /// What the model is judged by: its own modality's label.
  public var label: Truth
  /// Kind of manipulation; empty for real samples.
  public var type: String
  /// The model's name.
  public var model: String
  /// P(fake); nil when the sample could not be scored.
  public var score: Double?
  /// The logit that the score came from, if the model has one.
  public var logit: Double?
  /// Why there is no score; empty when there is one.
  public var reason: String
  /// Which frame, window or clip of the sample the score is of, from 0; nil where it is the whole sample's.
  public var frame: Int?

  /// Makes a row.
  public init(
    sample: String, dataset: String, fold: Int, part: Part, label: Truth, type: String = "", model: String,
    score: Double?, logit: Double? = nil, reason: String = "", frame: Int? = nil
  ) {
    (self.sample, self.dataset, self.fold, self.part, self.label) = (sample, dataset, fold, part, label)
    (self.type, self.model, self.score, self.logit, self.reason) = (type, model, score, logit, reason)
    self.frame = frame
  }

  /// The sample's full name.
  public var id: SampleID { SampleID(dataset: dataset, sample: sample) }
  /// Whether the label is fake.
  public var isFake: Bool { label == .fake }
  /// The logit, from the score where the model gives none.
  public var logitOrDerived: Double? { logit ?? score.map(Evaluation.logit) }
}

/// Reading and writing of score files: `sample,dataset,fold,part,label,type,model,score,logit,reason`. Files of single frames,
/// windows or clips have a column `frame` too.
public enum ScoreFile {
  /// The columns, in this order.
  public static let columns = [
    "sample", "dataset", "fold", "part", "label", "type", "model", "score", "logit", "reason",
  ]
  /// The column of files with several scores a sample.
  public static let frameColumn = "frame"

  /// How another tool's columns are to be read.
  public struct Mapping: Sendable, Hashable {
    /// Our column name to theirs.
    public var names: [String: String]
    /// The label that means fake, where labels are not `real` and `fake`.
    public var fakeLabel: String?
    /// Scores rise with "real" there: the sign of logits and the complement of probabilities is taken.
    public var higherIsReal: Bool

    /// Our own files.
    public init(names: [String: String] = [:], fakeLabel: String? = nil, higherIsReal: Bool = false) {
      (self.names, self.fakeLabel, self.higherIsReal) = (names, fakeLabel, higherIsReal)
    }
  }

  /// Reads a file. Only `label` and `score` are required; a missing `sample` becomes the row's number, a missing `part`
  /// test, a missing `model` the file's name.
  ///
  /// - Throws: `FileProblem` or `EvaluationError` naming file and line.
  public static func read(_ url: URL, mapping: Mapping = Mapping()) throws -> [ScoreRow] {
    try read(CSVReader(contentsOf: url), name: url.path, model: url.deletingPathExtension().lastPathComponent, mapping)
  }

  /// Reads from a table; see `read(_:mapping:)`.
  public static func read(
    _ table: CSVReader, name: String, model: String, _ mapping: Mapping = Mapping()
  ) throws -> [ScoreRow] {
    for (ours, theirs) in mapping.names.sorted(by: { $0.key < $1.key }) {
      guard columns.contains(ours) || ours == frameColumn else {
        throw EvaluationError(
          "there is no score column \"\(ours)\" to map \"\(theirs)\" to; "
            + suggestion(ours, among: columns + [frameColumn]))
      }
      _ = try table.column(theirs)
    }
    let position = { (column: String) in table.header.firstIndex(of: mapping.names[column] ?? column) }
    let label = try needed("label", of: table, name, mapping)
    let score = try needed("score", of: table, name, mapping)
    let (sample, dataset, fold, part) = (position("sample"), position("dataset"), position("fold"), position("part"))
    let (type, modelColumn, logitColumn) = (position("type"), position("model"), position("logit"))
    let (reason, frame) = (position("reason"), position(frameColumn))
    var rows: [ScoreRow] = []
    // Most tables have one data set and model and a few kinds: equal neighbours share one text.
    var (datasets, types, models, reasons) = (LastText(), LastText(), LastText(), LastText())
    var others: Set<String> = []  // labels that are not the fake one
    let fakeNumber = mapping.fakeLabel.flatMap(Double.init)
    try table.forEachRecord { line, fields in
      func fail(_ what: String) -> EvaluationError { EvaluationError("\(name):\(line): \(what)") }
      func number(_ column: Int?, _ what: String) throws -> Double? {
        guard let column, !fields.isEmpty(column) else { return nil }
        guard let value = fields.number(column) ?? Double(fields[column].trimmed), !value.isNaN else {
          throw fail(
            "\(what) \"\(fields[column])\" is not a number; leave it empty and give a reason where there is none")
        }
        return value
      }
      let value = try number(score, "score").map { mapping.higherIsReal ? -$0 : $0 }
      let why = reason.map { reasons.text(fields, $0) } ?? ""
      guard value != nil || !why.isEmpty || reason == nil else {
        throw fail("the row has neither a score nor a reason; give one of them")
      }
      let truth: Truth
      if let fake = mapping.fakeLabel {
        if let fakeNumber, let given = fields.number(label) {
          truth = given == fakeNumber ? .fake : .real
        } else {
          truth = fields.equals(label, fake) ? .fake : .real
        }
        if truth == .real, others.count < 5 { others.insert(fields[label]) }
      } else if fields.equals(label, "fake") {
        truth = .fake
      } else if fields.equals(label, "real") {
        truth = .real
      } else if let known = Truth(word: String(fields[label].trimmed)) {
        truth = known
      } else {
        throw fail("label \"\(fields[label])\" is neither real nor fake; say which one is fake with --fake-label")
      }
      guard let foldNumber = fold.map({ fields.isEmpty($0) ? 0 : fields.integer($0) }) ?? 0 else {
        throw fail("fold \"\(fields[fold!])\" is not a whole number")
      }
      var frameNumber: Int?
      if let frame, !fields.isEmpty(frame) {
        frameNumber = fields.integer(frame) ?? rows.count  // names are numbered by their order
      }
      var partValue = Part.test
      if let part, !fields.isEmpty(part), !fields.equals(part, "test") {
        guard fields.equals(part, "validation") else {
          throw fail("part \"\(fields[part])\" is neither validation nor test")
        }
        partValue = .validation
      }
      rows.append(
        ScoreRow(
          sample: sample.map { fields[$0] } ?? "\(rows.count)",
          dataset: dataset.map { datasets.text(fields, $0) } ?? "",
          fold: foldNumber, part: partValue, label: truth, type: type.map { types.text(fields, $0) } ?? "",
          model: modelColumn.map { models.text(fields, $0) } ?? model, score: value,
          logit: try number(logitColumn, "logit").map { mapping.higherIsReal ? -$0 : $0 },
          reason: value == nil && why.isEmpty ? "no score" : why, frame: frameNumber))
    }
    if let fake = mapping.fakeLabel, !rows.isEmpty, !rows.contains(where: \.isFake) {
      throw EvaluationError(
        "\(name): no row has the label \"\(fake)\", which was to mean fake; the labels there are "
          + others.sorted().map { "\"\($0)\"" }.joined(separator: ", "))
    }
    // The complement of probabilities, not their negative: they stay probabilities.
    if mapping.higherIsReal, rows.allSatisfy({ $0.score.map { -1...0 ~= $0 } ?? true }) {
      for index in rows.indices { rows[index].score = rows[index].score.map { 1 + $0 } }
    }
    return rows
  }

  /// The position of a column without which there is nothing to evaluate.
  private static func needed(
    _ column: String, of table: CSVReader, _ name: String, _ mapping: Mapping
  ) throws -> Int {
    if mapping.names[column] != nil || table.header.contains(column) {
      return try table.column(mapping.names[column] ?? column)
    }
    let header = table.header
    let advice: String
    if header.count == 1, let mark = header[0].first(where: { $0 == ";" || $0 == "\t" }) {
      advice = "the columns are parted by \(mark == ";" ? "semicolons" : "tabs"); part them by commas"
    } else if header.contains(where: { Double($0) != nil }) {
      advice =
        "the first line, \(header.joined(separator: ",")), is a row already; write a header line before it, "
        + "such as sample,label,score"
    } else {
      advice =
        "the columns are \(header.joined(separator: ", ")); say which it is with --column \(column)="
        + (nearest(column, among: header) ?? "NAME")
    }
    throw EvaluationError("\(name): column \"\(column)\" is missing; \(advice)")
  }

  /// A text that is made anew only when it changes.
  private struct LastText {
    private var last = ""

    mutating func text(_ fields: borrowing CSVFields, _ column: Int) -> String {
      if !fields.equals(column, last) { last = fields[column] }
      return last
    }
  }

  /// The rows as text; numbers in the shortest form that reads back to the same double.
  public static func text(_ rows: [ScoreRow]) -> String {
    let hasFrames = rows.contains { $0.frame != nil }
    var table = CSVWriter(header: columns + (hasFrames ? [frameColumn] : []))
    for row in rows {
      let cells = [
        row.sample, row.dataset, "\(row.fold)", row.part.rawValue, row.label.rawValue, row.type, row.model,
        row.score.map { "\($0)" } ?? "", row.logit.map { "\($0)" } ?? "", row.reason,
      ]
      table.append(hasFrames ? cells + [row.frame.map { "\($0)" } ?? ""] : cells)
    }
    return table.text
  }

  /// Writes a file, whole or not at all.
  ///
  /// - Throws: `FileProblem`.
  public static func write(_ rows: [ScoreRow], to url: URL) throws {
    try writeAtomically(text(rows), to: url)
  }
}

extension Truth {
  /// A label as the field writes it, by word and in any case; never a number, which means different things to different
  /// sets. Nil for any other.
  public init?(word: String) {
    switch word.lowercased() {
    case "real", "bonafide", "bona-fide", "genuine": self = .real
    case "fake", "spoof": self = .fake
    default: return nil
    }
  }
}

extension String {
  /// Without spaces at either end.
  fileprivate var trimmed: Substring {
    var text = self[...]
    while text.first?.isWhitespace == true { text.removeFirst() }
    while text.last?.isWhitespace == true { text.removeLast() }
    return text
  }
}
