import Foundation
import ShardTree
import Synchronization
import Testing
import Transport
import Wire

@testable import Collectives

/// A member's vectors in memory that does not move.
private final class Vectors: @unchecked Sendable {
  let own: [UnsafeMutablePointer<Float>]
  let out: UnsafeMutablePointer<Float>

  init(_ nodes: Int, _ count: Int, fill: (Int, Int) -> Float) {
    own = (0..<nodes).map { node in
      let pointer = UnsafeMutablePointer<Float>.allocate(capacity: max(1, count))
      for index in 0..<count { pointer[index] = fill(node, index) }
      return pointer
    }
    out = .allocate(capacity: max(1, count))
    out.initialize(repeating: -1, count: max(1, count))
  }

  deinit {
    own.forEach { $0.deallocate() }
    out.deallocate()
  }
}

/// What shard `shard` has at element `index` of vector `vector`: sums of these depend on the order.
private func element(_ shard: Int, _ index: Int, _ vector: Int) -> Float {
  Float((shard * 7_919 + index * 31 + vector * 1_009) % 9_973) * 1.1 + 1 / Float(3 + index % 17 + shard)
}

/// The sum of a node's shards at one element, by the definition of the tree.
private func treeSum(_ node: Range<Int>, _ index: Int, _ vector: Int) -> Float {
  guard node.count > 1 else { return element(node.lowerBound, index, vector) }
  let middle = ShardTree.middle(node.lowerBound, node.upperBound)
  return treeSum(node.lowerBound..<middle, index, vector) + treeSum(middle..<node.upperBound, index, vector)
}

/// Makes the links of a group whose members are threads of this process.
private func makeLinks(_ route: Route, members: Int, patience: Int = 10_000, isEncrypted: Bool = false) throws
  -> [any Link]
{
  switch route {
  case .sharedMemory:
    let segments = try (0..<members).map { _ in try SharedSegment() }
    return try (0..<members).map {
      try SharedMemoryLink(rank: $0, members: segments.map(\.address), patience: patience)
    }
  default:
    let listeners = try (0..<members).map { _ in try PeerListener(interface: "127.0.0.1", isEncrypted: isEncrypted) }
    let places = listeners.map { PeerSocket.Member(address: $0.address, publicKey: $0.publicKey) }
    return try (0..<members).map {
      try DirectLink(listeners[$0], rank: $0, members: places, secret: 42, patience: patience)
    }
  }
}

/// Runs every member on a thread of its own; their results by rank.
private func together<Value: Sendable>(
  _ members: Int, _ body: @escaping @Sendable (Int) throws -> Value
) throws -> [Result<Value, any Error>] {
  let results = Mutex<[Int: Result<Value, any Error>]>([:])
  let done = DispatchSemaphore(value: 0)
  for rank in 0..<members {
    Thread {
      let result = Result { try body(rank) }
      results.withLock { $0[rank] = result }
      done.signal()
    }.start()
  }
  for _ in 0..<members { try #require(done.wait(timeout: .now() + 30) == .success, "a member hangs") }
  return (0..<members).map { rank in results.withLock { $0[rank]! } }
}

@Suite struct `routes between members` {
  @Test(arguments: [Route.sharedMemory, .direct], [1, 2, 3, 4, 5])
  func `give the bits of the tree over shards for any number of members`(route: Route, members: Int) throws {
    let shards = 8
    let shape = GroupShape(shards: shards, members: members)
    nonisolated(unsafe) let links = try makeLinks(route, members: members, isEncrypted: members == 3)
    // One element, less than a line of cache for each member, one chunk, several chunks and frames.
    for (vector, count) in [1, 5, 4_000, 70_001, 400_003].enumerated() {
      let expected = (0..<count).map { treeSum(0..<shards, $0, vector) }
      let results = try together(members) { rank in
        let nodes = shape.nodes[rank]
        let vectors = Vectors(nodes.count, count) { treeSum(nodes[$0], $1, vector) }
        try links[rank].reduce(
          .float32, shape, own: vectors.own.map { UnsafeRawPointer($0) }, into: vectors.out, count: count,
          owner: vectors)
        return (0..<count).allSatisfy { vectors.out[$0] == expected[$0] }
      }
      #expect(try results.allSatisfy { try $0.get() }, "\(count) elements over \(members) members")
    }
  }

  @Test(arguments: [Route.sharedMemory, .direct])
  func `hand one member's vector to the others as it is`(route: Route) throws {
    nonisolated(unsafe) let links = try makeLinks(route, members: 3)
    let shape = GroupShape(from: 1, members: 3)
    let results = try together(3) { rank in
      let vectors = Vectors(rank == 1 ? 1 : 0, 200_000) { _, index in Float(bitPattern: UInt32(index) &* 2_654_435_761)
      }
      try links[rank].reduce(
        .float32, shape, own: vectors.own.map { UnsafeRawPointer($0) }, into: vectors.out, count: 200_000,
        owner: vectors)
      return (0..<200_000).allSatisfy { vectors.out[$0].bitPattern == UInt32($0) &* 2_654_435_761 }
    }
    #expect(try results.allSatisfy { try $0.get() })
  }

  @Test(arguments: [Route.sharedMemory, .direct])
  func `keep what a member says long before another one comes`(route: Route) throws {
    // One member hands on a small state in many vectors, waits for nobody, and begins the next step.
    nonisolated(unsafe) let links = try makeLinks(route, members: 2, patience: 3_000)
    let (both, state) = (GroupShape(shards: 2, members: 2), GroupShape(from: 0, members: 2))
    let results = try together(2) { rank in
      let vectors = Vectors(1, 100) { _, index in Float(index + rank) }
      let own = vectors.own.map { UnsafeRawPointer($0) }
      // Both meet once, so that the connection is there.
      try links[rank].reduce(.float32, both, own: own, into: vectors.out, count: 100, owner: vectors)
      if rank == 1 { usleep(200_000) }
      for number in 0..<8 {
        if rank == 0 { vectors.own[0][0] = Float(number) }
        try links[rank].reduce(
          .float32, state, own: rank == 0 ? own : [], into: vectors.out, count: 100, owner: vectors)
        guard vectors.out[0] == Float(number) else { return false }
      }
      vectors.own[0][0] = 3
      try links[rank].reduce(.float32, both, own: own, into: vectors.out, count: 100, owner: vectors)
      return vectors.out[0] == 6
    }
    #expect(try results.allSatisfy { try $0.get() })
  }

  @Test(arguments: [Route.sharedMemory, .direct])
  func `name the member that does not come, and can be stopped`(route: Route) throws {
    for isStopped in [false, true] {
      nonisolated(unsafe) let links = try makeLinks(route, members: 2, patience: isStopped ? 60_000 : 300)
      let shape = GroupShape(shards: 2, members: 2)
      let results = try together(2) { rank in
        if rank == 1 {
          if isStopped {
            usleep(100_000)
            links[0].stop()
          }
          return
        }
        let vectors = Vectors(1, 100_000) { _, index in Float(index) }
        try links[0].reduce(
          .float32, shape, own: vectors.own.map { UnsafeRawPointer($0) }, into: vectors.out, count: 100_000,
          owner: vectors)
      }
      #expect {
        try results[0].get()
      } throws: {
        $0 as? LinkProblem == (isStopped ? .stopped : .late(rank: 1))
      }
    }
  }

  @Test func `say soon that a member cannot be connected to`() throws {
    let listener = try PeerListener(interface: "127.0.0.1", isEncrypted: false)
    // Nobody listens there; a free port of the system's choice might be another test's in the next moment.
    let nobody = "tcp://127.0.0.1:1"
    let places = [nobody, listener.address].map { PeerSocket.Member(address: $0, publicKey: "") }
    let link = try DirectLink(listener, rank: 1, members: places, secret: 42, patience: 400)
    let vectors = Vectors(1, 10) { _, index in Float(index) }
    #expect(throws: LinkProblem.unreachable(rank: 0)) {
      try link.reduce(
        .float32, GroupShape(shards: 2, members: 2), own: vectors.own.map { UnsafeRawPointer($0) },
        into: vectors.out, count: 10, owner: vectors)
    }
  }

  @Test func `add up integers and find the largest`() throws {
    nonisolated(unsafe) let links = try makeLinks(.sharedMemory, members: 3)
    let shape = GroupShape(shards: 4, members: 3)
    let results = try together(3) { rank in
      let own = shape.nodes[rank].map { node in [Int16](repeating: Int16(node.reduce(0) { $0 + $1 + 1 }), count: 9_999)
      }
      let vectors = own.map { values in
        let pointer = UnsafeMutablePointer<Int16>.allocate(capacity: values.count)
        pointer.initialize(from: values, count: values.count)
        return pointer
      }
      let out = UnsafeMutablePointer<Int16>.allocate(capacity: 9_999)
      defer { vectors.forEach { $0.deallocate() }; out.deallocate() }
      try links[rank].reduce(
        .int16, shape, own: vectors.map { UnsafeRawPointer($0) }, into: out, count: 9_999, owner: nil)
      return (0..<9_999).allSatisfy { out[$0] == 10 }
    }
    #expect(try results.allSatisfy { try $0.get() })
  }

  @Test func `a segment that is not the one announced is refused`() throws {
    let segment = try SharedSegment()
    var other = segment.address
    other.nonce &+= 1
    #expect(throws: SegmentProblem.self) {
      _ = try SharedMemoryLink(rank: 0, members: [segment.address, other], patience: 100)
    }
    other.handle = 0
    #expect(throws: SegmentProblem.self) {
      _ = try SharedMemoryLink(rank: 0, members: [segment.address, other], patience: 100)
    }
  }
}
