import ShardTree
import Testing
import Wire

@testable import Coordination

@Suite struct `sums over a group` {
  /// What a member sends: each of its nodes has the value 1/(3 + shard), three elements.
  func message(
    _ step: Int, rank: Int, members: Int, shards: Int = 4, total: Int = 3, token: UInt64 = 1
  ) -> (ReduceSums, [[UInt8]]) {
    let range = ShardTree.shards(ofMember: rank, members: members, shards: shards)
    let leaves = range.map { shard in
      ShardTree.Sum(low: shard, high: shard + 1, values: (0..<total).map { 1 / Float(3 + shard + step + $0) })
    }
    let sums = ShardTree.combine(leaves, shards: shards)
    let frames = sums.map { bytes(of: $0.values) }
    let nodes = zip(sums, frames).map { Node(low: $0.low, high: $0.high, crc: crc32c($1)) }
    return (
      ReduceSums(
        job: "j", token: token, step: step, shards: shards, offset: 0, total: sums.isEmpty ? 0 : total, nodes: nodes),
      frames
    )
  }

  private func bytes(of values: [Float]) -> [UInt8] { values.withUnsafeBytes { [UInt8]($0) } }

  func whole(_ step: Int) -> [UInt8] {
    let leaves = (0..<4).map { shard in
      ShardTree.Sum(low: shard, high: shard + 1, values: (0..<3).map { 1 / Float(3 + shard + step + $0) })
    }
    return bytes(of: ShardTree.root(of: leaves, shards: 4)!)
  }

  @Test(arguments: [1, 2, 3, 4, 6]) func `have the same bits for every number of members`(members: Int) {
    var rounds = ReduceRounds(limit: 1 << 20)
    for step in 0..<3 {
      var last = ReduceRounds.Outcome.waits
      for rank in (0..<members).reversed() {
        #expect(last == .waits)
        let (sums, frames) = message(step, rank: rank, members: members)
        last = rounds.add(sums, frames: frames, rank: rank, members: members, view: sums.step >> 32)
      }
      #expect(last == .complete([.init(offset: 0, total: 3, bytes: whole(step))]))
    }
  }

  @Test func `are given again to a member that lost them, once`() {
    var rounds = ReduceRounds(limit: 1 << 20)
    for step in 0...1 {
      for rank in 0...1 {
        let (sums, frames) = message(step, rank: rank, members: 2)
        _ = rounds.add(sums, frames: frames, rank: rank, members: 2, view: sums.step >> 32)
      }
    }
    for step in 0...1 {
      let (sums, frames) = message(step, rank: 0, members: 2)
      let again = rounds.add(sums, frames: frames, rank: 0, members: 2, view: sums.step >> 32)
      #expect(again == .again([.init(offset: 0, total: 3, bytes: whole(step))]))
    }
  }

  @Test func `count a repeated contribution once`() {
    var rounds = ReduceRounds(limit: 1 << 20)
    let (first, frames) = message(0, rank: 0, members: 2)
    #expect(rounds.add(first, frames: frames, rank: 0, members: 2, view: first.step >> 32) == .waits)
    #expect(rounds.add(first, frames: frames, rank: 0, members: 2, view: first.step >> 32) == .waits)
    let (second, others) = message(0, rank: 1, members: 2)
    #expect(
      rounds.add(second, frames: others, rank: 1, members: 2, view: second.step >> 32)
        == .complete([.init(offset: 0, total: 3, bytes: whole(0))]))
  }

  @Test func `of an earlier view count for nothing`() {
    var rounds = ReduceRounds(limit: 1 << 20)
    var view: Int? = 1
    func add(_ step: Int, _ rank: Int) -> ReduceRounds.Outcome {
      let (sums, frames) = message(step, rank: rank, members: 2)
      return rounds.add(sums, frames: frames, rank: rank, members: 2, view: view)
    }
    #expect(add(1 << 32 + 7, 0) == .waits)
    view = 2
    #expect(add(2 << 32 + 1, 0) == .waits)
    #expect(add(1 << 32 + 7, 1) == .waits)
    #expect(add(2 << 32 + 1, 1) != .waits)
    view = nil  // it forms
    #expect(add(3 << 32 + 1, 1) == .waits)
  }

  @Test func `go on when a member leaves in the middle of one`() {
    var rounds = ReduceRounds(limit: 1 << 20)
    let (first, frames) = message(1 << 32 + 7, rank: 0, members: 3)
    #expect(rounds.add(first, frames: frames, rank: 0, members: 3, view: 1) == .waits)
    // The third one is lost here. What the second one has sent before it heard of that says nothing about the shards now.
    let (late, lateFrames) = message(1 << 32 + 7, rank: 1, members: 3)
    #expect(rounds.add(late, frames: lateFrames, rank: 1, members: 2, view: nil) == .waits)
    var last = ReduceRounds.Outcome.waits
    for rank in 0...1 {
      let (sums, frames) = message(2 << 32 + 1, rank: rank, members: 2)
      last = rounds.add(sums, frames: frames, rank: rank, members: 2, view: 2)
    }
    if case .complete = last {} else { Issue.record("\(last)") }
  }

  @Test func `add integers, and find the largest`() {
    var rounds = ReduceRounds(limit: 1 << 20)
    func add(_ step: Int, kind: Int, _ rank: Int, _ bytes: [UInt8]) -> ReduceRounds.Outcome {
      let sums = ReduceSums(
        job: "j", token: 1, step: step, kind: kind, shards: 2, offset: 0, total: 1,
        nodes: [Node(low: rank, high: rank + 1, crc: crc32c(bytes))])
      return rounds.add(sums, frames: [bytes], rank: rank, members: 2, view: sums.step >> 32)
    }
    #expect(add(1, kind: 1, 0, [255, 255]) == .waits)
    #expect(add(1, kind: 1, 1, [3, 0]) == .complete([.init(offset: 0, total: 1, bytes: [2, 0])]))
    #expect(add(2, kind: 2, 0, [255, 255, 255, 255]) == .waits)
    #expect(add(2, kind: 2, 1, [3, 0, 0, 0]) == .complete([.init(offset: 0, total: 1, bytes: [3, 0, 0, 0])]))
  }

  @Test func `break when members contradict each other, never trap`() {
    func outcome(_ change: (inout ReduceSums, inout [[UInt8]]) -> Void) -> Bool {
      var rounds = ReduceRounds(limit: 1 << 20)
      let (first, frames) = message(0, rank: 0, members: 2)
      _ = rounds.add(first, frames: frames, rank: 0, members: 2, view: first.step >> 32)
      var (second, others) = message(0, rank: 1, members: 2)
      change(&second, &others)
      if case .broken = rounds.add(second, frames: others, rank: 1, members: 2, view: second.step >> 32) { return true }
      return false
    }
    #expect(outcome { sums, _ in sums.step = 5 })
    #expect(outcome { sums, _ in sums.total = 4 })
    #expect(outcome { sums, _ in sums.total = 1 << 40 })
    #expect(outcome { sums, _ in sums.shards = 8 })
    #expect(outcome { sums, _ in sums.offset = 1 })
    #expect(outcome { sums, _ in sums.nodes[0].low = 1 })
    #expect(outcome { sums, _ in sums.nodes[0].low = 3 })
    #expect(outcome { _, frames in frames[0][0] ^= 1 })
    #expect(outcome { _, frames in frames[0].removeLast() })
    #expect(outcome { sums, frames in (sums.nodes, frames) = ([], []) })
  }
}
