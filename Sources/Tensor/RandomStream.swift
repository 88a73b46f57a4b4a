import Glibc

/// What a random stream may be keyed by.
public protocol RandomKey {
  /// Bytes that tell this key from every other, its kind included.
  var randomKeyBytes: [UInt8] { get }
}

extension Int: RandomKey {
  /// Its kind, then its value.
  public var randomKeyBytes: [UInt8] { [0x69] + (0..<8).map { UInt8(truncatingIfNeeded: self >> ($0 * 8)) } }
}

extension String: RandomKey {
  /// Its kind, then its value.
  public var randomKeyBytes: [UInt8] { [0x73] + Array(utf8) + [0xff] }
}

/// Random numbers that depend on a seed and keys alone, never on process, thread or clock: every number is a function of
/// (keys, position), so that any worker draws the same for the same sample.
///
/// - Source: Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3": Philox 4×32-10.
public struct RandomStream: Sendable, RandomNumberGenerator {
  private let key: UInt64
  private let lane: UInt64
  private var position: UInt64 = 0
  private var buffered: UInt64?

  /// The stream of a seed and keys: `RandomStream(seed: 7, "fold", 2, "epoch", 5, "sample", "a.mp4")`.
  public init(seed: UInt64, _ keys: any RandomKey...) { self.init(seed: seed, keys: keys) }

  /// The stream of a seed and keys.
  public init(seed: UInt64, keys: [any RandomKey]) {
    var a = mix(seed ^ 0x9e37_79b9_7f4a_7c15)
    var b = mix(seed &+ 0xd1b5_4a32_d192_ed03)
    for key in keys { (a, b) = RandomStream.absorb(key, a, b) }
    self.key = a
    lane = b
  }

  // Not keyed by names: for tests against the published numbers.
  init(key: UInt64, lane: UInt64) {
    self.key = key
    self.lane = lane
  }

  /// An independent stream keyed further; does not depend on how much of this one was drawn.
  public func keyed(_ keys: any RandomKey...) -> RandomStream {
    var (a, b) = (key, lane)
    for key in keys { (a, b) = RandomStream.absorb(key, a, b) }
    return RandomStream(key: a, lane: b)
  }

  // Two chained hashes of the key's bytes: 128 bits of state, so that streams do not collide.
  private static func absorb(_ key: any RandomKey, _ a: UInt64, _ b: UInt64) -> (UInt64, UInt64) {
    var (a, b) = (a, b)
    for byte in key.randomKeyBytes {
      a = (a ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
      b = mix(b ^ UInt64(byte))
    }
    return (mix(a), mix(b ^ a))
  }

  /// The next 64 bits.
  public mutating func next() -> UInt64 {
    if let word = buffered {
      buffered = nil
      return word
    }
    let (x0, x1, x2, x3) = block(position)
    position += 1
    buffered = UInt64(x2) | UInt64(x3) << 32
    return UInt64(x0) | UInt64(x1) << 32
  }

  private func block(_ index: UInt64) -> (UInt32, UInt32, UInt32, UInt32) {
    var (c0, c1) = (UInt32(truncatingIfNeeded: index), UInt32(truncatingIfNeeded: index >> 32))
    var (c2, c3) = (UInt32(truncatingIfNeeded: lane), UInt32(truncatingIfNeeded: lane >> 32))
    var (k0, k1) = (UInt32(truncatingIfNeeded: key), UInt32(truncatingIfNeeded: key >> 32))
    for _ in 0..<10 {
      let p0 = UInt64(0xd251_1f53) * UInt64(c0)
      let p1 = UInt64(0xcd9e_8d57) * UInt64(c2)
      (c0, c1, c2, c3) = (
        UInt32(p1 >> 32) ^ c1 ^ k0, UInt32(truncatingIfNeeded: p1), UInt32(p0 >> 32) ^ c3 ^ k1,
        UInt32(truncatingIfNeeded: p0)
      )
      k0 &+= 0x9e37_79b9
      k1 &+= 0xbb67_ae85
    }
    return (c0, c1, c2, c3)
  }

  /// Sets the next `count` blocks of 128 bits aside for a kernel that draws them by position.
  public mutating func reserve(blocks count: Int) -> (key: UInt64, lane: UInt64, position: UInt64) {
    defer { position += UInt64(count) }
    buffered = nil
    return (key, lane, position)
  }

  /// Evenly distributed in 0..<1, in steps of 2⁻⁵³.
  public mutating func unit() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// Evenly distributed in `range`.
  public mutating func uniform(_ range: Range<Double>) -> Double {
    range.lowerBound + (range.upperBound - range.lowerBound) * unit()
  }

  /// Evenly distributed whole number in `0..<bound`.
  public mutating func below(_ bound: Int) -> Int {
    precondition(bound > 0, "below: bound \(bound)")
    // The high half of a product is even to 2⁻⁶⁴ × bound: no rejection, so that every draw takes one number.
    return Int(next().multipliedFullWidth(by: UInt64(bound)).high)
  }

  /// True with the given probability.
  public mutating func chance(_ probability: Double) -> Bool { unit() < probability }

  /// Normally distributed, mean 0 and deviation 1 (Box-Muller, the cosine half).
  public mutating func normal() -> Double {
    let radius = (-2 * log(1 - unit())).squareRoot()
    return radius * cos(2 * Double.pi * unit())
  }

  /// 0..<count in random order (Fisher-Yates).
  public mutating func permutation(_ count: Int) -> [Int] {
    var order = Array(0..<count)
    for i in stride(from: count - 1, to: 0, by: -1) { order.swapAt(i, below(i + 1)) }
    return order
  }
}

private func mix(_ x: UInt64) -> UInt64 {
  var z = x &+ 0x9e37_79b9_7f4a_7c15
  z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
  z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
  return z ^ (z >> 31)
}

extension Tensor {
  /// Evenly distributed elements.
  public init(uniform range: Range<Float>, shape: [Int], random: inout RandomStream) {
    var stream = random
    self.init(shape) { out in
      for i in out.indices {
        out[i] = range.lowerBound + (range.upperBound - range.lowerBound) * Float(stream.next() >> 40) * 0x1p-24
      }
    }
    random = stream
  }

  /// Normally distributed elements of mean 0.
  public init(normal deviation: Float, shape: [Int], random: inout RandomStream) {
    var stream = random
    self.init(shape) { out in for i in out.indices { out[i] = deviation * Float(stream.normal()) } }
    random = stream
  }
}
