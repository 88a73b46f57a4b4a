internal import CKernels
import Glibc
import Synchronization

/// The right factor of many products, in the order in which their innermost loops read it.
///
///     let factor = PackedFactor(of: weights, transposed: true)
///     factor?.panels  // for `dk_packed_product`
public final class PackedFactor: @unchecked Sendable {
  /// The packed numbers; valid while this object lives.
  public let panels: UnsafePointer<Float>
  // `@unchecked Sendable`: units are written by whoever took them; the panels are read when all are done.
  private let storage: Storage
  private let original, source: Tensor
  private let transposed: Bool
  private let columns, terms, units: Int
  private let next = Atomic<Int>(0)
  private let done = Atomic<Int>(0)

  /// B, or Bᵀ, for products under the calling thread's precision; nil on processors that have no packed products.
  ///
  /// - Traps: unless `b` is a matrix of floats.
  public static func of(_ b: Tensor, transposed: Bool) -> PackedFactor? {
    precondition(b.rank == 2 && b.dtype == .float32, "packed factor: \(b.shape) of \(b.dtype)")
    guard dk_factor_size(1, 1) > 0, b.count > 0 else { return nil }
    let factor =
      PackedFactors.current.map { $0.factor(of: b, transposed) } ?? PackedFactor(b, transposed)
    factor.complete()
    return factor
  }

  fileprivate init(_ b: Tensor, _ transposed: Bool) {
    (original, source, self.transposed) = (b, b.contiguous(), transposed)
    (columns, terms) = transposed ? (b.shape[0], b.shape[1]) : (b.shape[1], b.shape[0])
    units = Int(dk_factor_units(Int64(columns), Int64(terms)))
    storage = Storage(byteCount: 4 * Int(dk_factor_size(Int64(columns), Int64(terms))))
    panels = UnsafePointer(storage.base.assumingMemoryBound(to: Float.self))
  }

  /// Packs what nobody has begun to pack, and waits for the rest: shards side by side need the same weights at the same
  /// time, and pack them together.
  private func complete() {
    guard done.load(ordering: .acquiring) < units else { return }
    let some = 4 * ComputeThreads.count
    source.withFloats { b in
      while true {
        let begin = next.add(some, ordering: .relaxed).oldValue
        guard begin < units else { break }
        let end = min(units, begin + some)
        dk_pack_factor(
          transposed ? 1 : 0, Int64(columns), Int64(terms), b.baseAddress!, Int64(source.shape[1]), Int64(begin),
          Int64(end), UnsafeMutablePointer(mutating: panels))
        done.add(end - begin, ordering: .acquiringAndReleasing)
      }
    }
    while done.load(ordering: .acquiring) < units { sched_yield() }
  }
}

/// Factors that several threads multiply by, each packed once: the weights of one step, for all of its shards.
public final class PackedFactors: Sendable {
  @TaskLocal static var current: PackedFactors?

  private struct Key: Hashable {
    let storage: ObjectIdentifier
    let layout: Layout
    let transposed: Bool
    let precision: ComputePrecision
  }

  // A factor holds the tensor that it was made of, so that no other storage gets its identity.
  private let factors = Mutex<[Key: PackedFactor]>([:])

  /// No factors.
  public init() {}

  /// Rows up to which packing weights takes a good part of their product's time.
  private static let mostRows = 256

  /// The factor that threads share, for a product of so many rows; nil where nothing is shared, or not worth its memory.
  public static func shared(_ b: Tensor, transposed: Bool, rows: Int) -> PackedFactor? {
    current == nil || rows > mostRows ? nil : PackedFactor.of(b, transposed: transposed)
  }

  /// Runs `body`, whose products on this thread share these factors.
  public func shared<R>(_ body: () throws -> R) rethrows -> R { try Self.$current.withValue(self, operation: body) }

  fileprivate func factor(of b: Tensor, _ transposed: Bool) -> PackedFactor {
    let key = Key(
      storage: ObjectIdentifier(b.storage), layout: b.layout, transposed: transposed, precision: .current)
    return factors.withLock { factors in
      if let factor = factors[key] { return factor }
      let factor = PackedFactor(b, transposed)
      factors[key] = factor
      return factor
    }
  }
}
