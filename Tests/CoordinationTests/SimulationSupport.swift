import Foundation

/// The seeds that simulations run through: 1,000, or those of UNMASK_SEEDS, such as 1000-4999.
let simulatedSeeds: Range<Int> = {
  let bounds = (ProcessInfo.processInfo.environment["UNMASK_SEEDS"] ?? "").split(separator: "-").compactMap { Int($0) }
  guard let first = bounds.first, let last = bounds.last, first <= last else { return 0..<1_000 }
  return first..<last + 1
}()

/// A small generator with a seed: SplitMix64.
struct Random {
  private var state: UInt64

  init(_ seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }

  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
  mutating func unit() -> Double { Double(next() >> 11) / Double(1 << 53) }
}

/// Events by time, and by order of arrival at one time.
struct Heap<Element> {
  private var entries: [(time: Int, order: Int, element: Element)] = []
  private var count = 0

  mutating func put(_ time: Int, _ element: Element) {
    count += 1
    entries.append((time, count, element))
    var child = entries.count - 1
    while child > 0, isBefore(child, (child - 1) / 2) {
      entries.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func take() -> (Int, Element)? {
    guard !entries.isEmpty else { return nil }
    entries.swapAt(0, entries.count - 1)
    let (time, _, element) = entries.removeLast()
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < entries.count && isBefore(child, least) {
        least = child
      }
      if least == parent { return (time, element) }
      entries.swapAt(parent, least)
      parent = least
    }
  }

  private func isBefore(_ a: Int, _ b: Int) -> Bool {
    (entries[a].time, entries[a].order) < (entries[b].time, entries[b].order)
  }
}
