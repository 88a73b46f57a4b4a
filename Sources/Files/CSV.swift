public import Foundation

/// Reads comma-separated values (RFC 4180: quotes, doubled quotes, line breaks inside quotes; LF or CRLF; a byte-order
/// mark is skipped) row by row from bytes in memory.
///
///     let reader = try CSVReader(contentsOf: url)
///     let label = try reader.column("label")
///     try reader.forEachRow { line, fields in print(line, fields[label]) }
public struct CSVReader: Sendable {
  /// The column names.
  public let header: [String]
  private let bytes: [UInt8]
  private let firstRow: (offset: Int, line: Int)
  private let name: String

  /// Reads a whole file.
  ///
  /// - Throws: `FileProblem` when it cannot be read, is empty or not UTF-8, or repeats a column name.
  public init(contentsOf url: URL) throws {
    try self.init(readFile(url), name: url.path)
  }

  /// Reads from memory; `name` stands for the path in errors.
  ///
  /// - Throws: `FileProblem` as `init(contentsOf:)`.
  public init(_ bytes: [UInt8], name: String) throws {
    guard !bytes.isEmpty, isUTF8(bytes) else {
      throw FileProblem(
        path: name, reason: bytes.isEmpty ? "the table is empty" : "the table is not UTF-8 text",
        advice: "write a header line and one line a row, in UTF-8")
    }
    self.bytes = bytes
    self.name = name
    var position = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    var line = 1
    header = try bytes.withUnsafeBufferPointer { bytes in
      var fields = CSVFields(bytes)
      _ = try Self.row(&fields, &position, &line, name)
      return (0..<fields.count).map { fields[$0] }
    }
    firstRow = (position, line)
    if let twice = Dictionary(grouping: header, by: { $0 }).filter({ $1.count > 1 }).keys.min() {
      throw FileProblem(path: name, reason: "column \"\(twice)\" stands twice in the header")
    }
  }

  /// The position of a column that must be there.
  ///
  /// - Throws: `FileProblem` naming the columns that are.
  public func column(_ wanted: String) throws -> Int {
    if let index = header.firstIndex(of: wanted) { return index }
    throw FileProblem(
      path: name, reason: "column \"\(wanted)\" is missing", advice: "the columns are \(header.joined(separator: ", "))"
    )
  }

  /// Calls `body` with each row's first line number and its fields, as many as the header has. Empty lines are skipped.
  ///
  /// - Throws: `FileProblem` for a row of another width or an unclosed quote, naming the line; what `body` throws.
  public func forEachRow(_ body: (_ line: Int, _ fields: [String]) throws -> Void) throws {
    try forEachRecord { line, fields in try body(line, (0..<fields.count).map { fields[$0] }) }
  }

  /// The same without making texts of the fields: for tables of millions of rows.
  ///
  /// - Throws: as `forEachRow`.
  public func forEachRecord(_ body: (_ line: Int, _ fields: borrowing CSVFields) throws -> Void) throws {
    try bytes.withUnsafeBufferPointer { bytes in
      var fields = CSVFields(bytes)
      fields.bounds.reserveCapacity(header.count)
      var (position, line) = firstRow
      while true {
        let start = line
        guard try Self.row(&fields, &position, &line, name) else { return }
        if fields.count == 1, fields.isEmpty(0), header.count > 1 { continue }
        guard fields.count == header.count else {
          throw FileProblem(
            path: "\(name):\(start)", reason: "the row has \(fields.count) fields, the header \(header.count)")
        }
        try body(start, fields)
      }
    }
  }

  /// One row from `position` on, which is moved behind it; false at the end.
  private static func row(
    _ fields: inout CSVFields, _ position: inout Int, _ line: inout Int, _ name: String
  ) throws -> Bool {
    let bytes = fields.bytes
    fields.bounds.removeAll(keepingCapacity: true)
    let count = bytes.count
    guard position < count else { return false }
    let (comma, quote, lineFeed, carriageReturn) = (
      UInt8(ascii: ","), UInt8(ascii: "\""), UInt8(ascii: "\n"), UInt8(13)
    )
    let first = line
    var place = position
    defer { position = place }
    while true {
      if place < count, bytes[place] == quote {
        place += 1
        let start = place
        var isEscaped = false
        while true {
          guard place < count else {
            throw FileProblem(path: "\(name):\(first)", reason: "a quote is opened and never closed")
          }
          let byte = bytes[place]
          place += 1
          if byte == quote {
            guard place < count, bytes[place] == quote else { break }
            place += 1
            isEscaped = true
          }
          if byte == lineFeed { line += 1 }
        }
        fields.bounds.append(.init(start: UInt32(start), end: UInt32(place - 1), isEscaped: isEscaped))
      } else {
        let start = place
        while place < count, bytes[place] != comma, bytes[place] != lineFeed { place &+= 1 }
        var end = place
        if end > start, end == count || bytes[end] == lineFeed, bytes[end - 1] == carriageReturn { end -= 1 }
        fields.bounds.append(.init(start: UInt32(start), end: UInt32(end), isEscaped: false))
      }
      if place < count, bytes[place] == carriageReturn { place += 1 }
      guard place < count else { return true }
      let byte = bytes[place]
      place += 1
      if byte == comma { continue }
      guard byte == lineFeed else {
        throw FileProblem(
          path: "\(name):\(first)", reason: "text follows a closing quote; double a quote inside quotes")
      }
      line += 1
      return true
    }
  }
}

/// Whether bytes are UTF-8 text. ASCII, which most tables are, is told eight bytes at a time and not copied.
private func isUTF8(_ bytes: [UInt8]) -> Bool {
  let isASCII = bytes.withUnsafeBytes { raw in
    let words = raw.count / 8
    var seen: UInt64 = 0
    for word in 0..<words { seen |= raw.loadUnaligned(fromByteOffset: word &* 8, as: UInt64.self) }
    for index in words * 8..<raw.count { seen |= UInt64(raw[index]) }
    return seen & 0x8080_8080_8080_8080 == 0
  }
  return isASCII || String(validating: bytes, as: UTF8.self) != nil
}

/// Builds comma-separated text; a field is quoted only where it must be.
public struct CSVWriter: Sendable {
  /// The text so far, header included.
  public private(set) var text = ""
  private let width: Int

  /// Starts with a header.
  public init(header: [String]) {
    width = header.count
    append(header)
  }

  /// Adds a row.
  ///
  /// - Traps: if its width is not the header's.
  public mutating func append(_ fields: [String]) {
    precondition(fields.count == width, "CSVWriter: \(fields.count) fields under \(width) columns")
    for (index, field) in fields.enumerated() {
      if index > 0 { text += "," }
      let special = field.utf8.contains { $0 == 0x22 || $0 == 0x2C || $0 == 0x0A || $0 == 0x0D }
      text += special ? "\"" + field.replacing("\"", with: "\"\"") + "\"" : field
    }
    text += "\n"
  }
}
