import Wire

/// Who is there and who has room, kept up to date worker by worker, so that no decision looks at all of them.
struct WorkerIndex: Sendable {
  /// A worker with room: the least loaded comes first, then the one that joined first, so that load spreads.
  private struct Place: Sendable, Comparable {
    let load: Int
    let order: Int
    let id: UInt64

    static func < (a: Self, b: Self) -> Bool { (a.load, a.order) < (b.load, b.order) }
  }

  private struct Entry: Sendable {
    let order: Int
    var place: Place?
    var isLive = false
    var slots = 0
  }

  private var places: [Place] = []
  private var entries: [UInt64: Entry] = [:]
  /// All workers by their order of joining.
  private var roll: [(order: Int, id: UInt64)] = []
  /// Workers that may be given jobs, now or when they have room.
  private(set) var liveCount = 0
  /// How many jobs these can do side by side.
  private(set) var liveSlots = 0

  /// Takes note of how a worker is now.
  mutating func update(_ worker: WorkerRecord, load: Int) {
    var entry = entries[worker.id] ?? Entry(order: worker.order)
    if entries[worker.id] == nil {
      roll.insert((worker.order, worker.id), at: roll.partitioningIndex { $0.order > worker.order })
    }
    if entry.isLive { (liveCount, liveSlots) = (liveCount - 1, liveSlots - entry.slots) }
    (entry.isLive, entry.slots) = (worker.isLive, worker.hello.slots)
    if entry.isLive { (liveCount, liveSlots) = (liveCount + 1, liveSlots + entry.slots) }
    let hasRoom = worker.isLive && !worker.isQuiet && load < worker.hello.slots
    let place = hasRoom ? Place(load: load, order: worker.order, id: worker.id) : nil
    if entry.place != place {
      if let old = entry.place { removePlace(old) }
      if let place { places.insert(place, at: places.partitioningIndex { place < $0 }) }
      entry.place = place
    }
    entries[worker.id] = entry
  }

  mutating func remove(_ id: UInt64) {
    guard let entry = entries.removeValue(forKey: id) else { return }
    if entry.isLive { (liveCount, liveSlots) = (liveCount - 1, liveSlots - entry.slots) }
    if let place = entry.place { removePlace(place) }
    roll.remove(at: roll.partitioningIndex { $0.order >= entry.order })
  }

  private mutating func removePlace(_ place: Place) {
    places.remove(at: places.partitioningIndex { !($0 < place) })
  }

  /// Whether anybody has room.
  var hasFree: Bool { !places.isEmpty }

  /// How many have room.
  var freeCount: Int { places.count }

  /// The first workers with room that a condition holds for, at most so many.
  func free(_ count: Int, where condition: (UInt64) -> Bool) -> [UInt64] {
    var found: [UInt64] = []
    for place in places where condition(place.id) {
      found.append(place.id)
      if found.count == count { break }
    }
    return found
  }

  func isLive(_ id: UInt64) -> Bool { entries[id]?.isLive == true }

  /// All workers, first come, first.
  var all: [UInt64] { roll.map(\.id) }

  /// The first of them.
  func first(_ count: Int) -> [UInt64] { roll.prefix(count).map(\.id) }
}

extension Array {
  /// The first index whose element the condition holds for, if it holds for all after the first.
  func partitioningIndex(where condition: (Element) -> Bool) -> Int {
    var (low, high) = (0, count)
    while low < high {
      let middle = (low + high) / 2
      if condition(self[middle]) { high = middle } else { low = middle + 1 }
    }
    return low
  }
}
