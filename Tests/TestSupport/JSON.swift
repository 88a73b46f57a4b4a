public import Foundation

/// Any JSON value, read leniently: what fixtures hold.
public enum JSON: Sendable, Decodable {
  /// true or false
  case bool(Bool)
  /// A number, or one of the strings `Infinity` and `-Infinity` where a number is asked for
  case number(Double)
  /// A string
  case string(String)
  /// A list
  case list([JSON])
  /// An object
  case object([String: JSON])
  /// null
  case null

  /// Decodes whatever there is.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Double.self) {
      self = .number(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([JSON].self) {
      self = .list(value)
    } else {
      self = .object(try container.decode([String: JSON].self))
    }
  }

  /// The JSON file at `url`.
  public static func read(_ url: URL) throws -> JSON {
    try JSONDecoder().decode(JSON.self, from: Data(contentsOf: url))
  }

  /// A member of an object, nil if it is absent or null.
  public subscript(_ key: String) -> JSON? {
    guard case .object(let members) = self, let value = members[key] else { return nil }
    if case .null = value { return nil }
    return value
  }

  /// The names of an object's members.
  public var keys: [String] {
    guard case .object(let members) = self else { return [] }
    return members.keys.sorted()
  }

  /// The elements of a list; a lone value is a list of one.
  public var list: [JSON] {
    switch self {
    case .list(let values): values
    case .null: []
    default: [self]
    }
  }

  /// The number, infinities spelt out included.
  public var double: Double? {
    switch self {
    case .number(let value): value
    case .string("Infinity"): .infinity
    case .string("-Infinity"): -.infinity
    default: nil
    }
  }

  /// The whole number.
  public var int: Int? { double.flatMap { Int(exactly: $0) } }
  /// The truth value.
  public var bool: Bool? {
    guard case .bool(let value) = self else { return nil }
    return value
  }
  /// The string.
  public var string: String? {
    guard case .string(let value) = self else { return nil }
    return value
  }
  /// A list of whole numbers; a lone one is a list of one.
  public var ints: [Int] { list.compactMap(\.int) }
  /// A list of numbers.
  public var doubles: [Double] { list.compactMap(\.double) }
}
