/// A set of small numbers that is walked in ascending order: one bit a number, and one a word of them, so that jobs that
/// wait by the thousand are found, put in and taken out without looking at each other.
struct OrderedBits: Sendable {
  private var words: [UInt64]
  private var summary: [UInt64]
  /// How many numbers are in the set.
  private(set) var count = 0

  /// An empty set of numbers below `bound`.
  init(bound: Int) {
    words = Array(repeating: 0, count: (bound + 63) / 64)
    summary = Array(repeating: 0, count: (words.count + 63) / 64)
  }

  var isEmpty: Bool { count == 0 }

  func contains(_ number: Int) -> Bool { words[number >> 6] >> UInt64(number & 63) & 1 == 1 }

  mutating func insert(_ number: Int) {
    guard !contains(number) else { return }
    words[number >> 6] |= 1 << UInt64(number & 63)
    summary[number >> 12] |= 1 << UInt64((number >> 6) & 63)
    count += 1
  }

  mutating func remove(_ number: Int) {
    guard contains(number) else { return }
    words[number >> 6] &= ~(1 << UInt64(number & 63))
    if words[number >> 6] == 0 { summary[number >> 12] &= ~(1 << UInt64((number >> 6) & 63)) }
    count -= 1
  }

  /// The least number in the set that is not below `start`.
  func next(from start: Int) -> Int? {
    let word = start >> 6
    guard word < words.count else { return nil }
    let here = words[word] & (.max << UInt64(start & 63))
    if here != 0 { return word * 64 + here.trailingZeroBitCount }
    guard let next = Self.next(in: summary, from: word + 1) else { return nil }
    return next * 64 + words[next].trailingZeroBitCount
  }

  private static func next(in words: [UInt64], from start: Int) -> Int? {
    var word = start >> 6
    guard word < words.count else { return nil }
    var here = words[word] & (.max << UInt64(start & 63))
    while here == 0 {
      word += 1
      guard word < words.count else { return nil }
      here = words[word]
    }
    return word * 64 + here.trailingZeroBitCount
  }
}

extension OrderedBits: Sequence {
  /// Walks the set as it is now.
  func makeIterator() -> AnyIterator<Int> {
    var start = 0
    return AnyIterator {
      guard let number = next(from: start) else { return nil }
      start = number + 1
      return number
    }
  }
}
