public import Foundation

/// A `config.json`, checked value by value: the getters know the reference's defaults and refuse what no model can have.
///
///     let configuration = try ModelConfiguration(contentsOf: folder.appending(path: "config.json"))
///     let width = try configuration.int("hidden_size", default: 768)
public struct ModelConfiguration: Sendable {
  /// The file's bytes, as a model file keeps them.
  public let json: Data
  /// Where it is, for messages.
  public let source: String
  private let values: [String: Value]

  // Published ones have some ten kilobytes, most of it class names.
  private static let sizeLimit = 4 << 20

  /// Reads the text of a `config.json`.
  ///
  /// - Throws: `ModelError` unless it is a JSON object of reasonable size.
  public init(json: Data, source: String) throws {
    guard json.count <= Self.sizeLimit else {
      throw ModelError("\(source) has \(json.count) bytes, more than a model's configuration can need; check the path")
    }
    guard let value = try? JSONDecoder().decode(Value.self, from: json), case .object(let values) = value else {
      throw ModelError("\(source) is not a JSON object; download it again")
    }
    (self.json, self.source, self.values) = (json, source, values)
  }

  /// Reads a file.
  ///
  /// - Throws: `ModelError` if there is none, or it is not a JSON object of reasonable size.
  public init(contentsOf url: URL) throws {
    let size = try? FileManager.default.attributesOfItem(atPath: url.path)[.size] as? Int
    guard size ?? 0 <= Self.sizeLimit else {
      throw ModelError("\(url.path) has \(size ?? 0) bytes, more than a model's configuration can need; check the path")
    }
    guard let json = try? Data(contentsOf: url) else {
      throw ModelError("\(url.path) cannot be read; a weights folder needs it beside model.safetensors")
    }
    try self.init(json: json, source: url.path)
  }

  private init(_ values: [String: Value], json: Data, source: String) {
    (self.values, self.json, self.source) = (values, json, source)
  }

  /// One made of literal text, for the registry's usual sizes.
  ///
  /// - Traps: unless `text` is a JSON object.
  init(literal text: String) {
    do { try self.init(json: Data(text.utf8), source: "the registry") } catch { preconditionFailure("\(error)") }
  }

  /// Whether the key is there and not null.
  public func has(_ key: String) -> Bool {
    if case .null = values[key] ?? .null { return false }
    return true
  }

  /// A whole number within `range`.
  ///
  /// - Throws: `ModelError` naming file and key if it is no such number, or is absent without a default.
  public func int(_ key: String, default: Int? = nil, in range: ClosedRange<Int> = 1...1 << 20) throws -> Int {
    guard has(key) else { return try `default` ?? { throw missing(key) }() }
    guard let number = values[key]?.int, range.contains(number) else {
      throw wrong(key, "a whole number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// A number within `range`.
  ///
  /// - Throws: `ModelError` naming file and key if it is no such number, or is absent without a default.
  public func double(_ key: String, default: Double? = nil, in range: ClosedRange<Double> = 0...1e9) throws -> Double {
    guard has(key) else { return try `default` ?? { throw missing(key) }() }
    guard case .number(let number) = values[key], range.contains(number) else {
      throw wrong(key, "a number from \(range.lowerBound) to \(range.upperBound)")
    }
    return number
  }

  /// `double` in the precision that layers take.
  ///
  /// - Throws: as `double` does.
  public func float(_ key: String, default: Double? = nil, in range: ClosedRange<Double> = 0...1e9) throws -> Float {
    Float(try double(key, default: `default`, in: range))
  }

  /// A truth value.
  ///
  /// - Throws: `ModelError` naming file and key.
  public func bool(_ key: String, default: Bool? = nil) throws -> Bool {
    guard has(key) else { return try `default` ?? { throw missing(key) }() }
    guard case .bool(let value) = values[key] else { throw wrong(key, "true or false") }
    return value
  }

  /// A string, one of `allowed` if that is given.
  ///
  /// - Throws: `ModelError` naming file and key.
  public func string(_ key: String, default: String? = nil, allowed: [String]? = nil) throws -> String {
    guard has(key) else { return try `default` ?? { throw missing(key) }() }
    guard case .string(let value) = values[key], allowed?.contains(value) ?? true else {
      throw wrong(key, allowed.map { "one of " + $0.map { "\"\($0)\"" }.joined(separator: ", ") } ?? "a string")
    }
    return value
  }

  /// A list of whole numbers within `range`, of `count` elements if that is given.
  ///
  /// - Throws: `ModelError` naming file and key.
  public func ints(
    _ key: String, default: [Int]? = nil, count: Int? = nil, in range: ClosedRange<Int> = 1...1 << 20
  ) throws -> [Int] {
    guard has(key) else { return try `default` ?? { throw missing(key) }() }
    let elements = "\(count.map { "\($0) " } ?? "")whole numbers"
    let expected = "a list of \(elements) from \(range.lowerBound) to \(range.upperBound)"
    guard case .list(let list) = values[key], list.count <= 4096, count == nil || list.count == count else {
      throw wrong(key, expected)
    }
    return try list.map { item in
      guard let number = item.int, range.contains(number) else { throw wrong(key, expected) }
      return number
    }
  }

  /// A side in pixels that may be given as one number or as a list of two equal ones.
  ///
  /// - Throws: `ModelError` naming file and key if it is neither.
  public func side(_ key: String, default: Int? = nil, in range: ClosedRange<Int> = 1...8192) throws -> Int {
    guard has(key), case .list = values[key] else { return try int(key, default: `default`, in: range) }
    let sides = try ints(key, count: 2, in: range)
    guard sides[0] == sides[1] else { throw wrong(key, "the side of a square") }
    return sides[0]
  }

  /// A list of numbers, of `count` elements if that is given.
  ///
  /// - Throws: `ModelError` naming file and key.
  public func doubles(_ key: String, default: [Double]? = nil, count: Int? = nil) throws -> [Double] {
    guard has(key) else { return try `default` ?? { throw missing(key) }() }
    guard case .list(let list) = values[key], list.count <= 4096, count == nil || list.count == count else {
      throw wrong(key, "a list of \(count.map { "\($0) " } ?? "")numbers")
    }
    return try list.map { item in
      guard case .number(let number) = item else { throw wrong(key, "a list of numbers") }
      return number
    }
  }

  /// A list of strings; empty if there is none.
  ///
  /// - Throws: `ModelError` naming file and key.
  public func strings(_ key: String) throws -> [String] {
    guard has(key) else { return [] }
    guard case .list(let list) = values[key] else { throw wrong(key, "a list of strings") }
    return try list.map { item in
      guard case .string(let string) = item else { throw wrong(key, "a list of strings") }
      return string
    }
  }

  /// The object under a key, such as `vision_config` of a whole CLIP; nil if there is none.
  ///
  /// - Throws: `ModelError` if something else than an object is there.
  public func section(_ key: String) throws -> ModelConfiguration? {
    guard has(key) else { return nil }
    guard case .object(let inner) = values[key] else { throw wrong(key, "an object") }
    return ModelConfiguration(inner, json: json, source: "\(source), \(key)")
  }

  /// The objects of a list; empty if there is none.
  ///
  /// - Throws: `ModelError` if something else than a list of objects is there.
  public func sections(_ key: String) throws -> [ModelConfiguration] {
    guard has(key) else { return [] }
    guard case .list(let list) = values[key] else { throw wrong(key, "a list of objects") }
    return try list.map { item in
      guard case .object(let inner) = item else { throw wrong(key, "a list of objects") }
      return ModelConfiguration(inner, json: json, source: "\(source), \(key)")
    }
  }

  /// The keys that are there.
  public var keys: [String] { values.keys.sorted() }

  private func missing(_ key: String) -> ModelError {
    ModelError("\(source) has no \"\(key)\"; is it the configuration of another model?")
  }

  private func wrong(_ key: String, _ expected: String) -> ModelError {
    ModelError("\(source): \"\(key)\" is not \(expected); is it the configuration of another model?")
  }

  /// Any JSON value.
  private enum Value: Decodable, Sendable {
    case null, bool(Bool), number(Double), string(String), list([Value]), object([String: Value])

    init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if container.decodeNil() {
        self = .null
      } else if let value = try? container.decode(Bool.self) {
        self = .bool(value)
      } else if let value = try? container.decode(Double.self) {
        self = .number(value)
      } else if let value = try? container.decode(String.self) {
        self = .string(value)
      } else if let value = try? container.decode([Value].self) {
        self = .list(value)
      } else {
        self = .object(try container.decode([String: Value].self))
      }
    }

    var int: Int? {
      guard case .number(let number) = self else { return nil }
      return Int(exactly: number)
    }
  }
}
