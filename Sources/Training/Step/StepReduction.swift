import Foundation
import ShardTree

/// Where a step's time went, in seconds.
public struct StepTimes: Sendable, Equatable {
  /// Forward and backward of this member's shards.
  public var compute = 0.0
  /// Waiting until the slowest member had computed its shards.
  public var waiting = 0.0
  /// Exchange of sums that backward did not hide, and the agreement on them.
  public var exposed = 0.0
  /// All exchange of sums, hidden or not.
  public var exchange = 0.0
  /// Clipping and the optimizer.
  public var optimizer = 0.0

  static func + (a: Self, b: Self) -> Self {
    StepTimes(
      compute: a.compute + b.compute, waiting: a.waiting + b.waiting, exposed: a.exposed + b.exposed,
      exchange: a.exchange + b.exchange, optimizer: a.optimizer + b.optimizer)
  }
}

/// Adds up one step's vectors, bucket by bucket: over this member's shards, and with a group over all members', on a thread
/// of its own while backward goes on.
///
/// In `exact` mode sums are float32, in the order of the tree. In `fixed16` every shard's gradients become integers with a
/// power of two that all shards share, as few bits as leave room for the sum over all shards in 16: their sums are exact,
/// so that the result is the same for any number of members, with half the bytes. Statistics and loss stay exact.
final class StepReduction: @unchecked Sendable {
  private let buckets: StepBuckets
  private let gate: BucketGate
  private let vectors: [ShardVector]
  private let own: Range<Int>
  private let shards: Int
  private let isFixed: Bool
  private let reducer: (any ShardReducer)?
  private let membership: Membership?
  private let finished = DispatchSemaphore(value: 0)
  // Written by the thread that adds up, read after `finished`; `failure` under `lock`.
  private var failure: (any Error)?
  private let lock = NSLock()
  private var times = StepTimes()
  private var readyAt = 0.0

  /// - Parameters:
  ///   - vectors: one a shard of this member; the first one becomes the sum. At least one, whose numbers count for nothing
  ///     if the member has no shards.
  init(
    _ buckets: StepBuckets, _ gate: BucketGate, vectors: [ShardVector], own: Range<Int>, shards: Int, isFixed: Bool,
    reducer: (any ShardReducer)?, membership: Membership?
  ) {
    (self.buckets, self.gate, self.vectors, self.own) = (buckets, gate, vectors, own)
    (self.shards, self.isFixed, self.reducer, self.membership) = (shards, isFixed, reducer, membership)
    // Of single shards, integers and other members everything leaves from the vector.
    for node in nodes where !isFixed {
      for shard in node.dropFirst() { vectors[shard - own.lowerBound].holdsTensors = true }
    }
  }

  /// Own shards that are added up here before anybody else sees them.
  private var nodes: [Range<Int>] {
    isShared ? membership!.shape.nodes[membership!.rank] : own.isEmpty ? [] : [0..<shards]
  }

  private var isShared: Bool { (membership?.count ?? 1) > 1 }

  /// Begins to add up what is ready, if there are others to share with.
  func start() {
    guard isShared else { return }
    let thread = Thread { [self] in
      do { try run { count, piece in (0..<count).forEach(piece) } } catch { lock.withLock { failure = error } }
      finished.signal()
    }
    thread.name = "sums"
    thread.stackSize = 1 << 20
    thread.start()
  }

  /// Whether the step counts for nothing already, so that nothing more need be computed.
  var hasFailed: Bool { lock.withLock { failure != nil } }

  /// Waits for the sums; they are in the first vector.
  ///
  /// - Parameter spread: calls its second argument for 0..<its first, on all threads, which nobody else uses now.
  func finish(_ spread: (Int, (Int) -> Void) -> Void) throws -> StepTimes {
    if isShared { finished.wait() } else { try run(spread) }
    if let failure = lock.withLock({ failure }) { throw failure }
    return times
  }

  private func run(_ spread: (Int, (Int) -> Void) -> Void) throws {
    for bucket in buckets.ranges.indices {
      gate.wait(for: bucket)
      if isShared && bucket == max(0, buckets.last - 1) { try meet() }
      let start = now()
      if isFixed && bucket < buckets.last { try addFixed(bucket) } else { try add(bucket, spread) }
      times.exchange += now() - start
    }
    if isShared { times.exposed = now() - readyAt }
  }

  /// The last gradients are there when backward ends. Whoever comes last is waited for here, so that this time is told
  /// from that of the exchange.
  private func meet() throws {
    let start = now()
    var here: Int32 = 0
    try withUnsafeMutableBytes(of: &here) { bytes in
      try reducer!.reduce(
        .largest, onePerMember, own: [UnsafeRawPointer(bytes.baseAddress!)], into: bytes.baseAddress!, count: 1,
        owner: nil)
    }
    readyAt = now()
    times.waiting = readyAt - start
  }

  /// For what is exact in any order: each member adds up its own shards first.
  private var onePerMember: GroupShape { GroupShape(shards: membership!.count, members: membership!.count) }

  private func now() -> Double { Double(DispatchTime.now().uptimeNanoseconds) / 1e9 }

  private func place(_ vector: Int, _ bucket: Int) -> UnsafeMutablePointer<Float> {
    vectors[vector].values.baseAddress! + buckets.ranges[bucket].lowerBound
  }

  private func add(_ bucket: Int, _ spread: (Int, (Int) -> Void) -> Void) throws {
    let count = buckets.ranges[bucket].count
    guard count > 0 else { return }
    // A node's sum takes the place of its first shard.
    for node in nodes where node.count > 1 { addHere(bucket, node, spread) }
    guard isShared else { return }
    try reducer!.reduce(
      .float32, membership!.shape,
      own: nodes.map { UnsafeRawPointer(place($0.lowerBound - own.lowerBound, bucket)) }, into: place(0, bucket),
      count: count, owner: self)
  }

  /// Pieces that threads add up side by side.
  private static let pieceCount = 1 << 17

  /// Adds up a node's shards, parameter by parameter, as some of them still lie where backward left them.
  private func addHere(_ bucket: Int, _ node: Range<Int>, _ spread: (Int, (Int) -> Void) -> Void) {
    let parts =
      bucket < buckets.last
      ? buckets.slots(of: bucket).map { (slot: Optional($0), range: buckets.slots[$0]) }
      : [(slot: nil, range: buckets.ranges[bucket])]
    let pieces = parts.flatMap { part in
      stride(from: 0, to: part.range.count, by: Self.pieceCount).map { (part: part, begin: $0) }
    }
    let additions = GroupShape.additions(of: node)
    let shards = node.map { vectors[$0 - own.lowerBound] }
    spread(pieces.count) { index in
      let (part, begin) = pieces[index]
      let leaves = shards.map { UnsafeRawPointer($0.place(part.slot, part.range.lowerBound) + begin) }
      sumHere(
        .float32, additions, leaves, into: shards[0].values.baseAddress! + part.range.lowerBound + begin,
        count: min(Self.pieceCount, part.range.count - begin))
    }
  }

  private func addFixed(_ bucket: Int) throws {
    let count = buckets.ranges[bucket].count
    guard count > 0 else { return }
    let bits = FixedPoint.bits(shards: shards)
    var exponent =
      own.indices.map { FixedPoint.exponent(of: place($0 - own.lowerBound, bucket), count: count) }.max() ?? -126
    if isShared {
      try withUnsafeMutableBytes(of: &exponent) { bytes in
        try reducer!.reduce(
          .largest, onePerMember, own: [UnsafeRawPointer(bytes.baseAddress!)], into: bytes.baseAddress!, count: 1,
          owner: nil)
      }
    }
    let integers = Integers(count: count)
    for shard in own {
      let values = place(shard - own.lowerBound, bucket)
      if shard == own.lowerBound {
        FixedPoint.quantise(values, into: integers.sum, count: count, exponent: exponent, bits: bits)
      } else {
        FixedPoint.quantise(values, into: integers.one, count: count, exponent: exponent, bits: bits)
        sumHere(
          .int16, GroupShape.additions(of: 0..<2), [UnsafeRawPointer(integers.sum), UnsafeRawPointer(integers.one)],
          into: integers.sum, count: count)
      }
    }
    if isShared {
      try reducer!.reduce(
        .int16, onePerMember, own: [UnsafeRawPointer(integers.sum)], into: integers.sum, count: count, owner: integers)
    }
    FixedPoint.dequantise(integers.sum, into: place(0, bucket), count: count, exponent: exponent, bits: bits)
  }

  /// Room for one bucket's integers: the sum, and one shard's.
  private final class Integers: @unchecked Sendable {
    let sum: UnsafeMutablePointer<Int16>
    let one: UnsafeMutablePointer<Int16>

    init(count: Int) {
      (sum, one) = (.allocate(capacity: count), .allocate(capacity: count))
      sum.initialize(repeating: 0, count: count)
    }

    deinit {
      sum.deallocate()
      one.deallocate()
    }
  }
}
