// Chance for drawing and speaking. Every stream is keyed by what it is for (seed, pair, member, take, purpose), so that a
// clip never depends on how many clips were made before it.

/// A keyed SplitMix64 stream: the same seed and keys give the same numbers everywhere.
struct Randomness {
  private var state: UInt64

  init(seed: UInt64, _ purpose: String, _ keys: Int...) {
    var mixed = Randomness.mix(seed &+ 0x9E37_79B9_7F4A_7C15)
    for byte in purpose.utf8 { mixed = Randomness.mix(mixed ^ UInt64(byte)) }
    for key in keys { mixed = Randomness.mix(mixed ^ UInt64(bitPattern: Int64(key))) }
    state = mixed
  }

  private static func mix(_ value: UInt64) -> UInt64 {
    var z = value &+ 0x9E37_79B9_7F4A_7C15
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  @inline(__always)
  mutating func next() -> UInt64 {
    state = state &+ 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// In [low, high).
  mutating func uniform(_ low: Float, _ high: Float) -> Float {
    low + (high - low) * Float(next() >> 40) / 16_777_216
  }

  /// In 0 ..< count.
  mutating func index(_ count: Int) -> Int {
    Int(next() % UInt64(count))
  }

  mutating func sign() -> Float { next() & 1 == 0 ? 1 : -1 }

  mutating func chance(_ probability: Float) -> Bool { uniform(0, 1) < probability }

  /// Close to a standard normal: the number of ones in 64 fair bits, which is far faster than Box-Muller and is the same
  /// on every machine because it needs no libm. 25 steps within ±3 deviations are plenty for noise on 8-bit pixels.
  @inline(__always)
  mutating func normal() -> Float {
    (Float(next().nonzeroBitCount) - 32) * 0.25
  }

  mutating func shuffle<Element>(_ values: inout [Element]) {
    for i in stride(from: values.count - 1, to: 0, by: -1) { values.swapAt(i, index(i + 1)) }
  }
}
