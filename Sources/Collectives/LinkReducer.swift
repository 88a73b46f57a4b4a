public import ShardTree

/// A group that never changes, over one link: what benchmarks measure training with. Members compare their sums before
/// each step, as the coordinator does for them in a run.
public final class LinkReducer: ShardReducer, @unchecked Sendable {
  // Used by one thread at a time, as `ShardReducer` says.
  private let link: any Link
  private let rank: Int
  private let members: Int

  /// A group over a link.
  public init(_ link: any Link, rank: Int, members: Int) {
    (self.link, self.rank, self.members) = (link, rank, members)
  }

  /// Never.
  public var hasChanged: Bool { false }

  /// All members, with shards spread as evenly as can be.
  public func gather(shards: Int, steps: Int) throws -> Membership {
    Membership(rank: rank, shape: GroupShape(shards: shards, members: members), steps: steps, donor: nil)
  }

  /// See `Link`.
  public func reduce(
    _ kind: ElementKind, _ shape: GroupShape, own: [UnsafeRawPointer], into out: UnsafeMutableRawPointer, count: Int,
    owner: (any Sendable & AnyObject)?
  ) throws {
    try link.reduce(kind, shape, own: own, into: out, count: count, owner: owner)
  }

  /// See `ShardReducer`.
  ///
  /// - Traps: if members have other sums.
  public func commit(step: Int, digest: UInt64, seconds: Double) throws {
    let low = Int32(truncatingIfNeeded: digest >> 33)
    var both = [low, ~low]
    let shape = GroupShape(shards: members, members: members)
    try both.withUnsafeMutableBytes { bytes in
      try link.reduce(
        .largest, shape, own: [UnsafeRawPointer(bytes.baseAddress!)], into: bytes.baseAddress!, count: 2, owner: nil)
    }
    precondition(both == [low, ~low], "LinkReducer: members have other sums at step \(step)")
  }
}
