/// How a model's scores become probabilities that match frequencies: fitted on a fold's validation part, and carried by the
/// model file. No map turns a ranking around.
public enum ScoreCalibration: Sendable, Hashable {
  /// The scores as they are.
  case none
  /// One divisor of logits.
  case temperature(Temperature)
  /// A straight line through logits.
  case platt(PlattScaling)
  /// A rising map of probabilities, with the number of items that it was fitted on.
  case isotonic(IsotonicCalibration, items: Int)

  /// The names of the maps, as experiments give them.
  public enum Method: String, Sendable, Hashable, Codable, CaseIterable {
    /// Scores as they are.
    case none
    /// `Temperature`.
    case temperature
    /// `PlattScaling`.
    case platt
    /// `IsotonicCalibration`.
    case isotonic
  }

  /// Fits a map on validation logits. One class teaches nothing: the scores as they are.
  public init(_ method: Method, fitting logits: [Double], fake: [Bool]) {
    let fakes = fake.count { $0 }
    guard method != .none, fakes > 0, fakes < fake.count else {
      self = .none
      return
    }
    switch method {
    case .none: self = .none
    case .temperature: self = .temperature(Temperature(fitting: logits, fake: fake)!)
    case .platt: self = .platt(PlattScaling(fitting: logits, fake: fake))
    case .isotonic:
      self = .isotonic(IsotonicCalibration(fitting: logits.map(sigmoid), fake: fake)!, items: fake.count)
    }
  }

  /// Its name.
  public var method: Method {
    switch self {
    case .none: .none
    case .temperature: .temperature
    case .platt: .platt
    case .isotonic: .isotonic
    }
  }

  /// The calibrated logit of a logit.
  ///
  /// A frequency of 0 or 1 among the validation items is half an item away from it, so that one fold's certainty does not
  /// outweigh the other folds; a millionth of the logit keeps the order within a step of the map, so that a threshold there
  /// still parts what it parted.
  public func apply(logit value: Double) -> Double {
    switch self {
    case .none: return value
    case .temperature(let map): return map.apply(value)
    case .platt(let map): return map.apply(value)
    case .isotonic(let map, let items):
      let edge = 0.5 / Double(items)
      return logit(min(max(map.apply(sigmoid(value)), edge), 1 - edge)) + 1e-6 * value
    }
  }

  /// The calibrated probability of a probability.
  public func apply(_ probability: Double) -> Double { sigmoid(apply(logit: logit(probability))) }
}

/// In JSON `{"method": …}` with the numbers of the map beside.
extension ScoreCalibration: Codable {
  private enum Key: String, CodingKey { case method, temperature, slope, offset, scores, frequencies, items }

  /// Decodes.
  public init(from decoder: any Decoder) throws {
    let table = try decoder.container(keyedBy: Key.self)
    func number(_ key: Key) throws -> Double { try table.decode(Double.self, forKey: key) }
    switch try table.decode(Method.self, forKey: .method) {
    case .none: self = .none
    case .temperature: self = .temperature(Temperature(try number(.temperature)))
    case .platt: self = .platt(PlattScaling(slope: try number(.slope), offset: try number(.offset)))
    case .isotonic:
      let map = IsotonicCalibration(
        scores: try table.decode([Double].self, forKey: .scores),
        frequencies: try table.decode([Double].self, forKey: .frequencies))
      let items = try table.decode(Int.self, forKey: .items)
      guard let map, items > 0 else {
        throw DecodingError.dataCorruptedError(
          forKey: .scores, in: table, debugDescription: "the knots of the isotonic map do not rise")
      }
      self = .isotonic(map, items: items)
    }
  }

  /// Encodes.
  public func encode(to encoder: any Encoder) throws {
    var table = encoder.container(keyedBy: Key.self)
    try table.encode(method, forKey: .method)
    switch self {
    case .none: break
    case .temperature(let map): try table.encode(map.value, forKey: .temperature)
    case .platt(let map):
      try table.encode(map.slope, forKey: .slope)
      try table.encode(map.offset, forKey: .offset)
    case .isotonic(let map, let items):
      try table.encode(map.scores, forKey: .scores)
      try table.encode(map.frequencies, forKey: .frequencies)
      try table.encode(items, forKey: .items)
    }
  }
}
