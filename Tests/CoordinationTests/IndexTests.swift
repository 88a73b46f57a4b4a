import Testing
import Wire

@testable import Coordination

@Suite struct `the coordinator's indices` {
  @Test func `walk a set in order, whatever was put in and taken out`() {
    var random = Random(3)
    var bits = OrderedBits(bound: 10_000)
    var expected: Set<Int> = []
    for _ in 0..<20_000 {
      let number = random.below(100) < 50 ? random.below(10_000) : random.below(70)
      if random.below(2) == 0 {
        bits.insert(number)
        expected.insert(number)
      } else {
        bits.remove(number)
        expected.remove(number)
      }
    }
    #expect(bits.count == expected.count && Array(bits) == expected.sorted())
    #expect(bits.next(from: 9_999) == (expected.contains(9_999) ? 9_999 : nil) && bits.next(from: 10_001) == nil)
  }

  @Test func `give deadlines by time, and equal ones in order`() {
    var random = Random(4)
    var queue = DeadlineQueue()
    var expected: [(Int, UInt64)] = []
    for number in 0..<500 as Range<UInt64> {
      let due = random.below(50)
      queue.put(due, .worker(number))
      expected.append((due, number))
    }
    expected.sort { $0 < $1 }
    for (due, number) in expected where due <= 30 {
      let next = queue.take(dueBy: 30)
      #expect(next?.due == due && next?.subject == .worker(number))
    }
    #expect(queue.take(dueBy: 30) == nil)
  }
}

extension CoordinatorMachine {
  /// What of the indices differs from what a look at everything gives; nil if nothing does.
  var inconsistency: String? {
    for name in order {
      let job = jobs[name]!
      let states = JobState.allCases.filter { inState[$0]!.contains(job.place) }
      if states != [job.state] { return "job \(name) is \(job.state), but listed as \(states)" }
      let isReady = job.state == .ready
      let isHere = job.spec.runsOn == .coordinator
      if ready.contains(job.rank) != (isReady && !isHere) || readyHere.contains(job.rank) != (isReady && isHere) {
        return "job \(name) is \(job.state), but not listed so among those that could start"
      }
      let open = Set(job.spec.dependencies).count { jobs[$0]!.state != .done }
      if open != job.openDependencies { return "job \(name) waits for \(open), not for \(job.openDependencies)" }
      if (job.state == .running) != (job.token.map { attempts[$0]?.job == name } ?? false) {
        return "job \(name) is \(job.state) with token \(job.token ?? 0)"
      }
      if job.state == .done, !job.outputs.allSatisfy({ published[$0.name] == $0 }) {
        return "outputs of job \(name) are not published"
      }
    }
    var expected: [UInt64: Set<UInt64>] = [:]
    for (token, attempt) in attempts {
      for member in attempt.members where member.worker != 0 && !member.isFinished {
        expected[member.worker, default: []].insert(token)
      }
    }
    if expected != leases { return "leases are \(leases), not \(expected)" }
    let live = workers.values.filter(\.isLive)
    if index.liveCount != live.count { return "\(live.count) workers are live, not \(index.liveCount)" }
    if index.liveSlots != live.reduce(0, { $0 + $1.hello.slots }) { return "there are not \(index.liveSlots) slots" }
    let free = live.filter { !$0.isQuiet && $0.held.union(leases[$0.id] ?? []).count < $0.hello.slots }
    let listed = index.free(.max) { _ in true }
    if Set(listed) != Set(free.map(\.id)) { return "free are \(free.map(\.id)), not \(listed)" }
    if index.all != workers.values.sorted(by: { $0.order < $1.order }).map(\.id) { return "the roll is wrong" }
    if names != Dictionary(uniqueKeysWithValues: workers.values.map { ($0.hello.name, $0.id) }) {
      return "the names are wrong"
    }
    return nil
  }
}
