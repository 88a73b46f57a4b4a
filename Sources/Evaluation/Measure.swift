/// A number that may not exist: an AUC of a fold with one class, a precision with nothing predicted. It stays undefined,
/// with the reason, and never becomes 0.5 or 0.
public enum Measure: Sendable, Hashable {
  /// The value.
  case defined(Double)
  /// Why there is none, as half a sentence.
  case undefined(String)

  /// The value, if there is one.
  public var value: Double? {
    if case .defined(let value) = self { value } else { nil }
  }

  /// Why there is no value.
  public var reason: String? {
    if case .undefined(let reason) = self { reason } else { nil }
  }

  /// A quotient; undefined with `reason` when the divisor is 0.
  static func ratio(_ numerator: Double, _ denominator: Double, _ reason: @autoclosure () -> String) -> Measure {
    denominator == 0 ? .undefined(reason()) : .defined(numerator / denominator)
  }

  /// The same measure with another value, if it has one.
  public func map(_ transform: (Double) -> Double) -> Measure {
    if case .defined(let value) = self { .defined(transform(value)) } else { self }
  }
}

extension Measure: ExpressibleByFloatLiteral {
  /// A value.
  public init(floatLiteral value: Double) { self = .defined(value) }
}

/// In JSON a number, or `{"undefined": reason}`.
extension Measure: Codable {
  private enum Key: String, CodingKey { case undefined }

  /// Decodes.
  public init(from decoder: any Decoder) throws {
    if let value = try? decoder.singleValueContainer().decode(Double.self) {
      self = .defined(value)
    } else {
      self = .undefined(try decoder.container(keyedBy: Key.self).decode(String.self, forKey: .undefined))
    }
  }

  /// Encodes.
  public func encode(to encoder: any Encoder) throws {
    switch self {
    case .defined(let value) where value.isFinite:
      var container = encoder.singleValueContainer()
      try container.encode(value)
    case .defined(let value):
      var container = encoder.container(keyedBy: Key.self)
      try container.encode("the value is \(value)", forKey: .undefined)
    case .undefined(let reason):
      var container = encoder.container(keyedBy: Key.self)
      try container.encode(reason, forKey: .undefined)
    }
  }
}

/// A range that covers the true value with the stated confidence.
public struct Interval: Sendable, Hashable, Codable {
  /// The lower end.
  public let lower: Double
  /// The upper end.
  public let upper: Double
  /// For example 0.95.
  public let confidence: Double
  /// How it was found, for the report: `DeLong`, `bootstrap over groups`.
  public let method: String

  /// Makes a range from its ends.
  public init(lower: Double, upper: Double, confidence: Double = 0.95, method: String) {
    self.lower = lower
    self.upper = upper
    self.confidence = confidence
    self.method = method
  }

  /// Whether a value lies in the range, ends included.
  public func contains(_ value: Double) -> Bool { lower <= value && value <= upper }
}

/// Mean and sample standard deviation over folds or seeds.
public struct Spread: Sendable, Hashable, Codable {
  /// The mean of the defined values.
  public let mean: Measure
  /// The standard deviation (divisor n - 1).
  public let deviation: Measure
  /// How many values were defined.
  public let count: Int
  /// How many were not.
  public let undefined: Int

  /// Summarises the defined values; the others are counted.
  public init(_ values: [Measure]) {
    let defined = values.compactMap(\.value)
    count = defined.count
    undefined = values.count - defined.count
    let reason = values.compactMap(\.reason).first ?? "no fold has a value"
    mean = defined.isEmpty ? .undefined(reason) : .defined(Evaluation.mean(defined))
    deviation =
      defined.count < 2
      ? .undefined("a spread needs at least two values") : .defined(variance(defined).squareRoot())
  }
}

/// The arithmetic mean.
func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(values.count) }

/// The sample variance (divisor n - 1).
func variance(_ values: [Double]) -> Double {
  let centre = mean(values)
  return values.reduce(0) { $0 + ($1 - centre) * ($1 - centre) } / Double(values.count - 1)
}
