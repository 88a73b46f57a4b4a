// Where a recording begins and ends to sound.

import Glibc

/// What counts as silence at a recording's beginning and end: windows of 10 ms whose mean power lies `decibels` or more
/// below that of the loudest one, in a stretch of `minimumSeconds` or longer.
public struct SilenceRule: Sendable, Hashable {
  /// How far below the loudest 10 ms.
  public var decibels: Double
  /// Shorter stretches stay.
  public var minimumSeconds: Double

  /// A rule; 40 dB is also what `unmask datasets audit` measures leading silence by.
  public init(decibels: Double = 40, minimumSeconds: Double = 0.1) {
    (self.decibels, self.minimumSeconds) = (decibels, minimumSeconds)
  }

  /// The samples between leading and trailing silence; all of them where there is nothing but digital silence.
  ///
  /// - Shapes: `samples [frames]`, mono
  public func sounding(_ samples: [Float], rate: Int) -> Range<Int> {
    let window = Self.window(rate)
    let powers = Self.energies(samples, rate: rate).map { $0.energy / Double($0.count) }
    let floor = (powers.max() ?? 0) * Self.ratio(decibels)
    guard let first = powers.firstIndex(where: { $0 > 0 && $0 >= floor }),
      let last = powers.lastIndex(where: { $0 > 0 && $0 >= floor })
    else { return 0..<samples.count }
    let least = Int((minimumSeconds * Double(rate)).rounded())
    let (start, end) = (first * window, min(samples.count, (last + 1) * window))
    return (start >= least ? start : 0)..<(samples.count - end >= least ? end : samples.count)
  }

  /// Seconds before the first window that is no silence; the whole length where there is none.
  ///
  /// - Shapes: `samples [frames]`, mono
  public func leadingSeconds(_ windows: [(energy: Double, count: Int)], rate: Int) -> Double {
    let powers = windows.map { $0.energy / Double($0.count) }
    let floor = (powers.max() ?? 0) * Self.ratio(decibels)
    let first = powers.firstIndex { $0 > 0 && $0 >= floor } ?? powers.count
    return Double(first * Self.window(rate)) / Double(rate)
  }

  /// The sum of squares of each 10 ms and how many samples it has, in a fixed order of additions.
  public static func energies(_ samples: [Float], rate: Int) -> [(energy: Double, count: Int)] {
    let window = window(rate)
    return samples.withUnsafeBufferPointer { samples in
      stride(from: 0, to: samples.count, by: window).map { start in
        let end = min(samples.count, start + window)
        var energy = 0.0
        for index in start..<end { energy += Double(samples[index]) * Double(samples[index]) }
        return (energy, end - start)
      }
    }
  }

  private static func window(_ rate: Int) -> Int { max(1, rate / 100) }

  // 10 to the power of -decibels / 10; exact for whole tens, where libraries need not agree on powers.
  private static func ratio(_ decibels: Double) -> Double {
    let tens = Int(decibels / 10)
    let rest = decibels - 10 * Double(tens)
    let whole = (0..<tens).reduce(1.0) { product, _ in product * 10 }
    return 1 / (rest == 0 ? whole : whole * pow(10, rest / 10))
  }
}
