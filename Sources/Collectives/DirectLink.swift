public import ShardTree
import Synchronization
public import Transport
public import Wire

/// The route over connections between all members. Each owns a part of a vector: it gets the others' sums of that part,
/// adds them up in the order of the tree, and sends the result to all. Short vectors go to everybody at once, and everybody
/// adds them up: one way instead of two.
public final class DirectLink: Link {
  /// Which way it is.
  public let route = Route.direct
  private let socket: PeerSocket
  private let rank: Int
  private let members: Int
  private let patience: Int
  private let isStopped = Atomic(false)
  private var isGreeted = false
  private var number: UInt64 = 0
  /// What came for vectors that are not begun here. Who needs something of this member is at most one ahead; who brings
  /// short vectors alone may be further.
  private var early: [PeerSocket.Arrival] = []

  /// Frames that may be on their way to one member without an answer.
  private static let window = 4
  /// Bytes of a vector that goes to everybody at once.
  private static let small = 16 << 10
  /// Messages that are kept for later vectors than the next one; what comes beyond is lost, and the group forms anew.
  private static let earlyLimit = 4_096
  /// Milliseconds in which a connection must be made.
  private static let connectPatience = 15_000

  /// Connects to the other members.
  ///
  /// - Parameters:
  ///   - secret: a number that only members know.
  ///   - patience: milliseconds without a sign of the others before one counts as lost.
  /// - Throws: `TransportError`.
  public init(_ listener: PeerListener, rank: Int, members: [PeerSocket.Member], secret: UInt64, patience: Int) throws {
    (self.rank, self.members, self.patience) = (rank, members.count, patience)
    socket = try PeerSocket(listener, rank: rank, members: members, secret: secret)
  }

  /// See `Link`.
  public func stop() { isStopped.store(true, ordering: .releasing) }

  /// A message's header: which vector, which frame of it, which of the sender's nodes; a result has node -1.
  private struct Header {
    var vector: UInt64
    var frame: Int32
    var node: Int32

    init(vector: UInt64, frame: Int, node: Int) {
      (self.vector, self.frame, self.node) = (vector, Int32(frame), Int32(node))
    }

    init?(_ bytes: [UInt8]) {
      guard bytes.count == 16 else { return nil }
      (vector, frame, node) = bytes.withUnsafeBytes {
        (
          UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self)),
          Int32(littleEndian: $0.loadUnaligned(fromByteOffset: 8, as: Int32.self)),
          Int32(littleEndian: $0.loadUnaligned(fromByteOffset: 12, as: Int32.self))
        )
      }
    }

    var bytes: [UInt8] {
      [UInt8](unsafeUninitializedCapacity: 16) { buffer, count in
        let raw = UnsafeMutableRawBufferPointer(buffer)
        raw.storeBytes(of: vector.littleEndian, as: UInt64.self)
        raw.storeBytes(of: frame.littleEndian, toByteOffset: 8, as: Int32.self)
        raw.storeBytes(of: node.littleEndian, toByteOffset: 12, as: Int32.self)
        count = 16
      }
    }
  }

  /// One vector under way.
  private struct Exchange {
    let kind: ElementKind
    let shape: GroupShape
    let own: [UnsafeRawPointer]
    let out: UnsafeMutableRawPointer
    let count: Int
    let sending: PeerSocket.Sending
    let isSmall: Bool
    /// Elements of a frame.
    let frame: Int
    /// Each member's part.
    let parts: [Range<Int>]
    /// For each frame of the own part, what the others have sent of it, by leaf.
    var arrived: [[Int: PeerSocket.Arrival]]
    /// For each member, frames sent to it (of its part).
    var sent: [Int]
    /// For each member, result frames that came from it.
    var results: [Int]
    /// Sums of the own part that are ready, and to how many frames each member was sent.
    var summed = 0
    var told: [Int]

    func frames(of part: Range<Int>) -> Int { (part.count + frame - 1) / frame }

    func elements(_ index: Int, of part: Range<Int>) -> Range<Int> {
      let begin = part.lowerBound + index * frame
      return begin..<min(begin + frame, part.upperBound)
    }
  }

  private func begin(
    _ kind: ElementKind, _ shape: GroupShape, _ own: [UnsafeRawPointer], _ out: UnsafeMutableRawPointer, _ count: Int,
    _ owner: (any Sendable & AnyObject)?
  ) -> Exchange {
    let isSmall = count * kind.size <= Self.small
    let members = members
    func bound(_ member: Int) -> Int {
      member == members ? count : min(count, (count * member / members + 31) / 32 * 32)
    }
    let parts = (0..<members).map { isSmall ? 0..<count : bound($0)..<bound($0 + 1) }
    // Long parts are cut so that adding up and sending overlap; 1 MiB at most.
    let bytes = min(1 << 20, max(128 << 10, (count * kind.size / members / 4 + 4_095) / 4_096 * 4_096))
    let frame = isSmall ? max(1, count) : bytes / kind.size
    let frames = (parts[rank].count + frame - 1) / frame
    return Exchange(
      kind: kind, shape: shape, own: own, out: out, count: count, sending: PeerSocket.Sending(owner: owner),
      isSmall: isSmall, frame: frame,
      parts: parts, arrived: Array(repeating: [:], count: frames), sent: Array(repeating: 0, count: members),
      results: Array(repeating: 0, count: members), told: Array(repeating: 0, count: members))
  }

  /// See `Link`.
  public func reduce(
    _ kind: ElementKind, _ shape: GroupShape, own: [UnsafeRawPointer], into out: UnsafeMutableRawPointer, count: Int,
    owner: (any Sendable & AnyObject)?
  ) throws {
    number += 1
    var exchange = begin(kind, shape, own, out, count, owner)
    let waiting = early
    early = []
    for arrival in waiting { take(arrival, &exchange) }
    let begun = monotonicMilliseconds()
    var moved = begun
    var turns = 0
    if !isGreeted { isGreeted = socket.greet() }
    while true {
      var isBusy = try push(&exchange)
      while let arrival = socket.receive() {
        take(arrival, &exchange)
        isBusy = true
      }
      if isBusy { _ = try push(&exchange) }
      if isOver(exchange) && exchange.sending.isOver { return }
      if isBusy {
        moved = monotonicMilliseconds()
        turns = 0
        continue
      }
      if isStopped.load(ordering: .acquiring) { throw LinkProblem.stopped }
      turns += 1
      if isOver(exchange) {
        exchange.sending.wait(20)  // the last bytes are about to leave
      } else {
        socket.wait(isGreeted ? (isHeldUp(exchange) ? 1 : 20) : 5)
      }
      if !isGreeted, turns % 4 == 1 { isGreeted = socket.greet() }
      if !isGreeted, let other = socket.unreached,
        monotonicMilliseconds() - begun > min(patience, Self.connectPatience)
      {
        throw LinkProblem.unreachable(rank: other)
      }
      if monotonicMilliseconds() - moved > patience { throw LinkProblem.late(rank: slowest(exchange)) }
    }
  }

  /// Whether something could be sent now if the connection took it.
  private func isHeldUp(_ exchange: Exchange) -> Bool {
    (0..<members).contains { other in
      other != rank
        && (exchange.told[other] < exchange.summed && !exchange.isSmall || canSend(exchange, to: other))
    }
  }

  private func canSend(_ exchange: Exchange, to other: Int) -> Bool {
    let frames = exchange.frames(of: exchange.parts[other])
    return exchange.sent[other] < frames
      && (exchange.isSmall || exchange.sent[other] - exchange.results[other] < Self.window)
      && !exchange.own.isEmpty
  }

  /// Sends what can be sent. Whether anything was.
  private func push(_ exchange: inout Exchange) throws -> Bool {
    var isBusy = false
    // Frames in order, members in turn, each beginning with its neighbour, so that not all speak to one at a time.
    for step in 1..<max(2, members) where members > 1 {
      let other = (rank + step) % members
      while canSend(exchange, to: other) {
        let index = exchange.sent[other]
        let range = exchange.elements(index, of: exchange.parts[other])
        let size = exchange.kind.size
        guard try send(exchange, range, index, size, to: other) else { break }
        exchange.sent[other] += 1
        isBusy = true
      }
    }
    while exchange.summed < exchange.arrived.count, isWhole(exchange, exchange.summed) {
      sum(exchange.summed, &exchange)
      exchange.summed += 1
      isBusy = true
    }
    guard !exchange.isSmall else { return isBusy }
    for other in 0..<members where other != rank {
      while exchange.told[other] < exchange.summed {
        let index = exchange.told[other]
        let range = exchange.elements(index, of: exchange.parts[rank])
        let size = exchange.kind.size
        let bytes = UnsafeRawBufferPointer(
          start: exchange.out + range.lowerBound * size, count: range.count * size)
        let header = Header(vector: number, frame: index, node: -1)
        guard socket.send(header.bytes, bytes, exchange.sending, to: other) else { break }
        exchange.told[other] += 1
        isBusy = true
      }
    }
    return isBusy
  }

  private func send(_ exchange: Exchange, _ range: Range<Int>, _ index: Int, _ size: Int, to other: Int) throws -> Bool
  {
    for (node, vector) in exchange.own.enumerated() {
      let bytes = UnsafeRawBufferPointer(start: vector + range.lowerBound * size, count: range.count * size)
      let header = Header(vector: number, frame: index, node: node).bytes
      // Only the first can be refused for want of room: later ones wait for it, as a frame's nodes count as one.
      var refusedAt: Int?
      while !socket.send(header, bytes, exchange.sending, to: other) {
        if node == 0 { return false }
        if isStopped.load(ordering: .acquiring) { throw LinkProblem.stopped }
        let now = monotonicMilliseconds()
        // Its connection may be gone for good.
        if now - (refusedAt ?? now) > patience { throw LinkProblem.late(rank: other) }
        refusedAt = refusedAt ?? now
        socket.wait(1)
      }
    }
    return true
  }

  private func isWhole(_ exchange: Exchange, _ index: Int) -> Bool {
    exchange.arrived[index].count == exchange.shape.leafCount - exchange.own.count
  }

  private func sum(_ index: Int, _ exchange: inout Exchange) {
    let range = exchange.elements(index, of: exchange.parts[rank])
    let size = exchange.kind.size
    let arrived = exchange.arrived[index]
    exchange.arrived[index] = [:]
    let first = exchange.shape.firstLeaf[rank]
    let leaves = (0..<exchange.shape.leafCount).map { leaf -> UnsafeRawPointer in
      if leaf >= first && leaf < first + exchange.own.count {
        return exchange.own[leaf - first] + range.lowerBound * size
      }
      return arrived[leaf]!.payload.baseAddress!
    }
    sumHere(
      exchange.kind, exchange.shape.additions, leaves, into: exchange.out + range.lowerBound * size,
      count: range.count)
    withExtendedLifetime(arrived) {}
  }

  /// Takes what arrived; what does not fit is dropped: it is of an earlier group, or no member's.
  private func take(_ arrival: PeerSocket.Arrival, _ exchange: inout Exchange) {
    guard let header = Header(arrival.header) else { return }
    if header.vector > number {
      if header.vector == number + 1 || early.count < Self.earlyLimit { early.append(arrival) }
      return
    }
    guard header.vector == number, header.frame >= 0 else { return }
    let (index, from) = (Int(header.frame), arrival.rank)
    let size = exchange.kind.size
    if header.node < 0 {
      let part = exchange.parts[from]
      guard !exchange.isSmall, index == exchange.results[from], index < exchange.frames(of: part) else { return }
      let range = exchange.elements(index, of: part)
      guard arrival.payload.count == range.count * size else { return }
      (exchange.out + range.lowerBound * size).copyMemory(
        from: arrival.payload.baseAddress!, byteCount: arrival.payload.count)
      exchange.results[from] += 1
    } else {
      guard index >= exchange.summed, index < exchange.arrived.count, header.node < exchange.shape.counts[from],
        arrival.payload.count == exchange.elements(index, of: exchange.parts[rank]).count * size
      else { return }
      exchange.arrived[index][exchange.shape.firstLeaf[from] + Int(header.node)] = arrival
    }
  }

  private func isOver(_ exchange: Exchange) -> Bool {
    guard exchange.summed == exchange.arrived.count else { return false }
    for other in 0..<members where other != rank {
      if !exchange.own.isEmpty, exchange.sent[other] < exchange.frames(of: exchange.parts[other]) { return false }
      if exchange.isSmall { continue }
      if exchange.told[other] < exchange.summed { return false }
      if exchange.results[other] < exchange.frames(of: exchange.parts[other]) { return false }
    }
    return true
  }

  /// Somebody whose part is missing.
  private func slowest(_ exchange: Exchange) -> Int {
    let others = (0..<members).filter { $0 != rank }
    if exchange.summed < exchange.arrived.count {
      let here = exchange.arrived[exchange.summed]
      if let missing = others.first(where: { other in
        (0..<Int(exchange.shape.counts[other])).contains { here[exchange.shape.firstLeaf[other] + $0] == nil }
      }) {
        return missing
      }
    }
    return others.first { exchange.results[$0] < exchange.frames(of: exchange.parts[$0]) } ?? others.first ?? rank
  }
}
