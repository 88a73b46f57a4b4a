internal import Files
public import Foundation

/// A published data set's folder: its lists as lines, tables and JSON, and its media files. Paths are relative to it.
public struct OfficialTree: Sendable {
  /// The folder.
  public let root: URL
  /// The name for the samples.
  public let dataset: String

  /// Whether a file or folder is there.
  public func has(_ path: String) -> Bool { FileManager.default.fileExists(atPath: place(path).path) }

  /// The first of some paths that is there.
  public func first(_ paths: [String]) -> String? { paths.first(where: has) }

  /// The first of some lists; there must be one.
  ///
  /// - Throws: `DatasetError` naming them.
  public func require(_ paths: [String], _ what: String) throws -> String {
    if let path = first(paths) { return path }
    throw DatasetError(root.path, "\(what) is missing; it is looked for as \(paths.joined(separator: " or "))")
  }

  /// The words of each line of a list that are parted by spaces or tabs; empty lines are left out.
  ///
  /// - Throws: `DatasetError` for a line of another number of words than `columns`, if given; `FileProblem`.
  public func lines(_ path: String, columns: Int? = nil) throws -> [(line: Int, words: [String])] {
    let bytes = try readFile(place(path))
    var result: [(line: Int, words: [String])] = []
    var number = 0
    for line in bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false) {
      number += 1
      let words = line.split { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: "\r") }
      guard !words.isEmpty else { continue }
      if let columns, words.count != columns {
        throw problem(path, number, "the line has \(words.count) words, not \(columns)")
      }
      result.append((number, words.map { String(decoding: $0, as: UTF8.self) }))
    }
    return result
  }

  /// A comma-separated table, row by row.
  ///
  /// - Throws: `FileProblem`; what `body` throws.
  public func table(_ path: String, _ body: (_ line: Int, _ row: (String) throws -> String) throws -> Void) throws {
    let reader = try CSVReader(contentsOf: place(path))
    try reader.forEachRow { line, fields in try body(line) { fields[try reader.column($0)] } }
  }

  /// A JSON file.
  ///
  /// - Throws: `DatasetError` saying which key is missing or of another kind; `FileProblem`.
  public func json<Value: Decodable>(_ path: String, as type: Value.Type) throws -> Value {
    let data = Data(try readFile(place(path)))
    do { return try JSONDecoder().decode(type, from: data) } catch let error as DecodingError {
      let (context, key): (DecodingError.Context, String) =
        switch error {
        case .keyNotFound(let key, let context): (context, " \"\(key.stringValue)\"")
        case .typeMismatch(_, let context), .valueNotFound(_, let context), .dataCorrupted(let context): (context, "")
        @unknown default: throw error
        }
      let way = context.codingPath.map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: ".")
      throw DatasetError(
        place(path).path,
        "the JSON is not as published\(way.isEmpty ? "" : " at \(way)")\(key): \(context.debugDescription)")
    }
  }

  /// Media files below a folder, sorted; nothing when the folder is not there.
  public func media(below folder: String, _ kind: Modality) throws -> [String] {
    guard has(folder) else { return [] }
    var result: [String] = []
    try FolderWalk.files(below: place(folder)) { path in
      guard FileKind.promised(by: path).contains(Modalities(kind)) else { return }
      result.append(folder.isEmpty ? path : folder + "/" + path)
    }
    return result.sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
  }

  /// Names in a folder, sorted, hidden ones left out.
  public func names(in folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: place(folder).path)) ?? []).filter { !$0.hasPrefix(".") }
      .sorted()
  }

  /// A label as the field writes it: real, bonafide, bona-fide; fake, spoof. Never a number.
  ///
  /// - Throws: `DatasetError` naming the line.
  public func label(_ text: String, _ path: String, _ line: Int) throws -> Label {
    switch text.lowercased() {
    case "real", "bonafide", "bona-fide": return .real
    case "fake", "spoof": return .fake
    default: throw problem(path, line, "\"\(text)\" is not a label; expected real or fake, bonafide or spoof")
    }
  }

  /// An error about the whole folder.
  public func problem(_ detail: String) -> DatasetError { DatasetError(root.path, detail) }

  /// An error about a line of a list.
  public func problem(_ path: String, _ line: Int, _ detail: String) -> DatasetError {
    DatasetError("\(place(path).path):\(line)", detail)
  }

  private func place(_ path: String) -> URL { path.isEmpty ? root : root.appendingPathComponent(path) }
}

/// Samples that a reader collects. A path that comes twice is kept once if both say the same.
public struct SampleList: Sendable {
  /// The samples so far.
  public private(set) var samples: [Sample] = []
  /// Names of the extra values.
  public let extraColumns: [String]
  private let tree: OfficialTree
  private var known: [String: Int] = [:]

  /// An empty list.
  public init(_ tree: OfficialTree, extra: [String] = []) { (self.tree, extraColumns) = (tree, extra) }

  /// Adds a sample, with what its name promises; `fill` sets the rest.
  ///
  /// - Throws: `DatasetError` for a path that leaves the folder, or one with both labels.
  public mutating func add(_ path: String, _ label: Label, _ fill: (inout Sample) -> Void = { _ in }) throws {
    guard let id = RelativePath.clean(path) else {
      throw DatasetError(tree.root.path, "the lists name \"\(path)\", which is not below the folder")
    }
    if let first = known[id] {
      guard samples[first].label == label else {
        throw DatasetError(tree.root.path, "the lists call \(id) both real and fake; use the official ones")
      }
      return
    }
    var sample = Sample(id: id, dataset: tree.dataset, label: label)
    sample.modalities = FileKind.promised(by: id)
    sample.extra = extraColumns.map { _ in "" }
    fill(&sample)
    precondition(sample.extra.count == extraColumns.count, "SampleList: \(extraColumns.count) extra values are needed")
    known[id] = samples.count
    samples.append(sample)
  }
}

extension FakeInterval {
  /// The fake parts of an entry of a JSON list, as pairs of seconds.
  ///
  /// - Throws: `DatasetError` naming list, entry and key.
  static func list(pairs: [[Double]], of entry: String, _ key: String, _ path: String) throws -> [FakeInterval] {
    try pairs.map { pair in
      guard pair.count == 2, pair[0] >= 0, pair[1] > pair[0], pair[1].isFinite else {
        throw DatasetError(path, "\(entry) has \(key) that are not [start, end] in seconds")
      }
      return FakeInterval(start: pair[0], end: pair[1])
    }
  }
}

extension String {
  /// The last part of a path, without its extension.
  var stem: String {
    let name = split(separator: "/").last.map(String.init) ?? self
    return name.lastIndex(of: ".").map { String(name[..<$0]) } ?? name
  }
}
