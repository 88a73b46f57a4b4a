public import CCollective

/// Which nodes of the tree over shards each member brings, and in which order they are added up.
public struct GroupShape: Sendable {
  /// Shards in all.
  public let shards: Int
  /// Each member's shards, by rank: together all, in order.
  public let members: [Range<Int>]
  /// Each member's maximal nodes.
  public let nodes: [[Range<Int>]]
  /// Where each member's nodes begin among all, its leaves.
  public let firstLeaf: [Int]
  /// How many nodes each member has.
  public let counts: [Int32]
  /// What adds up all leaves.
  public let additions: [Addition]
  /// Nodes of all members.
  public let leafCount: Int

  /// The shape of a group whose members compute these shards.
  ///
  /// - Traps: if they are not all shards, each once, in order.
  public init(shards: Int, members: [Range<Int>]) {
    precondition(
      members.first?.lowerBound == 0 && members.last?.upperBound == shards
        && zip(members, members.dropFirst()).allSatisfy { $0.upperBound == $1.lowerBound },
      "GroupShape: \(members) are not the \(shards) shards")
    self.init(shards: shards, members: members, nodes: members.map { ShardTree.maximalNodes(in: $0, shards: shards) })
  }

  /// Shards spread as evenly as can be.
  public init(shards: Int, members: Int) {
    self.init(
      shards: shards,
      members: (0..<members).map { ShardTree.shards(ofMember: $0, members: members, shards: shards) })
  }

  /// One member brings everything, and the others get it: no addition takes place.
  public init(from rank: Int, members: Int) {
    self.init(shards: 1, members: [], nodes: (0..<members).map { $0 == rank ? [0..<1] : [] })
  }

  private init(shards: Int, members: [Range<Int>], nodes: [[Range<Int>]]) {
    (self.shards, self.members, self.nodes) = (shards, members, nodes)
    leafCount = nodes.reduce(0) { $0 + $1.count }
    counts = nodes.map { Int32($0.count) }
    firstLeaf = nodes.reduce(into: [0]) { $0.append($0.last! + $1.count) }.dropLast()
    additions = Self.additions(of: Array(nodes.joined()), in: 0..<shards)
  }

  /// What adds up single shards to this node.
  public static func additions(of node: Range<Int>) -> [Addition] {
    additions(of: node.map { $0..<($0 + 1) }, in: node)
  }

  /// The sum over all shards from nodes in any order and their little-endian elements; nil if they are not all shards.
  public static func sum(_ kind: ElementKind, _ nodes: [Range<Int>], _ frames: [[UInt8]], shards: Int) -> [UInt8]? {
    let known = Set(nodes)
    func isWhole(_ node: Range<Int>) -> Bool {
      if known.contains(node) { return true }
      guard node.count > 1 else { return false }
      let middle = ShardTree.middle(node.lowerBound, node.upperBound)
      return isWhole(node.lowerBound..<middle) && isWhole(middle..<node.upperBound)
    }
    guard shards > 0, known.count == nodes.count, isWhole(0..<shards), let size = frames.first?.count,
      frames.allSatisfy({ $0.count == size }), size % kind.size == 0
    else { return nil }
    let room = UnsafeMutableRawPointer.allocate(byteCount: max(1, size * frames.count), alignment: 64)
    defer { room.deallocate() }
    let leaves = frames.enumerated().map { index, frame in
      frame.withUnsafeBytes { bytes in
        if let base = bytes.baseAddress { (room + index * size).copyMemory(from: base, byteCount: size) }
      }
      return UnsafeRawPointer(room + index * size)
    }
    sumHere(kind, additions(of: nodes, in: 0..<shards), leaves, into: room, count: size / kind.size)
    return [UInt8](UnsafeRawBufferPointer(start: room, count: size))
  }

  private static func additions(of leaves: [Range<Int>], in root: Range<Int>) -> [Addition] {
    let places = Dictionary(uniqueKeysWithValues: leaves.enumerated().map { ($1, Int32($0)) })
    var additions: [Addition] = []
    /// The operand that holds a node's sum; `free` is the first intermediate sum that nobody needs.
    func visit(_ node: Range<Int>, free: Int32) -> Int32 {
      if let leaf = places[node] { return leaf }
      precondition(node.count > 1, "GroupShape: shard \(node.lowerBound) is missing")
      let middle = ShardTree.middle(node.lowerBound, node.upperBound)
      let left = visit(node.lowerBound..<middle, free: free)
      let right = visit(middle..<node.upperBound, free: left < 0 ? free + 1 : free)
      additions.append(Addition(left: left, right: right, target: node == root ? -1 : free))
      return -1 - free
    }
    _ = visit(root, free: 0)
    return additions
  }
}
