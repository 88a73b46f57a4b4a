import Foundation
import Testing

/// A JSON value whose fields are read by name; a wrong name or type fails with a sentence instead of a crash.
enum JSON: Decodable, Sendable {
  case null, bool(Bool), number(Double), text(String)
  indirect case list([JSON])
  indirect case fields([String: JSON])

  init(from decoder: any Decoder) throws {
    let value = try decoder.singleValueContainer()
    if value.decodeNil() {
      self = .null
    } else if let bool = try? value.decode(Bool.self) {
      self = .bool(bool)
    } else if let number = try? value.decode(Double.self) {
      self = .number(number)
    } else if let text = try? value.decode(String.self) {
      self = .text(text)
    } else if let list = try? value.decode([JSON].self) {
      self = .list(list)
    } else {
      self = .fields(try value.decode([String: JSON].self))
    }
  }

  subscript(_ name: String) -> JSON {
    if case .fields(let fields) = self { fields[name] ?? .null } else { .null }
  }

  var exists: Bool { if case .null = self { false } else { true } }
  var items: [JSON] { if case .list(let list) = self { list } else { [] } }
  var keys: [String] { if case .fields(let fields) = self { fields.keys.sorted() } else { [] } }
  var text: String { if case .text(let text) = self { text } else { "" } }
  var flag: Bool { if case .bool(let flag) = self { flag } else { false } }
  /// Not a number when the field is missing: every comparison with it fails.
  var number: Double {
    switch self {
    case .number(let number): number
    case .text("Infinity"): .infinity
    case .text("-Infinity"): -.infinity
    default: .nan
    }
  }
  var int: Int { number.isNaN ? -1 : Int(number) }
  var numbers: [Double] { items.map(\.number) }
  var ints: [Int] { items.map(\.int) }
  var table: [[Double]] { items.map(\.numbers) }
}

/// One case of a file, for parametrised tests.
struct Case: Sendable, CustomTestStringConvertible {
  let content: JSON
  var name: String { content["name"].text }
  var expected: JSON { content["expected"] }
  var testDescription: String { name }
  subscript(_ field: String) -> JSON { content[field] }

  /// The cases of a file in the tree that UNMASK_CASES names, or of the fixtures where that tree has no such file.
  static func load(_ file: String) -> [Case] {
    let own = URL(fileURLWithPath: #filePath).deletingLastPathComponent().appending(
      path: "../Fixtures/stats/\(file).json")
    let other = ProcessInfo.processInfo.environment["UNMASK_CASES"].map {
      URL(fileURLWithPath: $0).appending(path: "stats/\(file).json")
    }
    let url = other.flatMap { FileManager.default.fileExists(atPath: $0.path) ? $0 : nil } ?? own
    do {
      return try JSONDecoder().decode(JSON.self, from: Data(contentsOf: url))["cases"].items.map(Case.init)
    } catch {
      preconditionFailure("the cases cannot be read from \(url.path): \(error)")
    }
  }
}

/// Checks that two numbers agree to an absolute or relative tolerance.
func expect(
  _ value: Double?, near expected: Double, absolute: Double = 1e-9, relative: Double = 0, _ what: String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  guard let value else {
    Issue.record("\(what): undefined, expected \(expected)", sourceLocation: sourceLocation)
    return
  }
  let near = value == expected || abs(value - expected) <= max(absolute, relative * abs(expected))
  #expect(near, "\(what): \(value), expected \(expected)", sourceLocation: sourceLocation)
}

/// Checks lists of numbers.
func expect(
  _ values: [Double], near expected: [Double], absolute: Double = 1e-9, relative: Double = 0, _ what: String,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  #expect(values.count == expected.count, "\(what): length", sourceLocation: sourceLocation)
  for (index, pair) in zip(values, expected).enumerated() {
    expect(
      pair.0, near: pair.1, absolute: absolute, relative: relative, "\(what)[\(index)]", sourceLocation: sourceLocation)
  }
}
