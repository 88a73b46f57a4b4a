// Sorting of many scores: on 64-bit keys whose integer order is the scores' order, a byte at a time.

/// Sorts from high to low; -0 and 0 are equal.
func descending(_ scores: [Double]) -> [Double] {
  var keys = scores.map { score -> UInt64 in
    let bits = (score + 0).bitPattern  // -0 + 0 is 0
    return bits >> 63 == 1 ? bits : ~bits & (UInt64.max >> 1)
  }
  radixSort(&keys)
  return keys.map { key in Double(bitPattern: key >> 63 == 1 ? key : ~key & (UInt64.max >> 1)) }
}

/// Sorts keys from low to high.
///
/// - Cost: one pass to count, one for each byte in which the keys differ; as much memory again.
func radixSort(_ keys: inout [UInt64]) {
  let count = keys.count
  guard count > 2048 else {  // below that the counts cost more than comparisons
    keys.sort()
    return
  }
  var counts = [Int32](repeating: 0, count: 8 * 256)
  var spare = [UInt64](unsafeUninitializedCapacity: count) { _, filled in filled = count }
  var inSpare = false
  counts.withUnsafeMutableBufferPointer { counts in
    keys.withUnsafeMutableBufferPointer { keys in
      spare.withUnsafeMutableBufferPointer { spare in
        for key in keys {
          for byte in 0..<8 { counts[byte &* 256 &+ Int(truncatingIfNeeded: (key >> UInt64(byte &* 8)) & 255)] &+= 1 }
        }
        for byte in 0..<8 {
          let here = UnsafeMutableBufferPointer(rebasing: counts[byte * 256..<byte * 256 + 256])
          if here.contains(Int32(count)) { continue }  // all keys have the same byte
          var start: Int32 = 0
          for digit in 0..<256 {
            let size = here[digit]
            here[digit] = start
            start &+= size
          }
          let (from, to) = inSpare ? (spare, keys) : (keys, spare)
          let shift = UInt64(byte * 8)
          for key in from {
            let digit = Int(truncatingIfNeeded: (key >> shift) & 255)
            to[Int(here[digit])] = key
            here[digit] &+= 1
          }
          inSpare.toggle()
        }
      }
    }
  }
  if inSpare { swap(&keys, &spare) }
}
