import Foundation

/// Percentile intervals of any statistic by drawing groups of items (identities, sources) with replacement: frames of a
/// video and clips of a person are not independent, so the group is the unit.
public struct Bootstrap: Sendable {
  /// How many resamples are drawn.
  public var resamples: Int
  /// For example 0.95.
  public var confidence: Double
  /// The same seed gives the same interval.
  public var seed: UInt64
  /// Takes more extreme percentiles as fits Student's t with as many degrees of freedom as there are groups less one:
  /// the plain percentiles are too narrow for a dozen groups.
  ///
  /// - Source: Hesterberg 2015, "What teachers should know about the bootstrap", expanded percentile interval.
  public var expanded: Bool

  /// Settings; 2,000 resamples put the ends within about 5 % of the interval's width.
  public init(resamples: Int = 2000, confidence: Double = 0.95, seed: UInt64 = 1, expanded: Bool = false) {
    (self.resamples, self.confidence, self.seed, self.expanded) = (resamples, confidence, seed, expanded)
  }

  /// The interval of `statistic`, which is given how many times each item was drawn and answers nil where it is undefined;
  /// such resamples are redrawn.
  ///
  /// - Parameter groups: group index of each item, from 0; nil when each item is its own group.
  /// - Returns: nil when nine of ten resamples are undefined, or there is only one group.
  public func interval(
    count: Int, groups: [Int]? = nil, statistic: (UnsafeBufferPointer<Int32>) -> Double?
  ) -> Interval? {
    intervals(count: count, groups: groups, statistics: 1) { [statistic($0)] }[0]
  }

  /// The intervals of several statistics from the same resamples; one that is undefined in a resample leaves it out.
  ///
  /// - Returns: for each, nil when nine of ten resamples are undefined, or there is only one group.
  public func intervals(
    count: Int, groups: [Int]? = nil, statistics: Int, _ compute: (UnsafeBufferPointer<Int32>) -> [Double?]
  ) -> [Interval?] {
    let units = groups.map { ($0.max() ?? -1) + 1 } ?? count
    guard units > 1 else { return Array(repeating: nil, count: statistics) }
    var generator = SplitMix64(state: seed)
    var values = [[Double]](repeating: [], count: statistics)
    var drawn = [Int32](repeating: 0, count: units)
    var times = [Int32](repeating: 0, count: count)
    var attempts = 0
    while attempts < 10 * resamples, values.contains(where: { $0.count < resamples }) {
      // What no resample defines is not waited for.
      if attempts == resamples, values.allSatisfy({ $0.isEmpty || $0.count == resamples }) { break }
      attempts += 1
      drawn.withUnsafeMutableBufferPointer { drawn in
        drawn.update(repeating: 0)
        for _ in 0..<units { drawn[generator.below(units)] += 1 }
      }
      let found =
        if let groups {
          times.withUnsafeMutableBufferPointer { times in
            for index in 0..<count { times[index] = drawn[groups[index]] }
            return compute(UnsafeBufferPointer(times))
          }
        } else {
          drawn.withUnsafeBufferPointer { compute($0) }
        }
      for (index, value) in found.enumerated() where values[index].count < resamples {
        if let value { values[index].append(value) }
      }
    }
    var tail = (1 - confidence) / 2
    if expanded {
      let n = Double(units)
      tail = Normal.lowerTail((n / (n - 1)).squareRoot() * StudentT.quantile(tail, degrees: n - 1))
    }
    return values.map { values in
      guard values.count == resamples else { return nil }
      let sorted = values.sorted()
      return Interval(
        lower: quantile(sorted, tail), upper: quantile(sorted, 1 - tail), confidence: confidence,
        method: groups == nil ? "bootstrap" : "bootstrap over \(units) groups")
    }
  }

  /// The interval of the area under the ROC curve; with `strata`, of `areaUnderCurve(scores:fake:strata:)`.
  ///
  /// - Cost: one pass over the items a resample, after one sort.
  public func areaUnderCurve(
    scores: [Double], fake: [Bool], strata: [Int]? = nil, groups: [Int]? = nil
  ) -> Interval? {
    let area = WeightedArea(scores: scores, fake: fake, strata: strata)
    return interval(count: scores.count, groups: groups) { area.value($0) }
  }

  /// The interval of the difference of two models' areas on the same items, which is the paired comparison that respects
  /// groups.
  public func areaDifference(
    first: [Double], second: [Double], fake: [Bool], strata: [Int]? = nil, groups: [Int]? = nil
  ) -> Interval? {
    let a = WeightedArea(scores: first, fake: fake, strata: strata)
    let b = WeightedArea(scores: second, fake: fake, strata: strata)
    return interval(count: fake.count, groups: groups) { times in
      guard let x = a.value(times), let y = b.value(times) else { return nil }
      return x - y
    }
  }
}

/// The area under the ROC curve over pairs of a fake and a real item of the same fold. Scores of different folds' models are
/// on different scales: ranking them together measures the scales, not the detectors.
///
/// - Source: Forman and Scholz 2010, "Apples-to-apples in cross-validation studies".
public func areaUnderCurve(scores: [Double], fake: [Bool], strata: [Int]) -> Measure {
  let once = [Int32](repeating: 1, count: scores.count)
  let area = once.withUnsafeBufferPointer { WeightedArea(scores: scores, fake: fake, strata: strata).value($0) }
  if let area { return .defined(area) }
  let ranked = RankedScores(scores: scores, fake: fake)
  return .undefined(ranked.oneClass ?? "no fold has both real items and fakes")
}

/// The area under the ROC curve of items that count several times, sorted once for many resamples.
private struct WeightedArea {
  // Items fold by fold, by falling score; `ends`: the last of its score, `closes`: the last of its fold.
  private let order: [Int32]
  private let fake: [Bool]
  private let ends: [Bool]
  private let closes: [Bool]

  init(scores: [Double], fake labels: [Bool], strata: [Int]?) {
    let stratum = strata ?? [Int](repeating: 0, count: scores.count)
    let sorted = scores.indices.sorted { a, b in
      stratum[a] == stratum[b] ? scores[a] > scores[b] : stratum[a] < stratum[b]
    }
    order = sorted.map(Int32.init)
    fake = sorted.map { labels[$0] }
    let last = sorted.indices.map { $0 + 1 == sorted.count || stratum[sorted[$0]] != stratum[sorted[$0 + 1]] }
    closes = last
    ends = sorted.indices.map { last[$0] || scores[sorted[$0]] != scores[sorted[$0 + 1]] }
  }

  func value(_ times: UnsafeBufferPointer<Int32>) -> Double? {
    var (doubled, pairs) = (0, 0)  // over all folds
    var (fakes, reals) = (0, 0)  // of this fold so far
    var here = (fakes: 0, reals: 0)  // of this score
    order.withUnsafeBufferPointer { order in
      fake.withUnsafeBufferPointer { fake in
        ends.withUnsafeBufferPointer { ends in
          closes.withUnsafeBufferPointer { closes in
            for index in order.indices {
              let weight = Int(times[Int(order[index])])
              if fake[index] { here.fakes += weight } else { here.reals += weight }
              guard ends[index] else { continue }
              doubled += here.reals * (2 * fakes + here.fakes)
              fakes += here.fakes
              reals += here.reals
              here = (0, 0)
              guard closes[index] else { continue }
              pairs += fakes * reals
              (fakes, reals) = (0, 0)
            }
          }
        }
      }
    }
    return pairs > 0 ? Double(doubled) / 2 / Double(pairs) : nil
  }
}

/// The value below which a share `p` of sorted values lies, interpolated as NumPy and R (type 7) do.
func quantile(_ sorted: [Double], _ p: Double) -> Double {
  let position = p * Double(sorted.count - 1)
  let low = Int(position.rounded(.down))
  guard low + 1 < sorted.count else { return sorted[sorted.count - 1] }
  return sorted[low] + (position - Double(low)) * (sorted[low + 1] - sorted[low])
}

/// A small, fast, seeded generator (Steele, Lea, Flood 2014). Not for secrets.
public struct SplitMix64: RandomNumberGenerator, Sendable {
  private var state: UInt64

  /// Starts from a seed.
  public init(state: UInt64) { self.state = state }

  /// The next 64 bits.
  public mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  /// A whole number in 0..<bound (multiply-shift; the bias is below bound / 2⁶⁴).
  mutating func below(_ bound: Int) -> Int { Int(next().multipliedFullWidth(by: UInt64(bound)).high) }

  /// A number in [0, 1).
  mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }
}
