/// Which views of which samples were used, as a number and a sum of hashes: the tally of a whole is the sum of its parts'
/// tallies, and one view left out, or used twice in another's place, changes it but for one chance in 2⁶⁴. It finds
/// mistakes, not forgeries.
public struct SampleTally: Codable, Sendable, Equatable {
  /// Views.
  public var count: Int
  /// The sum of their hashes, modulo 2⁶⁴.
  public var sum: UInt64

  /// A tally from its parts; of nothing by default.
  public init(count: Int = 0, sum: UInt64 = 0) { (self.count, self.sum) = (count, sum) }

  /// Counts one view of a sample.
  mutating func add(sample key: UInt64, epoch: Int, visit: Int) {
    count += 1
    sum &+= Self.mixed(Self.mixed(key ^ UInt64(epoch + 1)) ^ UInt64(visit + 1))
  }

  /// A number for a sample's name.
  static func key(_ name: String) -> UInt64 {
    name.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
  }

  /// Both together.
  public static func + (a: Self, b: Self) -> Self { Self(count: a.count + b.count, sum: a.sum &+ b.sum) }

  // SplitMix64's last step.
  private static func mixed(_ value: UInt64) -> UInt64 {
    var z = value &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

extension SampleTally {
  /// How many numbers `parts` are.
  static let partCount = 9

  /// The count, and the sum byte by byte: whole numbers so small that float32 adds them up over all shards without
  /// rounding, in any order.
  var parts: [Float] { [Float(count)] + (0..<8).map { Float((sum >> (8 * $0)) & 0xFF) } }

  /// The tally of all from the sums of their parts. Numbers that cannot be give a tally that is nobody's.
  init(parts: some Collection<Float>) {
    let numbers = parts.map { UInt64(exactly: $0) ?? 0 }
    let sum = numbers.dropFirst().enumerated().reduce(UInt64(0)) { $0 &+ $1.element << (8 * $1.offset) }
    self.init(count: Int(clamping: numbers[0]), sum: sum)
  }
}

/// What went into a model in one epoch, by all members of whichever attempts.
public struct EpochUse: Codable, Sendable, Equatable {
  /// The epoch, from 0.
  public var epoch: Int
  /// The epoch's steps.
  public var steps: Int
  /// The views.
  public var tally: SampleTally

  /// A use from its parts.
  public init(epoch: Int, steps: Int, tally: SampleTally) {
    (self.epoch, self.steps, self.tally) = (epoch, steps, tally)
  }
}
