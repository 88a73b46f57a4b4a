/// A quick source of noise for pixels: one 64-bit generator a view, seeded from the view's own random stream.
///
/// - Source: Steele et al. 2014, "Fast splittable pseudorandom number generators" (SplitMix64).
struct PixelNoise {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  private mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// Mean 0 and deviation 1: the sum of four even 16-bit numbers, which is close enough to a bell for noise.
  mutating func normal() -> Float {
    let word = next()
    let sum = (word & 0xFFFF) + (word >> 16 & 0xFFFF) + (word >> 32 & 0xFFFF) + (word >> 48)
    // Four even numbers of 0..<65536: mean 131070, deviation 65536·√(4/12).
    return (Float(sum) - 131_070) * (1 / 37_837.2)
  }
}
