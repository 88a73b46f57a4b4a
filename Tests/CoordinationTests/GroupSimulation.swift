import Coordination
import Wire

/// One group under a simulated clock: the real machines of coordinator and members; messages between them are delayed,
/// lost, repeated and overtaken, members crash and new ones come, and the coordinator starts anew with nothing but the
/// list of members. What members exchange directly is a meeting of all members of a view. A seed decides everything.
struct GroupSimulation {
  struct Problem: Error, CustomStringConvertible { let description: String }

  private enum Phase: Equatable {
    /// Waits for a view; with the sums of a step that it has voted for, or without.
    case joining(isPending: Bool)
    case sharing
    case computing
    case exchanging
    case voting
  }

  private struct Process {
    let id: UInt64
    var machine: GroupMembership
    var phase = Phase.joining(isPending: false)
    var steps: Int
    /// A chain over all steps: nobody can leave one out, or make one twice.
    var state: UInt64
    /// The view that it works in; later ones make it stop at its next step.
    var view = 0
    /// Counts what it does, so that what was begun before counts for nothing.
    var turn = 0
    var isCrashed = false
  }

  private enum Event {
    case toCoordinator(from: UInt64, Message)
    case toMember(UInt64, Message)
    case work(UInt64, turn: Int)
    case met(UInt64, turn: Int, donor: (steps: Int, state: UInt64)?)
    case tick
    case crash
    case noticed(UInt64)
    case arrive
    case restart
  }

  /// Who is where for one exchange; it takes place when all of a view are there.
  private struct Meeting: Hashable {
    let view: Int
    let step: Int  // -1: the state is handed on
  }

  private var random: Random
  private var queue = Heap<Event>()
  private var now = 0
  private var members: [GroupMachine.Member] = []
  private var coordinator: GroupMachine
  private var processes: [UInt64: Process] = [:]
  private var meetings: [Meeting: [UInt64: Int]] = [:]
  private let loss: Double
  private let healAt: Int
  private let target: Int
  private var ids: UInt64 = 0
  /// Steps made again because of a change.
  private(set) var repeated = 0
  private(set) var views = 0
  /// How often shards were spread anew.
  private(set) var spreads = 0
  /// Members that were too slow for the others.
  private(set) var left = 0

  init(seed: UInt64, members count: Int, steps: Int, loss: Double, healAt: Int = 30_000) {
    random = Random(seed)
    (target, self.loss, self.healAt) = (steps, loss, healAt)
    coordinator = GroupMachine(job: "j", token: 1, members: [])
    for _ in 0..<count { start() }
    coordinator = GroupMachine(job: "j", token: 1, members: members)
  }

  static func next(_ state: UInt64, _ step: Int) -> UInt64 {
    (state ^ UInt64(step &+ 1)) &* 0x9E37_79B9_7F4A_7C15 &+ 77
  }

  private mutating func start() {
    ids += 1
    members.append(.init(id: ids, name: "w\(ids)"))
    processes[ids] = Process(
      id: ids, machine: GroupMembership(job: "j", token: 1, patience: 700), steps: 0, state: 1)
    begin(ids, after: random.below(300))
  }

  /// Runs until all members that are left have made all steps.
  mutating func run(crashes: Int, arrivals: Int, restarts: Int) throws {
    queue.put(0, .tick)
    for _ in 0..<crashes { queue.put(random.below(healAt), .crash) }
    for _ in 0..<arrivals { queue.put(random.below(healAt), .arrive) }
    for _ in 0..<restarts { queue.put(random.below(healAt), .restart) }
    while let (time, event) = queue.take() {
      now = time
      try handle(event)
      if now > healAt, !processes.isEmpty, processes.values.allSatisfy({ $0.steps >= target }) { return }
      guard now < healAt + 600_000 else {
        let where_ = processes.values.map { "\($0.id): \($0.phase) at \($0.steps) in view \($0.view)" }.sorted()
        throw Problem(description: "no progress after everything healed: \(where_)")
      }
    }
  }

  private mutating func handle(_ event: Event) throws {
    switch event {
    case .toCoordinator(let id, let message):
      let actions: [GroupMachine.Action]
      switch message {
      case .groupJoin(let join): actions = coordinator.join(id, join)
      case .stepVote(let vote): actions = coordinator.vote(id, vote)
      case .groupTrouble(let trouble): actions = coordinator.trouble(id, trouble)
      default: throw Problem(description: "a member sends \(message.kind)")
      }
      try perform(actions)
    case .toMember(let id, let message): try receive(id, message)
    case .work(let id, let turn): if processes[id]?.turn == turn { try work(id) }
    case .met(let id, let turn, let donor): if processes[id]?.turn == turn { try met(id, donor) }
    case .tick:
      try perform(coordinator.tick(now: now))
      for id in processes.keys.sorted() {
        if let question = processes[id]!.machine.tick(now: now) { send(id, question) }
      }
      queue.put(now + 250, .tick)
    case .crash:
      guard processes.count > 1 else { return }
      let id = processes.keys.sorted()[random.below(processes.count)]
      processes[id] = nil
      queue.put(now + 100 + random.below(3_000), .noticed(id))
    case .noticed(let id):
      members.removeAll { $0.id == id }
      try perform(coordinator.change(to: members, "w\(id) is gone"))
    case .arrive:
      start()
      try perform(coordinator.change(to: members, "another comes"))
    case .restart: coordinator = GroupMachine(job: "j", token: 1, members: members)
    }
  }

  private mutating func perform(_ actions: [GroupMachine.Action]) throws {
    for action in actions {
      switch action {
      case .send(let id, let message): deliver(.toMember(id, message))
      case .broken(let reason): try begin(anew: reason)
      case .tooSlow(let id, let reason):
        members.removeAll { $0.id == id }
        processes[id] = nil
        left += 1
        try perform(coordinator.change(to: members, reason))
      case .say(let sentence):
        views += 1
        if sentence.contains("times as long for a shard") { spreads += 1 }
      }
    }
  }

  /// The attempt ends as no state is left, which must be true, and another one begins with other members.
  private mutating func begin(anew reason: String) throws {
    let had = processes.values.map { $0.steps + ($0.phase == .joining(isPending: true) ? 1 : 0) }.max() ?? 0
    guard reason.hasPrefix("nobody who is left"), let lost = reason.split(separator: " ").last.flatMap({ Int($0) }),
      had < lost
    else { throw Problem(description: "the group is broken: \(reason)") }
    let count = members.count
    (members, processes, meetings) = ([], [:], [:])
    for _ in 0..<count { start() }
    coordinator = GroupMachine(job: "j", token: 1, members: members)
  }

  private mutating func send(_ id: UInt64, _ message: Message) { deliver(.toCoordinator(from: id, message)) }

  private mutating func deliver(_ event: Event) {
    let isHealed = now >= healAt
    guard isHealed || random.unit() >= loss else { return }
    queue.put(now + 1 + random.below(isHealed ? 5 : 80), event)
    if !isHealed, random.unit() < 0.05 { queue.put(now + 1 + random.below(4_000), event) }
  }

  // MARK: - A member

  private mutating func begin(_ id: UInt64, after delay: Int) {
    processes[id]!.turn += 1
    queue.put(now + 1 + delay, .work(id, turn: processes[id]!.turn))
  }

  private mutating func receive(_ id: UInt64, _ message: Message) throws {
    guard processes[id] != nil else { return }
    let hasChanged = processes[id]!.machine.receive(message)
    if hasChanged, [.exchanging, .sharing].contains(processes[id]!.phase) {
      // The route is stopped: the step counts for nothing.
      repeated += processes[id]!.phase == .exchanging ? 1 : 0
      processes[id]!.phase = .joining(isPending: false)
      return begin(id, after: 0)
    }
    if case .joining = processes[id]!.phase { return begin(id, after: 0) }
    if processes[id]!.phase == .voting {
      switch processes[id]!.machine.takeVerdict() {
      case .made: try make(id)
      case .void:
        processes[id]!.phase = .joining(isPending: true)
        begin(id, after: 0)
      case nil: break
      }
    }
  }

  private mutating func make(_ id: UInt64) throws {
    let process = processes[id]!
    processes[id]!.state = Self.next(process.state, process.steps)
    processes[id]!.steps += 1
    let golden = (0..<processes[id]!.steps).reduce(UInt64(1)) { Self.next($0, $1) }
    guard processes[id]!.state == golden else {
      throw Problem(description: "w\(id) has left out or repeated a step before \(process.steps + 1)")
    }
    processes[id]!.phase = .computing
    begin(id, after: random.below(400))
  }

  private mutating func work(_ id: UInt64) throws {
    switch processes[id]!.phase {
    case .joining(let isPending): try join(id, isPending)
    case .computing:
      let process = processes[id]!
      guard process.machine.current?.view == process.view else {
        processes[id]!.phase = .joining(isPending: false)
        return begin(id, after: 0)
      }
      processes[id]!.phase = .exchanging
      meet(id, Meeting(view: process.view, step: process.steps))
    case .sharing, .exchanging, .voting: break
    }
  }

  private mutating func join(_ id: UInt64, _ isPending: Bool) throws {
    let process = processes[id]!
    if process.machine.mustJoin {
      let place = GroupPlace(
        machine: "m", process: Int(id), handle: 3, nonce: random.next(), address: "a", key: "")
      let question = processes[id]!.machine.join(
        shards: 8, steps: process.steps, isPending: isPending, place: place, now: now)
      return send(id, question)
    }
    guard let view = process.machine.current else { return }
    if isPending {
      // The view tells what became of the step.
      if view.steps == process.steps + 1 { return try make(id) }
      processes[id]!.phase = .joining(isPending: false)
    }
    guard view.steps == process.steps || view.donor != nil else {
      throw Problem(description: "w\(id) has \(process.steps) steps, the group \(view.steps), and nobody helps")
    }
    processes[id]!.view = view.view
    if view.donor != nil {
      processes[id]!.phase = .sharing
      return meet(id, Meeting(view: view.view, step: -1))
    }
    processes[id]!.phase = .computing
    begin(id, after: random.below(400))
  }

  /// When the last one of a view comes, the exchange takes place; each is told after a while of its own.
  private mutating func meet(_ id: UInt64, _ meeting: Meeting) {
    processes[id]!.turn += 1
    meetings[meeting, default: [:]][id] = processes[id]!.turn
    guard let view = processes[id]!.machine.current, view.view == meeting.view,
      meetings[meeting]!.count == view.members.count
    else { return }
    var donor: (Int, UInt64)?
    if let rank = view.donor, meeting.step < 0 {
      let name = view.members[rank].name
      donor = processes.values.first { "w\($0.id)" == name }.map { ($0.steps, $0.state) }
      if donor == nil { return }  // it has died: the others wait for the next view
    }
    for (other, turn) in meetings.removeValue(forKey: meeting)!.sorted(by: { $0.key < $1.key }) {
      queue.put(now + 1 + random.below(60), .met(other, turn: turn, donor: donor))
    }
  }

  private mutating func met(_ id: UInt64, _ donor: (steps: Int, state: UInt64)?) throws {
    let process = processes[id]!
    if process.phase == .sharing {
      if let donor, process.steps < donor.steps {
        (processes[id]!.steps, processes[id]!.state) = donor
      }
      processes[id]!.phase = .computing
      return begin(id, after: random.below(200))
    }
    guard process.phase == .exchanging else { return }
    let isAlone = process.machine.current?.members.count == 1
    if isAlone { return try make(id) }
    // Some members need two or five times as long for a shard.
    let own = process.machine.current.map { $0.members[$0.rank] }
    let pace = 1_000 * [1, 1, 2, 5][Int(id % 4)] + random.below(100)
    guard
      let vote = processes[id]!.machine.vote(
        step: process.steps, digest: Self.next(process.state, process.steps),
        microseconds: pace * (own.map { $0.high - $0.low } ?? 0), now: now)
    else {
      processes[id]!.phase = .joining(isPending: false)
      return begin(id, after: 0)
    }
    processes[id]!.phase = .voting
    send(id, vote)
  }
}
