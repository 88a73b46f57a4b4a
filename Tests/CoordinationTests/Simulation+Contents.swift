import Wire

@testable import Coordination

// Contents of samples in a simulated run: workers want them all the time, get them from each other or through the
// coordinator, lose them without a word; the coordinator loses some of its own. Messages are delayed and lost; the service's
// part (who is asked next) is played here, whom to ask is the real machine's.

extension Simulation {
  static let contents = (0..<6).map { "content \($0)" }

  /// What happens around contents.
  enum ContentEvent {
    /// A worker wants one, for the first time or again.
    case want(Int, incarnation: UInt64)
    /// It has waited for an answer for too long.
    case again(Int, incarnation: UInt64, want: Int)
    /// Its question arrives.
    case asked(connection: UInt64, incarnation: UInt64, want: Int, elsewhere: Bool)
    /// It hears whom to ask.
    case told(Int, incarnation: UInt64, want: Int, holders: [UInt64])
    /// A worker is asked on behalf of another.
    case relayed(asker: UInt64, askerIndex: Int, want: Int, asked: [UInt64])
    /// It has it, or an honest no.
    case got(Int, incarnation: UInt64, want: Int, Source?)
    /// The coordinator hears who has what.
    case held(connection: UInt64, incarnation: UInt64, [String])
    /// The coordinator hears that somebody has something no more.
    case missing(content: String, holder: Int)
    /// A worker's cache throws something away.
    case evict(Int)
    /// The coordinator's own file is gone.
    case lose(String)
  }

  enum Source { case coordinator, worker, relay }

  struct ContentState {
    var random = Random(0)
    /// What each process has, by incarnation, and what it ever had.
    var has: [UInt64: Set<String>] = [:]
    var everHad: [UInt64: Set<String>] = [:]
    /// What the coordinator has no more.
    var lost: Set<String> = []
    /// What is wanted, until it is answered: the worker's index, process, content.
    var open: [Int: (index: Int, incarnation: UInt64, content: String, since: Int)] = [:]
    var wants = 0
    /// Whether workers can reach each other.
    var isDirect = true
    var fetched: [Source: Int] = [:]
    var refusals = 0
  }

  mutating func startContents(seed: UInt64) {
    contents.random = Random(seed ^ 0xC0FF_EE)
    contents.isDirect = seed % 3 != 0
    for index in workers.indices {
      for _ in 0..<4 { later(after: contents.random.below(healAt), .evict(index)) }
    }
    for content in Self.contents.prefix(3) { later(after: contents.random.below(healAt), .lose(content)) }
  }

  mutating func startContents(of index: Int) {
    let incarnation = workers[index].incarnation
    // The first worker has its own copy of the data.
    let own = index == 0 ? Set(Self.contents) : []
    (contents.has[incarnation], contents.everHad[incarnation]) = (own, own)
    later(after: 500 + contents.random.below(1_000), .want(index, incarnation: incarnation))
  }

  private mutating func later(after delay: Int, _ event: ContentEvent) { queue.put(now + delay, .contents(event)) }

  /// On the way between a worker and the coordinator, or another worker: late, or never.
  private mutating func travel(_ index: Int, _ direction: Cut, _ event: ContentEvent) {
    guard isReachable(index, direction), now >= healAt || contents.random.unit() >= faults.loss else { return }
    later(after: 1 + contents.random.below(now >= healAt ? 5 : 60), event)
  }

  private func isAlive(_ index: Int, _ incarnation: UInt64) -> Bool {
    workers[index].incarnation == incarnation && workers[index].machine != nil && workers[index].ending == nil
  }

  private func index(of incarnation: UInt64) -> Int? {
    workers.indices.first { isAlive($0, incarnation) }
  }

  /// Says everything again on a new connection, as the service does.
  mutating func sayContents(_ index: Int) {
    let incarnation = workers[index].incarnation
    guard let all = contents.has[incarnation], !all.isEmpty else { return }
    travel(index, .toCoordinator, .held(connection: workers[index].connection, incarnation: incarnation, all.sorted()))
  }

  mutating func handle(_ event: ContentEvent) throws {
    switch event {
    case .want(let index, let incarnation):
      guard isAlive(index, incarnation) else { return }
      later(after: 800 + contents.random.below(2_000), .want(index, incarnation: incarnation))
      let content = Self.contents[contents.random.below(Self.contents.count)]
      guard !contents.has[incarnation]!.contains(content) else { return }
      contents.wants += 1
      contents.open[contents.wants] = (index, incarnation, content, now)
      ask(contents.wants, elsewhere: true)
    case .again(let index, let incarnation, let want):
      guard isAlive(index, incarnation), let open = contents.open[want] else { return }
      guard now < max(open.since, healAt) + 60_000 else {
        throw Problem(description: "worker \(index) has waited for \(open.content) since \(open.since) ms")
      }
      ask(want, elsewhere: true)
    case .asked(let connection, let incarnation, let want, let elsewhere):
      guard let open = contents.open[want], coordinator != nil, owners[connection] == open.index,
        coordinator!.incarnation(of: Peer(connection)) == incarnation
      else { return }
      let holders = elsewhere ? coordinator!.holders(of: open.content, for: Peer(connection)) : []
      if let problem = problem(holders, open.content, asker: incarnation) { throw problem }
      if !holders.isEmpty {
        let told = ContentEvent.told(open.index, incarnation: incarnation, want: want, holders: holders.map(\.id))
        travel(open.index, .toWorker, told)
      } else if !contents.lost.contains(open.content) {
        travel(open.index, .toWorker, .got(open.index, incarnation: incarnation, want: want, .coordinator))
      } else {
        try relay(want, asker: incarnation, open.index, asked: [incarnation])
      }
    case .told(let index, let incarnation, let want, let holders):
      guard isAlive(index, incarnation), let open = contents.open[want] else { return }
      for holder in holders {
        guard let other = self.index(of: holder), isReachable(other, .both), isReachable(index, .both) else { continue }
        if contents.has[holder]!.contains(open.content) {
          return later(after: 5, .got(index, incarnation: incarnation, want: want, .worker))
        }
        travel(index, .toCoordinator, .missing(content: open.content, holder: other))
      }
      ask(want, elsewhere: false)
    case .relayed(let asker, let askerIndex, let want, let asked):
      guard let open = contents.open[want], coordinator != nil else { return }
      if let other = index(of: asked.last!), isReachable(other, .both),
        contents.has[asked.last!]!.contains(open.content)
      {
        return travel(askerIndex, .toWorker, .got(askerIndex, incarnation: asker, want: want, .relay))
      }
      if let name = coordinator!.name(ofWorker: asked.last!), index(of: asked.last!) != nil {
        coordinator!.noteFailed(open.content, holder: name)
      }
      try relay(want, asker: asker, askerIndex, asked: asked)
    case .got(let index, let incarnation, let want, let source):
      guard isAlive(index, incarnation), let open = contents.open.removeValue(forKey: want) else { return }
      guard let source else {
        contents.refusals += 1
        return
      }
      contents.fetched[source, default: 0] += 1
      contents.has[incarnation]!.insert(open.content)
      contents.everHad[incarnation]!.insert(open.content)
      travel(
        index, .toCoordinator,
        .held(connection: workers[index].connection, incarnation: incarnation, [open.content]))
    case .held(let connection, let incarnation, let held):
      guard coordinator != nil, coordinator!.incarnation(of: Peer(connection)) == incarnation else { return }
      coordinator!.noteHeld(held, by: Peer(connection))
    case .missing(let content, let holder): coordinator?.noteFailed(content, holder: "w\(holder)")
    case .evict(let index):
      guard index > 0, let some = contents.has[workers[index].incarnation]?.sorted().first else { return }
      contents.has[workers[index].incarnation]!.remove(some)
    case .lose(let content): contents.lost.insert(content)
    }
  }

  private mutating func ask(_ want: Int, elsewhere: Bool) {
    guard let open = contents.open[want] else { return }
    travel(
      open.index, .toCoordinator,
      .asked(
        connection: workers[open.index].connection, incarnation: open.incarnation, want: want, elsewhere: elsewhere))
    if elsewhere { later(after: 4_000, .again(open.index, incarnation: open.incarnation, want: want)) }
  }

  /// Asks the next worker on behalf of another; when nobody is left, the answer is an honest no.
  private mutating func relay(_ want: Int, asker: UInt64, _ index: Int, asked: [UInt64]) throws {
    guard let open = contents.open[want] else { return }
    guard let next = coordinator!.relay(of: open.content, except: Set(asked)) else {
      return travel(index, .toWorker, .got(index, incarnation: asker, want: want, nil))
    }
    if let problem = problem([next], open.content, asker: asker) { throw problem }
    guard !asked.contains(next.id) else { throw Problem(description: "\(next.name) is asked twice for a piece") }
    later(
      after: 1 + contents.random.below(200),
      .relayed(asker: asker, askerIndex: index, want: want, asked: asked + [next.id]))
  }

  /// What is wrong with whom the machine names: nobody but workers that are in, others than the asker, each once, who have
  /// had the content.
  private func problem(
    _ holders: [CoordinatorMachine.ContentHolder], _ content: String, asker: UInt64
  ) -> Problem? {
    guard Set(holders.map(\.id)).count == holders.count, holders.count <= DownloadElsewhere.limit else {
      return Problem(description: "\(holders.map(\.name)) are named for \(content)")
    }
    for holder in holders {
      if holder.id == asker { return Problem(description: "\(holder.name) is to ask itself for \(content)") }
      if coordinator!.name(ofWorker: holder.id) != holder.name {
        return Problem(description: "\(holder.name) is named for \(content) and is not there")
      }
      if contents.everHad[holder.id]?.contains(content) != true {
        return Problem(description: "\(holder.name) is named for \(content), which it never had")
      }
    }
    return nil
  }
}
