import Glibc
import Synchronization

/// The bytes of one or more tensors, 64-byte aligned.
///
/// `@unchecked Sendable`: bytes are written only while the tensor that owns them is being made, before anybody else can
/// see them, or by the only one who has them.
public final class Storage: @unchecked Sendable {
  /// Where the bytes begin. Valid while the storage lives: use it only inside a `withExtendedLifetime` or through
  /// `Tensor`'s closures.
  let base: UnsafeMutableRawPointer
  /// How many bytes may be read.
  public let byteCount: Int
  private let owner: AnyObject?

  /// Whether these bytes are from the pool, and nobody else's.
  var isOwn: Bool { owner == nil }

  /// Fresh bytes with undefined content, from the pool.
  init(byteCount: Int) {
    base = StoragePool.shared.take(byteCount)
    self.byteCount = byteCount
    owner = nil
  }

  /// Bytes that `owner` keeps alive and unchanged, a mapped file for instance.
  ///
  /// - Traps: if `bytes` is not aligned to 8 bytes.
  public init(external bytes: UnsafeRawBufferPointer, owner: AnyObject) {
    base = UnsafeMutableRawPointer(mutating: bytes.baseAddress!)
    byteCount = bytes.count
    self.owner = owner
  }

  deinit {
    if owner == nil { StoragePool.shared.give(base, byteCount) }
  }
}

/// How much memory tensors have.
public enum TensorMemory {
  /// Bytes of all living tensors' blocks, in the whole process.
  public static var bytesInUse: Int { StoragePool.shared.used }

  /// Runs `body` and counts the blocks that the calling thread takes and gives back meanwhile, whatever others do.
  ///
  /// - Returns: what `body` gave; the bytes that it left taken, and the most that it had at once.
  public static func counting<R>(_ body: () -> R) -> (result: R, left: Int, most: Int) {
    StoragePool.shared.beginCounting()
    let result = body()
    let count = StoragePool.shared.endCounting()
    return (result, count.now, count.most)
  }

  /// Gives the blocks that nobody uses back to the system: between two jobs, as the next one may want other sizes.
  public static func releaseIdle() { StoragePool.shared.releaseIdle() }
}

/// Freed blocks by size class, so that a training step asks the system for nothing after its first round: fresh pages
/// cost a fault and a zeroing each.
final class StoragePool: Sendable {
  static let shared = StoragePool()

  private struct State: ~Copyable {
    var free: [[UnsafeMutableRawPointer]] = Array(repeating: [], count: 256)
    var cached = 0
    var used = 0
    // Of threads that count what they take.
    var counts: [pthread_t: Count] = [:]

    mutating func count(_ bytes: Int) {
      used += bytes
      if !counts.isEmpty { counts[pthread_self()]?.add(bytes) }
    }
  }

  /// What one thread took since it began to count.
  struct Count {
    var now = 0
    var most = 0

    mutating func add(_ bytes: Int) {
      now += bytes
      most = max(most, now)
    }
  }

  // Pointers are not Sendable; these point to blocks that nobody uses.
  private struct Blocks: ~Copyable, @unchecked Sendable { var state = State() }
  private let blocks = Mutex(Blocks())

  /// Beyond this many idle bytes, blocks go back to the system: a quarter of the machine's memory.
  private let limit = max(256 << 20, sysconf(Int32(_SC_PHYS_PAGES)) / 4 * sysconf(Int32(_SC_PAGESIZE)))

  /// The class of a size, and the bytes that blocks of this class have: four classes to each power of two.
  private func sizeClass(_ count: Int) -> (index: Int, bytes: Int) {
    let units = max(1, (count + 63) / 64)
    let power = Int.bitWidth - 1 - units.leadingZeroBitCount
    if power < 2 { return (units - 1, units * 64) }
    let step = 1 << (power - 2)
    let quarter = (units - (1 << power) + step - 1) / step
    return (power * 4 + quarter, ((1 << power) + quarter * step) * 64)
  }

  /// Bytes of blocks that were taken and not given back.
  var used: Int { blocks.withLock { $0.state.used } }

  func beginCounting() { blocks.withLock { $0.state.counts[pthread_self()] = Count() } }

  func endCounting() -> Count { blocks.withLock { $0.state.counts.removeValue(forKey: pthread_self()) } ?? Count() }

  func releaseIdle() {
    let idle = blocks.withLock { blocks in
      let idle = SendablePointers(pointers: blocks.state.free.flatMap { $0 })
      for index in blocks.state.free.indices { blocks.state.free[index] = [] }
      blocks.state.cached = 0
      return idle
    }
    for pointer in idle.pointers { pointer.deallocate() }
  }

  func take(_ count: Int) -> UnsafeMutableRawPointer {
    let (index, bytes) = sizeClass(count)
    let block = blocks.withLock { blocks in
      let block = blocks.state.free[index].popLast()
      if block != nil { blocks.state.cached -= bytes }
      blocks.state.count(bytes)
      return SendablePointer(pointer: block)
    }
    return block.pointer ?? UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
  }

  func give(_ pointer: UnsafeMutableRawPointer, _ count: Int) {
    let (index, bytes) = sizeClass(count)
    let block = SendablePointer(pointer: pointer)
    let kept = blocks.withLock { [limit] blocks in
      blocks.state.count(-bytes)
      guard blocks.state.cached + bytes <= limit else { return false }
      blocks.state.free[index].append(block.pointer!)
      blocks.state.cached += bytes
      return true
    }
    if !kept { pointer.deallocate() }
  }

  // The block changes hands at the lock; only one side uses it at a time.
  private struct SendablePointer: @unchecked Sendable { let pointer: UnsafeMutableRawPointer? }
  private struct SendablePointers: @unchecked Sendable { let pointers: [UnsafeMutableRawPointer] }
}
