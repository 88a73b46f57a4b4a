/// Random numbers that follow from keys (seed, fold, epoch, purpose, sample id) and from nothing else, so that any
/// process on any machine draws the same ones. SplitMix64 over an FNV-1a hash of the keys.
struct KeyedRandom: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// A stream for a purpose and integer keys.
  init(seed: UInt64, purpose: StaticString, _ keys: Int...) {
    state = seed
    state = Self.mixed(next() ^ purpose.withUTF8Buffer { Self.hash($0) })
    for key in keys { state = Self.mixed(next() ^ UInt64(bitPattern: Int64(key))) }
  }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    return Self.mixed(state)
  }

  /// A number in 0..<bound, without bias (Lemire's method).
  mutating func below(_ bound: Int) -> Int {
    precondition(bound > 0, "KeyedRandom: nothing lies below \(bound)")
    let range = UInt64(bound)
    var product = next().multipliedFullWidth(by: range)
    if product.low < range {
      let threshold = (0 &- range) % range
      while product.low < threshold { product = next().multipliedFullWidth(by: range) }
    }
    return Int(product.high)
  }

  /// A number in [0, 1) with 53 random bits.
  mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// The items in random order (Fisher and Yates).
  mutating func permuted(_ items: [Int]) -> [Int] {
    var items = items
    for last in stride(from: items.count - 1, to: 0, by: -1) { items.swapAt(last, below(last + 1)) }
    return items
  }

  /// A number for a text under a seed: a random order of texts that does not depend on the order in which they come.
  static func rank(seed: UInt64, _ parts: String...) -> UInt64 {
    var value = seed
    for part in parts {
      var part = part
      value = mixed(value ^ part.withUTF8 { hash($0) })
    }
    return value
  }

  private static func hash(_ bytes: UnsafeBufferPointer<UInt8>) -> UInt64 {
    var value: UInt64 = 0xCBF2_9CE4_8422_2325
    for byte in bytes { value = (value ^ UInt64(byte)) &* 0x100_0000_01B3 }
    return value
  }

  /// SplitMix64's last step: a good hash of one number.
  static func mixed(_ value: UInt64) -> UInt64 {
    var z = value
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}
