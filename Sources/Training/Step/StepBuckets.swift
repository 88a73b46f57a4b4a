import Foundation

/// How a vector of gradients is cut for the exchange between members: from its end to its beginning, as backward fills it,
/// in pieces that leave while backward goes on; what lies behind the gradients comes last.
///
/// - Source: sizes as in PyTorch's DistributedDataParallel (25 MiB, a small first one), but an eighth of a small model, so
///   that there is something to overlap.
struct StepBuckets: Sendable {
  /// Where each bucket lies in the vector, in the order in which they leave.
  let ranges: [Range<Int>]
  /// The bucket of each parameter.
  let ofSlot: [Int]
  /// Where each parameter lies in the vector.
  let slots: [Range<Int>]

  /// Buckets of a vector whose parameters lie at `slots`, one behind the other from 0.
  init(slots: [Range<Int>], count: Int) {
    let end = slots.last?.upperBound ?? 0
    let usual = min(25 << 20, max(256 << 10, end * 4 / 8)) / 4
    var (ranges, ofSlot): ([Range<Int>], [Int]) = ([], Array(repeating: 0, count: slots.count))
    var upper = end
    for slot in slots.indices.reversed() {
      ofSlot[slot] = ranges.count
      let limit = ranges.isEmpty ? min(usual, 1 << 18) : usual
      if upper - slots[slot].lowerBound >= limit || slot == 0 {
        ranges.append(slots[slot].lowerBound..<upper)
        upper = slots[slot].lowerBound
      }
    }
    ranges.append(end..<count)
    (self.ranges, self.ofSlot, self.slots) = (ranges, ofSlot, slots)
  }

  /// The parameters of a bucket.
  func slots(of bucket: Int) -> [Int] { slots.indices.filter { ofSlot[$0] == bucket } }

  /// The bucket of what lies behind the gradients.
  var last: Int { ranges.count - 1 }
}

/// Tells when buckets are full: whoever computes shards reports each parameter once a shard.
final class BucketGate: @unchecked Sendable {
  // Protected by `lock`.
  private var missing: [Int]
  private let lock = NSCondition()
  private let buckets: StepBuckets

  init(_ buckets: StepBuckets, shards: Int) {
    self.buckets = buckets
    missing = buckets.ranges.map { _ in 0 }
    for bucket in buckets.ofSlot { missing[bucket] += shards }
    missing[buckets.last] += shards
  }

  /// A shard's gradient of one parameter is final.
  func fill(slot: Int) { fill(bucket: buckets.ofSlot[slot]) }

  /// A shard's statistics and loss are final.
  func fillLast() { fill(bucket: buckets.last) }

  private func fill(bucket: Int) {
    lock.lock()
    missing[bucket] -= 1
    precondition(missing[bucket] >= 0, "BucketGate: bucket \(bucket) is filled twice")
    if missing[bucket] == 0 { lock.broadcast() }
    lock.unlock()
  }

  /// Waits until a bucket is full.
  func wait(for bucket: Int) {
    lock.lock()
    while missing[bucket] > 0 { lock.wait() }
    lock.unlock()
  }
}
