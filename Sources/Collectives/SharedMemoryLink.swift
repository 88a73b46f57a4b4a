import CCollective
import Glibc
public import ShardTree
public import Wire

/// One member's part of a group's shared memory, before the others know of it.
///
/// It is anonymous memory that others open through the process that made it: when its last user is gone, so is it,
/// however they ended.
public final class SharedSegment: Sendable {
  /// How another process finds it.
  public struct Address: Sendable, Hashable, Codable {
    /// The process that made it.
    public var process: Int
    /// The handle there.
    public var handle: Int
    /// A number that only this segment has.
    public var nonce: UInt64

    /// Names a segment.
    public init(process: Int, handle: Int, nonce: UInt64) {
      (self.process, self.handle, self.nonce) = (process, handle, nonce)
    }
  }

  /// Bytes of a vector that are worked on at a time: what all members touch of it stays in their caches.
  public static let chunk = 256 << 10
  /// Room for so many nodes of one member: more than any contiguous run of up to 4096 shards has.
  static let nodes = 24

  /// How others find it.
  public let address: Address

  /// Makes a segment.
  ///
  /// - Throws: one sentence.
  public init() throws {
    let nonce = UInt64.random(in: 1...UInt64.max)
    let handle = unmask_segment_make(nonce, Self.size)
    guard handle >= 0 else {
      throw SegmentProblem("no memory can be shared with other processes: \(String(cString: strerror(errno)))")
    }
    address = Address(process: Int(getpid()), handle: Int(handle), nonce: nonce)
  }

  deinit { close(Int32(address.handle)) }

  // Pages that nobody has touched take no memory.
  static var size: Int { unmask_segment_size(Int32(nodes), chunk) }
}

/// Why memory cannot be shared, as one sentence.
public struct SegmentProblem: Error, Sendable, CustomStringConvertible {
  /// The sentence.
  public let description: String

  init(_ sentence: String) { description = sentence }
}

/// The route over shared memory.
public final class SharedMemoryLink: Link {
  /// Which way it is.
  public let route = Route.sharedMemory
  private let sharing: OpaquePointer
  private let patience: Int32

  /// Maps every member's segment.
  ///
  /// - Parameters:
  ///   - members: the segments by rank, this member's own included.
  ///   - patience: milliseconds without a move of another member before it counts as lost.
  /// - Throws: `SegmentProblem` if one cannot be reached: its process is on another machine, or in another container.
  public init(rank: Int, members: [SharedSegment.Address], patience: Int) throws {
    var segments: [OpaquePointer?] = []
    for (index, member) in members.enumerated() {
      guard
        let segment = unmask_segment_open(
          Int32(clamping: member.process), Int32(clamping: member.handle), member.nonce, SharedSegment.size)
      else {
        let reason = String(cString: strerror(errno))
        for case let segment? in segments { unmask_segment_close(segment, SharedSegment.size) }
        throw SegmentProblem("the memory of member \(index) cannot be reached: \(reason)")
      }
      segments.append(segment)
    }
    sharing = unmask_sharing_make(
      Int32(rank), Int32(members.count), segments, [Int](repeating: SharedSegment.size, count: members.count),
      [Int32](repeating: Int32(SharedSegment.nodes), count: members.count), members.map { Int32($0.process) },
      SharedSegment.chunk)
    self.patience = Int32(patience)
  }

  deinit { unmask_sharing_free(sharing) }

  /// See `Link`.
  public func stop() { unmask_sharing_stop(sharing) }

  /// See `Link`.
  public func reduce(
    _ kind: ElementKind, _ shape: GroupShape, own: [UnsafeRawPointer], into out: UnsafeMutableRawPointer, count: Int,
    owner: (any Sendable & AnyObject)?
  ) throws {
    var culprit: Int32 = 0
    let result = shape.counts.withUnsafeBufferPointer { counts in
      shape.additions.withUnsafeBufferPointer { additions in
        own.withUnsafeBufferPointer { own in
          own.withMemoryRebound(to: UnsafeRawPointer?.self) { own in
            unmask_sharing_reduce(
              sharing, kind.rawValue, counts.baseAddress, additions.baseAddress, additions.count, own.baseAddress, out,
              count, patience, &culprit)
          }
        }
      }
    }
    switch Int(result) {
    case UNMASK_SHARED: break
    case UNMASK_DEAD: throw LinkProblem.dead(rank: Int(culprit))
    case UNMASK_LATE: throw LinkProblem.late(rank: Int(culprit))
    default: throw LinkProblem.stopped
    }
  }
}
