import Wire

/// How long jobs take, from those that are done: by family (the job's name without its last part), by kind, or by any.
struct Estimates: Sendable {
  private struct Total: Sendable {
    var time: Milliseconds = 0
    var count = 0
    var mean: Milliseconds? { count == 0 ? nil : time / count }

    mutating func add(_ time: Milliseconds) { (self.time, count) = (self.time + time, count + 1) }
  }

  private struct Waiting: Sendable {
    let kind: String
    var count = 0
  }

  private var families: [String: Total] = [:]
  private var kinds: [String: Total] = [:]
  private var any = Total()
  /// Jobs that have not started, by family.
  private var waiting: [String: Waiting] = [:]

  static func family(of spec: JobSpec) -> String {
    spec.id.lastIndex(of: "/").map { String(spec.id[..<$0]) } ?? spec.id
  }

  mutating func jobWaits(_ job: JobRecord) {
    waiting[job.family, default: Waiting(kind: job.spec.kind)].count += 1
  }

  mutating func jobWaitsNoMore(_ job: JobRecord) { waiting[job.family]!.count -= 1 }

  mutating func note(_ job: JobRecord, took time: Milliseconds) {
    families[job.family, default: Total()].add(time)
    kinds[job.spec.kind, default: Total()].add(time)
    any.add(time)
  }

  /// What a job of this family and kind usually takes; nil while nothing is done.
  func usual(family: String, kind: String) -> Milliseconds? {
    families[family]?.mean ?? kinds[kind]?.mean ?? any.mean
  }

  /// What a job of this family usually takes; nil before one is done.
  func usual(family: String) -> Milliseconds? { families[family]?.mean }

  /// What all jobs that have not started will take together, and the longest of them.
  var waitingTime: (total: Milliseconds, longest: Milliseconds) {
    var (total, longest) = (0, 0)
    for (family, entry) in waiting where entry.count > 0 {
      let each = usual(family: family, kind: entry.kind) ?? 0
      total += each * entry.count
      longest = max(longest, each)
    }
    return (total, longest)
  }
}

extension CoordinatorMachine {
  /// How long the rest may take: what jobs of the same family took, spread over the workers' slots; never less than the
  /// longest of them. 0 while nothing is known.
  func remaining(_ now: Milliseconds) -> Milliseconds {
    guard ended == nil else { return 0 }
    var (total, longest) = estimates.waitingTime
    for attempt in attempts.values {
      let job = jobs[attempt.job]!
      guard let usual = estimates.usual(family: job.family, kind: job.spec.kind) else {
        guard let left = left(of: attempt, now) else { return 0 }
        (total, longest) = (total + left, max(longest, left))
        continue
      }
      let left = left(of: attempt, now) ?? max(usual - (now - attempt.started), usual / 10)
      (total, longest) = (total + left, max(longest, left))
    }
    return max(longest, total / max(1, index.liveSlots))
  }
}
