/// More folds at once, or more workers for one of them: decided from measured times, as a pure function of what is known.
///
/// Training two folds on two workers is always at least as fast as sharing each between both, so that only a worker that
/// would do nothing joins another one's job. A job is shared by ending its attempt at a checkpoint and giving it to a
/// larger group: that costs time too, so that a job that is nearly done is left alone.
enum Sharing {
  /// A job that runs, as far as it was measured.
  struct Running {
    /// How long it will take as it is.
    let left: Milliseconds
    /// Workers that share it now.
    let members: Int
    /// The most that can: its logical shards.
    let most: Int
    /// Milliseconds a step by the number of members, measured on jobs of its family.
    let paces: [Int: Double]
  }

  /// What should become of a job.
  struct Choice: Equatable {
    let members: Int
    /// How much sooner it is done, by the estimate.
    let saved: Milliseconds
  }

  /// What a re-formed group costs: the checkpoint's way there and back, and loading it.
  static let cost: Milliseconds = 3_000
  /// Less than this is not worth the trouble.
  static let leastSaving: Milliseconds = 3_000
  /// What is lost on the network for each doubling, until it was measured.
  private static let efficiency = 0.8

  /// How many workers a job should have if so many others have nothing to do; nil if it is best left alone.
  static func grow(_ job: Running, idle: Int) -> Choice? {
    let reachable = min(job.most, job.members + idle)
    guard reachable > job.members else { return nil }
    var best: Choice?
    for members in (job.members + 1)...reachable {
      // Members that only wait for the one with the most shards are of no use.
      guard parts(job.most, members) < parts(job.most, members - 1) else { continue }
      let after = Int(Double(job.left) * ratio(job, members)) + cost
      let saved = job.left - after
      if saved >= leastSaving, saved > best?.saved ?? 0 { best = Choice(members: members, saved: saved) }
    }
    return best
  }

  /// How many workers a shared job should keep if so many jobs wait for one; nil if it is best left alone.
  static func shrink(_ job: Running, waiting: Int) -> Choice? {
    guard job.members > 1, waiting > 0, job.left > 4 * cost else { return nil }
    return Choice(members: max(1, job.members - waiting), saved: 0)
  }

  /// A step's time with so many members, as a share of its time now.
  private static func ratio(_ job: Running, _ members: Int) -> Double {
    if let now = job.paces[job.members], let then = job.paces[members], now > 0 { return then / now }
    return Double(parts(job.most, members)) / Double(parts(job.most, job.members)) / efficiency
  }

  /// The most shards that one member has.
  private static func parts(_ shards: Int, _ members: Int) -> Int { (shards + members - 1) / members }

  /// Whether a worker that needs so long for a step should hand its job on: how much sooner it would be done by a worker
  /// as fast as the median of the others.
  static func replace(left: Milliseconds, pace: Double, others: [Double]) -> Choice? {
    guard !others.isEmpty else { return nil }
    let usual = others.sorted()[others.count / 2]
    guard isSlow(pace, usual: usual) else { return nil }
    let saved = left - Int(Double(left) * usual / pace) - cost
    return saved >= leastSaving ? Choice(members: 1, saved: saved) : nil
  }

  /// Whether a step takes much longer than is usual.
  static func isSlow(_ pace: Double, usual: Double) -> Bool { pace > 2 * usual }
}

/// How fast an attempt gets through its steps, by what its heartbeats say.
struct StepPace: Sendable {
  private var first: (step: Int, at: Int)?
  private var last: (step: Int, at: Int)?

  /// Takes note of a step that was reached.
  mutating func note(_ step: Int, at now: Milliseconds) {
    if first == nil { first = (step, now) }
    if step > last?.step ?? -1 { last = (step, now) }
  }

  /// Milliseconds a step; nil before enough of them.
  var milliseconds: Double? {
    guard let first, let last, last.step - first.step >= 4, last.at - first.at >= 500 else { return nil }
    return Double(last.at - first.at) / Double(last.step - first.step)
  }

  /// The last step that is known.
  var step: Int { last?.step ?? 0 }
}
