/// Lowers the rate when a metric has not improved for some time. A value: its state is saved with a checkpoint.
public struct PlateauSchedule: Sendable, Hashable, Codable {
  /// Whether a smaller or a larger metric is better.
  public enum Mode: String, Sendable, Codable { case min, max }
  /// Whether `threshold` is a share of the best value or a difference.
  public enum ThresholdMode: String, Sendable, Codable { case relative, absolute }

  /// Which way is better.
  public var mode = Mode.min
  /// What the rate is multiplied by.
  public var factor = 0.1
  /// How many metrics in a row may be no better.
  public var patience = 10
  /// What counts as better.
  public var threshold = 1e-4
  /// How `threshold` is meant.
  public var thresholdMode = ThresholdMode.relative
  /// How many metrics to wait after a change.
  public var cooldown = 0
  /// The rate never goes below.
  public var minimum = 0.0
  /// Changes smaller than this are not made.
  public var smallestChange = 1e-8
  /// The rate of the next step.
  public private(set) var rate: Double
  private var best: Double?
  private var worse = 0
  private var waiting = 0

  /// A schedule that begins with `rate`.
  public init(rate: Double) { self.rate = rate }

  /// Takes the metric of the steps since the last one.
  public mutating func report(_ metric: Double) {
    if isBetter(metric) {
      best = metric
      worse = 0
    } else {
      worse += 1
    }
    if waiting > 0 {
      waiting -= 1
      worse = 0
    }
    guard worse > patience else { return }
    let lower = Swift.max(rate * factor, minimum)
    if rate - lower > smallestChange { rate = lower }
    waiting = cooldown
    worse = 0
  }

  private func isBetter(_ metric: Double) -> Bool {
    guard let best else { return true }
    switch (mode, thresholdMode) {
    case (.min, .relative): return metric < best * (1 - threshold)
    case (.min, .absolute): return metric < best - threshold
    case (.max, .relative): return metric > best * (1 + threshold)
    case (.max, .absolute): return metric > best + threshold
    }
  }
}
