import ShardTree

/// Spreads the shards of a step over the members of a group by the time that each needs for one. The result of a step does
/// not depend on it, only its time does.
enum ShardSplit {
  /// As evenly as can be.
  static func even(_ shards: Int, members: Int) -> [Int] {
    (0..<members).map { ShardTree.shards(ofMember: $0, members: members, shards: shards).count }
  }

  /// How many shards each member should have so that the last one is done soonest; each has one at least.
  ///
  /// - Parameter paces: the time that each needs for a shard.
  static func best(_ shards: Int, paces: [Double]) -> [Int] {
    guard shards >= paces.count else { return even(shards, members: paces.count) }
    var counts = paces.map { _ in 1 }
    for _ in paces.count..<shards {
      let next = paces.indices.min { Double(counts[$0] + 1) * paces[$0] < Double(counts[$1] + 1) * paces[$1] }!
      counts[next] += 1
    }
    return counts
  }

  /// When the last member is done.
  static func time(_ counts: [Int], paces: [Double]) -> Double { zip(counts, paces).map { Double($0) * $1 }.max() ?? 0 }
}

/// How long a member takes for a shard, from the steps that it has told of.
struct ShardPace: Sendable {
  private(set) var microseconds = 0.0
  private var steps = 0

  /// Whether enough steps were seen to go by it.
  var isKnown: Bool { steps >= 6 }

  mutating func note(_ value: Double) {
    // The first ones weigh as much as their number says; later ones follow what changes.
    steps += 1
    microseconds += (value - microseconds) / Double(min(steps, 6))
  }
}
