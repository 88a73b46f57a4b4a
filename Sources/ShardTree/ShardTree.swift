/// The fixed binary tree that sums V logical shards: ((0+1)+(2+3))+… for every grouping of shards over workers, so that
/// float32 sums have the same bits whoever computed which shard.
///
/// A node covers shards [low, high). The root is [0, V); a node of more than one shard splits at the largest power of two
/// below its width, so that V need not be a power of two.
public enum ShardTree {
  /// One node's sum: over shards [low, high), element by element.
  public struct Sum: Sendable, Equatable {
    /// First shard.
    public let low: Int
    /// One past the last shard.
    public let high: Int
    /// The summed elements.
    public var values: [Float]

    /// Makes a node's sum.
    public init(low: Int, high: Int, values: [Float]) {
      self.low = low
      self.high = high
      self.values = values
    }
  }

  /// Where the node [low, high) splits.
  public static func middle(_ low: Int, _ high: Int) -> Int {
    var half = 1
    while half * 2 < high - low { half *= 2 }
    return low + half
  }

  /// The maximal whole nodes inside shards [low, high): what one worker contributes.
  ///
  /// - Traps: if the range is not inside [0, shards).
  public static func maximalNodes(in range: Range<Int>, shards: Int) -> [Range<Int>] {
    precondition(range.lowerBound >= 0 && range.upperBound <= shards, "ShardTree: \(range) is not inside 0..<\(shards)")
    var nodes: [Range<Int>] = []
    func visit(_ low: Int, _ high: Int) {
      if high <= range.lowerBound || low >= range.upperBound { return }
      if low >= range.lowerBound && high <= range.upperBound { return nodes.append(low..<high) }
      let middle = middle(low, high)
      visit(low, middle)
      visit(middle, high)
    }
    if shards > 0 && !range.isEmpty { visit(0, shards) }
    return nodes
  }

  /// The shards that member `rank` of `members` computes: contiguous runs, as even as can be.
  public static func shards(ofMember rank: Int, members: Int, shards: Int) -> Range<Int> {
    precondition(members > 0 && rank >= 0 && rank < members, "ShardTree: member \(rank) of \(members)")
    return (shards * rank / members)..<(shards * (rank + 1) / members)
  }

  /// Adds up nodes until no two siblings are left; returns what remains in shard order.
  ///
  /// - Traps: if two sums overlap or have other lengths.
  public static func combine(_ sums: [Sum], shards: Int) -> [Sum] {
    var known: [Range<Int>: Sum] = [:]
    for sum in sums {
      let earlier = known.updateValue(sum, forKey: sum.low..<sum.high)
      precondition(earlier == nil, "ShardTree: shards \(sum.low)..<\(sum.high) are there twice")
    }
    func resolve(_ low: Int, _ high: Int) -> [Sum] {
      if let sum = known[low..<high] { return [sum] }
      guard high - low > 1 else { return [] }
      let middle = middle(low, high)
      let (left, right) = (resolve(low, middle), resolve(middle, high))
      guard left.count == 1, right.count == 1, left[0].low == low, left[0].high == middle, right[0].low == middle,
        right[0].high == high
      else { return left + right }
      return [add(left[0], right[0])]
    }
    return shards > 0 ? resolve(0, shards) : []
  }

  /// The sum over all shards, or nil while some are missing.
  public static func root(of sums: [Sum], shards: Int) -> [Float]? {
    let combined = combine(sums, shards: shards)
    guard combined.count == 1, combined[0].low == 0, combined[0].high == shards else { return nil }
    return combined[0].values
  }

  private static func add(_ left: Sum, _ right: Sum) -> Sum {
    precondition(
      left.values.count == right.values.count,
      "ShardTree: \(left.values.count) and \(right.values.count) elements cannot be added")
    var values = left.values
    right.values.withUnsafeBufferPointer { right in
      values.withUnsafeMutableBufferPointer { for index in $0.indices { $0[index] += right[index] } }
    }
    return Sum(low: left.low, high: right.high, values: values)
  }
}
