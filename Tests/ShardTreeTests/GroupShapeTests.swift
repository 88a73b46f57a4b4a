import Testing

@testable import ShardTree

@Suite struct `group shapes` {
  @Test func `add up in the order of the tree for every number of shards and members`() {
    for shards in 1...33 {
      let values: [[Float]] = (0..<shards).map { (shard: Int) -> [Float] in
        let number = Float(shard)
        return [number * 1.1 + 0.3, 1 / (number + 3)]
      }
      let sums = values.enumerated().map { ShardTree.Sum(low: $0.offset, high: $0.offset + 1, values: $0.element) }
      let expected = ShardTree.root(of: sums, shards: shards)!
      for members in 1...min(shards, 9) {
        let shape = GroupShape(shards: shards, members: members)
        let nodes = shape.nodes.joined().map { node in
          var sum = [Float](repeating: 0, count: 2)
          add(GroupShape.additions(of: node), node.map { values[$0] }, &sum)
          return sum
        }
        #expect(shape.leafCount == nodes.count && shape.firstLeaf.count == members)
        var sum: [Float] = [0, 0]
        add(shape.additions, nodes, &sum)
        #expect(sum == expected, "\(shards) shards over \(members) members")
      }
    }
  }

  private func add(_ additions: [Addition], _ leaves: [[Float]], _ out: inout [Float]) {
    let pointers = leaves.map { leaf in
      let pointer = UnsafeMutablePointer<Float>.allocate(capacity: leaf.count)
      pointer.initialize(from: leaf, count: leaf.count)
      return pointer
    }
    defer { pointers.forEach { $0.deallocate() } }
    let count = out.count
    out.withUnsafeMutableBytes { bytes in
      sumHere(.float32, additions, pointers.map { UnsafeRawPointer($0) }, into: bytes.baseAddress!, count: count)
    }
  }

  @Test(arguments: [1, 2, 3, 4, 8, 100, 256]) func `fixed point sums never overflow, and are near`(shards: Int) {
    let bits = FixedPoint.bits(shards: shards)
    // The worst case: every shard at its largest, and just below a power of two, where rounding goes up.
    for (exponent, value) in [
      (Int32(0), Float(1).nextDown), (5, 31.5), (-40, 0x1p-41), (127, 0x1p126), (-126, 0x1p-130),
    ] {
      let values = [value, -value, value / 3]
      #expect(FixedPoint.exponent(of: values, count: 3) <= exponent)
      let shared = FixedPoint.exponent(of: values, count: 3)
      var integers = [Int16](repeating: 0, count: 3)
      FixedPoint.quantise(values, into: &integers, count: 3, exponent: shared, bits: bits)
      let sums = integers.map { Int($0) * shards }
      #expect(sums.allSatisfy { Int16(exactly: $0) != nil }, "\(shards) shards of \(value)")
      var back = [Float](repeating: 0, count: 3)
      FixedPoint.dequantise(sums.map { Int16($0) }, into: &back, count: 3, exponent: shared, bits: bits)
      let step = Double(sign: .plus, exponent: Int(shared) - Int(bits) + 1, significand: 1)
      for (value, back) in zip(values, back) where Double(back).isFinite {
        #expect(abs(Double(back) - Double(value) * Double(shards)) <= step * Double(shards))
      }
    }
  }

  @Test func `fixed point flags what is not finite`() {
    for value in [Float.infinity, -.infinity, .nan] {
      let exponent = FixedPoint.exponent(of: [1, value, 2], count: 3)
      #expect(exponent == .max)
      var integers = [Int16](repeating: 7, count: 3)
      FixedPoint.quantise([1, value, 2], into: &integers, count: 3, exponent: exponent, bits: 14)
      #expect(integers == [0, 0, 0])
      var back: [Float] = [0, 0, 0]
      FixedPoint.dequantise(integers, into: &back, count: 3, exponent: exponent, bits: 14)
      #expect(back.allSatisfy { $0.isNaN })
    }
  }

  @Test func `digests tell one bit`() {
    var bytes = [UInt8](repeating: 3, count: 77)
    let before = bytes.withUnsafeBytes { digest(of: $0) }
    for index in bytes.indices {
      bytes[index] ^= 16
      let changed = bytes.withUnsafeBytes { digest(of: $0) }
      #expect(changed != before)
      bytes[index] ^= 16
    }
  }
}
