import Glibc

/// The learning rate of every step, as a factor-free function of the step's number: nothing to save, nothing to resume.
public enum Schedule: Sendable, Hashable {
  /// The base rate throughout.
  case constant
  /// Linear rise over `warmup` steps, then linear fall to 0 at `total`.
  case linear(warmup: Int, total: Int)
  /// Linear rise over `warmup` steps, then `cycles` periods of a cosine (0.5: one fall to 0) up to `total`.
  case cosine(warmup: Int, total: Int, cycles: Double = 0.5)
  /// Cosine from the base rate to `minimum` in `period` steps (and back, if it goes on).
  case cosineAnnealing(period: Int, minimum: Double)
  /// Cosine to `minimum`, begun anew after `period` steps, each period `factor` times the last.
  case warmRestarts(period: Int, factor: Int, minimum: Double)
  /// Times `gamma` every `size` steps.
  case step(size: Int, gamma: Double)
  /// Times `gamma` at each milestone.
  case milestones([Int], gamma: Double)
  /// Times `gamma` every step.
  case exponential(gamma: Double)
  /// Rise from base / `divisor` to base over the first `rise` of `total` steps, then fall to base / `divisor` /
  /// `finalDivisor`, along cosines. Smith and Topin 2017, arXiv:1708.07120.
  case oneCycle(total: Int, rise: Double = 0.3, divisor: Double = 25, finalDivisor: Double = 1e4)

  /// The rate of step `step`, counted from 0.
  public func rate(_ base: Double, step: Int) -> Double {
    let i = Double(step)
    switch self {
    case .constant:
      return base
    case .linear(let warmup, let total):
      if step < warmup { return base * i / Double(max(1, warmup)) }
      return base * max(0, Double(total - step) / Double(max(1, total - warmup)))
    case .cosine(let warmup, let total, let cycles):
      if step < warmup { return base * i / Double(max(1, warmup)) }
      let progress = Double(step - warmup) / Double(max(1, total - warmup))
      return base * max(0, 0.5 * (1 + cos(.pi * 2 * cycles * progress)))
    case .cosineAnnealing(let period, let minimum):
      return Schedule.cosine(from: base, to: minimum, i / Double(max(1, period)))
    case .warmRestarts(let period, let factor, let minimum):
      precondition(period > 0 && factor > 0, "warm restarts: a period of \(period) times \(factor)")
      var (left, length) = (step, period)
      while left >= length {
        left -= length
        length *= factor
      }
      return Schedule.cosine(from: base, to: minimum, Double(left) / Double(length))
    case .step(let size, let gamma):
      return base * pow(gamma, Double(step / max(1, size)))
    case .milestones(let milestones, let gamma):
      return base * pow(gamma, Double(milestones.count { $0 <= step }))
    case .exponential(let gamma):
      return base * pow(gamma, i)
    case .oneCycle(let total, let rise, let divisor, let finalDivisor):
      let (first, last) = (base / divisor, base / divisor / finalDivisor)
      let (peak, end) = (rise * Double(total) - 1, Double(total - 1))
      if i <= peak { return Schedule.cosine(from: first, to: base, i / peak) }
      return Schedule.cosine(from: base, to: last, (i - peak) / (end - peak))
    }
  }

  private static func cosine(from start: Double, to end: Double, _ progress: Double) -> Double {
    end + (start - end) * (1 + cos(.pi * progress)) / 2
  }
}
