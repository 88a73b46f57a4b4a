public import CCollective

/// What elements are, and how two of them become one.
public enum ElementKind: Int32, Sendable {
  /// float32, added up.
  case float32 = 0
  /// int16, added up; the caller sees to it that nothing overflows.
  case int16 = 1
  /// int32, of which the largest counts.
  case largest = 2

  /// Bytes of one element.
  public var size: Int { self == .int16 ? 2 : 4 }
}

/// Adds up one member's own vectors.
public func sumHere(
  _ kind: ElementKind, _ additions: [Addition], _ leaves: [UnsafeRawPointer], into out: UnsafeMutableRawPointer,
  count: Int
) {
  additions.withUnsafeBufferPointer { additions in
    leaves.withUnsafeBufferPointer { leaves in
      leaves.withMemoryRebound(to: UnsafeRawPointer?.self) { leaves in
        unmask_tree_reduce(kind.rawValue, additions.baseAddress, additions.count, leaves.baseAddress, out, count)
      }
    }
  }
}

/// One addition of a tree, as the kernels take it.
public typealias Addition = unmask_addition

/// Numbers as small integers times a power of two that all shards share, so that their sums are exact, in any order.
public enum FixedPoint {
  /// Bits of one shard's integers, with the sign, such that the sum over all shards fits 16.
  ///
  /// - Traps: if there are more than 256 shards, whose integers would be too coarse.
  public static func bits(shards: Int) -> Int32 {
    precondition((1...256).contains(shards), "FixedPoint: \(shards) shards")
    return 16 - Int32((shards - 1).bitWidth - (shards - 1).leadingZeroBitCount)
  }

  /// The exponent e of the largest magnitude: all are below 2^e. `Int32.max` if one is not finite.
  public static func exponent(of values: UnsafePointer<Float>, count: Int) -> Int32 {
    unmask_largest_exponent(values, count)
  }

  /// Rounds numbers below 2^exponent to integers of so many bits.
  public static func quantise(
    _ values: UnsafePointer<Float>, into out: UnsafeMutablePointer<Int16>, count: Int, exponent: Int32, bits: Int32
  ) { unmask_quantise(values, out, count, exponent, bits) }

  /// The numbers of integers, or of their sums; all are NaN if the exponent is that of numbers that are not finite.
  public static func dequantise(
    _ values: UnsafePointer<Int16>, into out: UnsafeMutablePointer<Float>, count: Int, exponent: Int32, bits: Int32
  ) { unmask_dequantise(values, out, count, exponent, bits) }
}

/// A 64-bit number that tells other bytes by, almost surely; the same on every machine.
public func digest(of bytes: UnsafeRawBufferPointer, seed: UInt64 = 0) -> UInt64 {
  unmask_digest(bytes.baseAddress, bytes.count, seed)
}
