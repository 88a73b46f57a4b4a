/// What went into a model in some steps of an epoch. It travels among an epoch's metrics and has a table of its own in the
/// ledger, where the audit finds it.
public struct SampleUse: Sendable, Equatable {
  /// The epoch, from 0.
  public var epoch: Int
  /// The steps, counted within the epoch.
  public var steps: Range<Int>
  /// Views of samples.
  public var count: Int
  /// The sum of the views' hashes, modulo 2⁶⁴.
  public var sum: UInt64

  /// A use from its parts.
  public init(epoch: Int, steps: Range<Int>, count: Int, sum: UInt64) {
    (self.epoch, self.steps, self.count, self.sum) = (epoch, steps, count, sum)
  }

  private static let names = ["samples/first", "samples/end", "samples/count", "samples/high", "samples/low"]

  /// The same as metrics; the sum in two halves, which a double holds exactly.
  public var metrics: [Metric] {
    let values = [steps.lowerBound, steps.upperBound, count, Int(sum >> 32), Int(sum & 0xFFFF_FFFF)]
    return zip(Self.names, values).map { Metric(name: $0, value: Double($1)) }
  }

  /// Reads what `metrics` wrote; nil for other metrics and for numbers that cannot be.
  public init?(_ message: Metrics) {
    guard message.metrics.map(\.name) == Self.names else { return nil }
    let values = message.metrics.compactMap { Int(exactly: $0.value) }
    guard values.count == 5, values.allSatisfy({ (0...largeNumber).contains($0) }), values[0] < values[1],
      values[3] >> 32 == 0, values[4] >> 32 == 0
    else { return nil }
    self.init(
      epoch: message.epoch, steps: values[0]..<values[1], count: values[2],
      sum: UInt64(values[3]) << 32 | UInt64(values[4]))
  }
}
