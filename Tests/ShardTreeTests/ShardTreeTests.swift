import ShardTree
import Testing

@Suite struct `shard tree` {
  /// Values whose float32 sum depends on the order of addition.
  func shard(_ index: Int) -> [Float] { (0..<5).map { Float(1 << (index * 3 % 20)) * 1.1 + Float($0) * 0.37 } }

  @Test(arguments: [1, 2, 3, 4, 5, 7, 8, 16])
  func `every grouping of shards over members gives the same bits`(shards: Int) throws {
    let whole = (0..<shards).map { ShardTree.Sum(low: $0, high: $0 + 1, values: shard($0)) }
    let expected = try #require(ShardTree.root(of: whole, shards: shards))
    for members in 1...shards {
      var contributed: [ShardTree.Sum] = []
      for rank in 0..<members {
        let range = ShardTree.shards(ofMember: rank, members: members, shards: shards)
        let own = ShardTree.combine(whole.filter { range.contains($0.low) }, shards: shards)
        #expect(own.map { $0.low..<$0.high } == ShardTree.maximalNodes(in: range, shards: shards))
        contributed += own
      }
      let root = try #require(ShardTree.root(of: contributed.reversed(), shards: shards))
      #expect(root.map(\.bitPattern) == expected.map(\.bitPattern))
    }
  }

  @Test func `a missing shard gives no root`() {
    #expect(ShardTree.root(of: [.init(low: 0, high: 1, values: [1])], shards: 2) == nil)
  }
}
