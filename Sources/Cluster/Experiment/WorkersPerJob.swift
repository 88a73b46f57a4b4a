/// How many workers share the batches of one training job: a number, or as many as have nothing else to do.
public enum WorkersPerJob: Codable, Sendable, Equatable {
  /// A job starts alone; idle workers join it when that gets it done sooner.
  case auto
  /// A job waits for this many.
  case count(Int)

  /// Reads `auto` or a whole number.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if let count = try? container.decode(Int.self) {
      self = .count(count)
    } else if try container.decode(String.self) == "auto" {
      self = .auto
    } else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "it must be auto or a whole number")
    }
  }

  /// Writes what it was read from.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .auto: try container.encode("auto")
    case .count(let count): try container.encode(count)
    }
  }

  /// The most workers that may share a job of so many logical shards.
  func most(shards: Int) -> Int {
    switch self {
    case .auto: min(64, shards)
    case .count(let count): count
    }
  }
}
