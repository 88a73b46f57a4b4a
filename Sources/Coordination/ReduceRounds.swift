import ShardTree
public import Wire

/// Adds up what the members of groups send, piece by piece, in the fixed tree over shards. Pure: bytes in, bytes out.
///
/// A round is one step of one attempt. The step before is kept, so that a member whose result was lost can ask again; a
/// member further behind than that contradicts the others, and the attempt must end.
public struct ReduceRounds: Sendable {
  /// Elements of one piece: one raw frame of float32.
  public static let pieceElements = Packet.frameLimit / 4

  /// A piece of a sum over all shards.
  public struct Piece: Sendable, Equatable {
    /// Its first element.
    public let offset: Int
    /// Elements of the whole vector.
    public let total: Int
    /// The sum.
    public let values: [Float]
  }

  /// What comes of one contribution.
  public enum Outcome: Sendable, Equatable {
    /// Others are missing.
    case waits
    /// Pieces are complete: every member gets them.
    case complete([Piece])
    /// Pieces were complete before: this member gets them again.
    case again([Piece])
    /// The members contradict each other: the attempt must end.
    case broken(reason: String)
  }

  private struct Slot: Sendable {
    var ranks: Set<Int> = []
    var sums: [ShardTree.Sum] = []
    var result: [Float]?
  }

  private struct Round: Sendable {
    let step: Int
    let shards: Int
    /// Elements of the vector; nil while only members without sums have spoken.
    var total: Int?
    /// Members that have nothing to add at this step.
    var empty: Set<Int> = []
    var slots: [Int: Slot] = [:]

    var isComplete: Bool {
      guard let total else { return false }
      return slots.count == (total + pieceElements - 1) / pieceElements && slots.values.allSatisfy { $0.result != nil }
    }

    var pieces: [Piece] {
      slots.sorted { $0.key < $1.key }.compactMap { offset, slot in
        slot.result.map { Piece(offset: offset, total: total ?? 0, values: $0) }
      }
    }
  }

  private var current: [UInt64: Round] = [:]
  private var previous: [UInt64: Round] = [:]
  private let limit: Int

  /// Starts without rounds.
  ///
  /// - Units: `limit` is the largest vector, in bytes.
  public init(limit: Int) { self.limit = limit }

  /// Takes a member's sums of one piece; `frames` are its nodes' float32 values, little-endian.
  public mutating func add(_ message: ReduceSums, frames: [[UInt8]], rank: Int, members: Int) -> Outcome {
    if let problem = problem(with: message, frames) { return .broken(reason: problem) }
    let token = message.token
    if current[token]?.step != message.step {
      if let old = previous[token], old.step == message.step { return again(old, message) }
      if let now = current[token] {
        guard now.isComplete else {
          return .broken(reason: "members are at steps \(now.step) and \(message.step)")
        }
        previous[token] = now
      }
      current[token] = Round(step: message.step, shards: message.shards)
    }
    var round = current[token]!
    defer { current[token] = round }
    guard round.shards == message.shards else {
      return .broken(reason: "members count \(round.shards) and \(message.shards) shards at step \(message.step)")
    }
    var touched: [Int]
    if message.total == 0 {
      if !round.empty.insert(rank).inserted { return .again(round.pieces) }
      touched = round.slots.keys.sorted()
    } else {
      let total = round.total ?? message.total
      guard total == message.total else {
        return .broken(reason: "members have \(total) and \(message.total) elements at step \(message.step)")
      }
      round.total = total
      var slot = round.slots[message.offset] ?? Slot()
      guard !slot.ranks.contains(rank) else {
        return slot.result.map { .again([Piece(offset: message.offset, total: total, values: $0)]) } ?? .waits
      }
      for (node, frame) in zip(message.nodes, frames) {
        guard node.high <= message.shards,
          !slot.sums.contains(where: { $0.low < node.high && node.low < $0.high })
        else { return .broken(reason: "shards \(node.low)..<\(node.high) come twice at step \(message.step)") }
        slot.sums.append(ShardTree.Sum(low: node.low, high: node.high, values: floats(frame)))
      }
      slot.ranks.insert(rank)
      round.slots[message.offset] = slot
      touched = [message.offset]
    }
    var complete: [Piece] = []
    for offset in touched where round.slots[offset]!.result == nil {
      guard round.slots[offset]!.ranks.union(round.empty).count == members else { continue }
      guard let sum = ShardTree.root(of: round.slots[offset]!.sums, shards: round.shards) else {
        return .broken(reason: "some of the \(round.shards) shards are missing at step \(round.step)")
      }
      round.slots[offset]!.result = sum
      round.slots[offset]!.sums = []
      complete.append(Piece(offset: offset, total: round.total!, values: sum))
    }
    return complete.isEmpty ? .waits : .complete(complete)
  }

  private func problem(with message: ReduceSums, _ frames: [[UInt8]]) -> String? {
    guard message.total > 0 else { return message.nodes.isEmpty ? nil : "a member adds nothing, but with nodes" }
    guard message.total <= limit / 4 else {
      return "a sum of \(message.total) float32 is more than the limit of \(limit) bytes"
    }
    guard message.offset % Self.pieceElements == 0, message.offset < message.total else {
      return "a piece begins at \(message.offset) of \(message.total)"
    }
    let count = min(Self.pieceElements, message.total - message.offset)
    guard frames.count == message.nodes.count, frames.allSatisfy({ $0.count == count * 4 }) else {
      return "a piece has not the \(count) elements that belong to it"
    }
    guard zip(frames, message.nodes).allSatisfy({ crc32c($0) == $1.crc }) else {
      return "a piece was damaged on its way"
    }
    return nil
  }

  private func again(_ round: Round, _ message: ReduceSums) -> Outcome {
    if message.total == 0 { return .again(round.pieces) }
    guard let values = round.slots[message.offset]?.result, round.total == message.total else {
      return .broken(reason: "a member asks for step \(message.step) again, but with other sizes")
    }
    return .again([Piece(offset: message.offset, total: message.total, values: values)])
  }

  /// Forgets an attempt that has ended.
  public mutating func forget(_ token: UInt64) {
    current[token] = nil
    previous[token] = nil
  }

  /// Forgets all attempts but these.
  public mutating func keep(only tokens: Set<UInt64>) {
    current = current.filter { tokens.contains($0.key) }
    previous = previous.filter { tokens.contains($0.key) }
  }
}

/// Float32 values from little-endian bytes.
///
/// - Traps: if the count is not a multiple of four.
public func floats(_ bytes: [UInt8]) -> [Float] {
  precondition(bytes.count % 4 == 0, "floats: \(bytes.count) bytes are no float32 values")
  return [Float](unsafeUninitializedCapacity: bytes.count / 4) { buffer, count in
    bytes.withUnsafeBytes { UnsafeMutableRawBufferPointer(buffer).copyMemory(from: $0) }
    count = bytes.count / 4
  }
}

/// The little-endian bytes of float32 values.
public func bytes(of values: ArraySlice<Float>) -> [UInt8] {
  values.withUnsafeBytes { [UInt8]($0) }
}
