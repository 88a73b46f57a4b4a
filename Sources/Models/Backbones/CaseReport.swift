import Tensor

/// How near one reference case was met: the worst tensor of each kind, and what is out of tolerance.
public struct CaseReport: Sendable, Encodable {
  /// What a tensor is to the case.
  public enum Kind: String, Sendable, Encodable, CaseIterable {
    /// A result of the forward pass.
    case output
    /// A gradient of a parameter or an input.
    case gradient
    /// A buffer after the pass.
    case updated
  }

  /// The largest error of one kind.
  public struct Worst: Sendable, Encodable {
    /// ‖ours - reference‖ / ‖reference‖
    public var error: Double
    /// Whose it is.
    public var tensor: String
    /// Tensors of this kind.
    public var count: Int

    private enum CodingKeys: String, CodingKey { case error, tensor, count }

    /// Writes all of it; an error that is no number as null.
    public func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      try container.encode(orNull(error), forKey: .error)
      try container.encode(tensor, forKey: .tensor)
      try container.encode(count, forKey: .count)
    }
  }

  /// The case: folder and file.
  public let name: String
  /// By kind.
  public private(set) var worst: [String: Worst] = [:]
  /// The loss's error over its scale, where the case has a loss.
  public private(set) var lossError: Double?
  /// The largest norm of gradients that are zero in exact arithmetic, over the largest gradient's.
  public private(set) var zeroGradientRatio: Double?
  /// What is missing or out of tolerance, one sentence each.
  public private(set) var failures: [String] = []
  /// Whether all is within tolerance.
  public var passed: Bool { failures.isEmpty }

  init(name: String) { self.name = name }

  /// A case that cannot be run, and why.
  public init(name: String, failure: String) {
    self.init(name: name)
    fail(failure)
  }

  /// Whether something was held against the reference.
  var comparesSomething: Bool { !worst.isEmpty || zeroGradientRatio != nil || lossError != nil }

  private enum CodingKeys: String, CodingKey {
    case name, passed, worst, lossError = "loss_error", zeroGradientRatio = "zero_gradient_ratio", failures
  }

  /// Writes all of it, `passed` included; what is no number is null, and one of the failures says so.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encode(name, forKey: .name)
    try container.encode(passed, forKey: .passed)
    try container.encode(worst, forKey: .worst)
    if let lossError { try container.encode(orNull(lossError), forKey: .lossError) }
    if let zeroGradientRatio { try container.encode(orNull(zeroGradientRatio), forKey: .zeroGradientRatio) }
    try container.encode(failures, forKey: .failures)
  }

  /// One line: verdict, case, and the worst relative errors.
  public var line: String {
    var parts = [passed ? "ok    " : "WRONG ", name]
    for kind in Kind.allCases {
      guard let worst = worst[kind.rawValue] else { continue }
      parts.append("\(kind.rawValue)s \(short(worst.error)) (\(worst.tensor), of \(worst.count))")
    }
    if let lossError { parts.append("loss \(short(lossError))") }
    if let zeroGradientRatio { parts.append("zeros \(short(zeroGradientRatio))") }
    return parts.joined(separator: "  ") + failures.map { "\n        \($0)" }.joined()
  }

  mutating func fail(_ sentence: String) { failures.append(sentence) }

  mutating func compare(_ kind: Kind, _ name: String, _ found: Tensor?, _ expected: Tensor, limit: Double) {
    guard let found else { return fail("\(kind.rawValue) \(name) is not computed") }
    guard found.shape == expected.shape else {
      return fail("\(kind.rawValue) \(name) has shape \(found.shape), not \(expected.shape)")
    }
    let error = relativeError(found, expected)
    var worst = worst[kind.rawValue] ?? Worst(error: -1, tensor: name, count: 0)
    worst.count += 1
    // The negation also takes a NaN.
    if !worst.error.isNaN && !(error <= worst.error) { (worst.error, worst.tensor) = (error, name) }
    self.worst[kind.rawValue] = worst
    if !(error <= limit) { fail("\(kind.rawValue) \(name) is \(short(error)) off, more than \(short(limit))") }
  }

  mutating func compareZero(_ name: String, _ found: Tensor, over largest: Double, limit: Double) {
    let norm = found.sumOfSquares().squareRoot()
    zeroGradientRatio = max(zeroGradientRatio ?? 0, norm / largest)
    if !(norm <= limit) { fail("gradient \(name) has norm \(short(norm)), not 0") }
  }

  mutating func compareLoss(_ found: Double, _ expected: Double, scale: Double, limit: Double) {
    let error = abs(found - expected) / scale
    lossError = error
    if !(error <= limit) { fail("loss is \(found), not \(expected)") }
  }
}

/// JSON has no other numbers.
private func orNull(_ value: Double) -> Double? { value.isFinite ? value : nil }

/// ‖a - b‖ / ‖b‖ in double precision; of an all-zero b the norm of a.
private func relativeError(_ a: Tensor, _ b: Tensor) -> Double {
  a.converted(to: .float32).contiguous().withFloats { a in
    b.converted(to: .float32).contiguous().withFloats { b in
      var (difference, norm) = (0.0, 0.0)
      for i in a.indices {
        let d = Double(a[i]) - Double(b[i])
        difference += d * d
        norm += Double(b[i]) * Double(b[i])
      }
      return (norm == 0 ? difference : difference / norm).squareRoot()
    }
  }
}

/// Two digits and an exponent.
private func short(_ value: Double) -> String {
  guard value.isFinite, value != 0 else { return value == 0 ? "0" : "\(value)" }
  var (mantissa, exponent) = (abs(value), 0)
  while mantissa >= 9.95 { (mantissa, exponent) = (mantissa / 10, exponent + 1) }
  while mantissa < 0.995 { (mantissa, exponent) = (mantissa * 10, exponent - 1) }
  let digits = (mantissa * 10).rounded() / 10
  return "\(value < 0 ? "-" : "")\(digits)e\(exponent)"
}
