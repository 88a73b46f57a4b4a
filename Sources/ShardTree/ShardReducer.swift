/// Who shares a job's batches at present, and how far they are.
public struct Membership: Sendable {
  /// This member's number, from 0.
  public let rank: Int
  /// Each member's shards.
  public let shape: GroupShape
  /// Steps that the group has made, all members together or none.
  public let steps: Int
  /// The member whose state those get that have made fewer steps; nil if there are none.
  public let donor: Int?

  /// Describes a group.
  public init(rank: Int, shape: GroupShape, steps: Int, donor: Int?) {
    (self.rank, self.shape, self.steps, self.donor) = (rank, shape, steps, donor)
  }

  /// How many members there are.
  public var count: Int { shape.members.count }
  /// The shards that this member computes.
  public var ownShards: Range<Int> { shape.members[rank] }
}

/// What a job's group does with its partial sums. A job that nobody may share has no reducer.
///
/// The group may change at any time: a member is lost, another one comes. Every call then throws `GroupChanged`, and the
/// step under way counts for nothing: `gather` tells who is there now, and the step is made again.
///
/// - Thread: one thread at a time, but for `hasChanged`; calls block.
public protocol ShardReducer: AnyObject, Sendable {
  /// Whether `gather` must be called before the next step.
  var hasChanged: Bool { get }
  /// Waits until the group has formed.
  ///
  /// - Parameters:
  ///   - shards: into how many each batch is split.
  ///   - steps: how many steps this member has made.
  /// - Throws: why the job must stop.
  func gather(shards: Int, steps: Int) throws -> Membership
  /// Combines what all members bring, in the order of the tree: each member calls it with the same kind, shape and count,
  /// and all get the same bits.
  ///
  /// - Parameters:
  ///   - own: this member's vectors, one for each of its nodes. Memory that does not move.
  ///   - out: where the sum goes; may be the memory of one of `own`.
  ///   - owner: keeps this memory alive if the call ends early.
  func reduce(
    _ kind: ElementKind, _ shape: GroupShape, own: [UnsafeRawPointer], into out: UnsafeMutableRawPointer, count: Int,
    owner: (any Sendable & AnyObject)?) throws
  /// Waits until every member has the sums of a step, and the same ones. Only then may the step be made.
  ///
  /// - Parameters:
  ///   - step: how many steps were made before.
  ///   - digest: of all sums.
  ///   - seconds: what this member's shards took, by which they are spread; 0 if that is not known.
  func commit(step: Int, digest: UInt64, seconds: Double) throws
}

/// The group is not what it was: the step counts for nothing.
public struct GroupChanged: Error, Sendable {
  /// Makes the error.
  public init() {}
}
