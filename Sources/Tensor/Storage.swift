import Glibc
import Synchronization

/// The bytes of one or more tensors, 64-byte aligned.
///
/// `@unchecked Sendable`: bytes are written only while the tensor that owns them is being made, before anybody else can
/// see them, and never again.
public final class Storage: @unchecked Sendable {
  /// Where the bytes begin. Valid while the storage lives: use it only inside a `withExtendedLifetime` or through
  /// `Tensor`'s closures.
  let base: UnsafeMutableRawPointer
  /// How many bytes may be read.
  public let byteCount: Int
  private let owner: AnyObject?

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
}

/// Freed blocks by size class, so that a training step asks the system for nothing after its first round: fresh pages
/// cost a fault and a zeroing each.
final class StoragePool: Sendable {
  static let shared = StoragePool()

  private struct State: ~Copyable {
    var free: [[UnsafeMutableRawPointer]] = Array(repeating: [], count: 256)
    var cached = 0
    var used = 0
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

  func take(_ count: Int) -> UnsafeMutableRawPointer {
    let (index, bytes) = sizeClass(count)
    let block = blocks.withLock { blocks in
      let block = blocks.state.free[index].popLast()
      if block != nil { blocks.state.cached -= bytes }
      blocks.state.used += bytes
      return SendablePointer(pointer: block)
    }
    return block.pointer ?? UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
  }

  func give(_ pointer: UnsafeMutableRawPointer, _ count: Int) {
    let (index, bytes) = sizeClass(count)
    let block = SendablePointer(pointer: pointer)
    let kept = blocks.withLock { [limit] blocks in
      blocks.state.used -= bytes
      guard blocks.state.cached + bytes <= limit else { return false }
      blocks.state.free[index].append(block.pointer!)
      blocks.state.cached += bytes
      return true
    }
    if !kept { pointer.deallocate() }
  }

  // The block changes hands at the lock; only one side uses it at a time.
  private struct SendablePointer: @unchecked Sendable { let pointer: UnsafeMutableRawPointer? }
}
