import ShardTree
public import Wire

/// Adds up what the members of groups send, piece by piece, in the fixed tree over shards. Pure: bytes in, bytes out.
///
/// A round is one vector of one attempt. The one before is kept, so that a member whose result was lost can ask again.
/// What is said of earlier ones, or belongs to an earlier view of the group, counts for nothing.
public struct ReduceRounds: Sendable {
  /// Elements of one piece: at most one raw frame.
  public static let pieceElements = Packet.frameLimit / 4

  /// A piece of a sum over all shards.
  public struct Piece: Sendable, Equatable {
    /// Its first element.
    public let offset: Int
    /// Elements of the whole vector.
    public let total: Int
    /// The sum's elements, little-endian.
    public let bytes: [UInt8]
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
    var nodes: [Range<Int>] = []
    var frames: [[UInt8]] = []
    var result: [UInt8]?
  }

  private struct Round: Sendable {
    let step: Int
    let kind: ElementKind
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
        slot.result.map { Piece(offset: offset, total: total ?? 0, bytes: $0) }
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

  /// Takes a member's sums of one piece.
  ///
  /// - Parameters:
  ///   - frames: its nodes' elements, little-endian.
  ///   - rank: the member's number, and `members` how many there are, in this view.
  ///   - view: the group's view; nil while it forms. Vectors are numbered from `view << 32` on: those of an earlier one
  ///     count for nothing, as others had those numbers then.
  public mutating func add(
    _ message: ReduceSums, frames: [[UInt8]], rank: Int, members: Int, view: Int?
  ) -> Outcome {
    guard message.step >> 32 == view else { return .waits }
    if let problem = problem(with: message, frames) { return .broken(reason: problem) }
    let token = message.token
    if current[token]?.step != message.step {
      if let old = previous[token], old.step == message.step { return again(old, message) }
      if let now = current[token] {
        guard message.step > now.step else { return .waits }  // said again: everybody has its sum, or nobody wants it
        guard now.isComplete || message.step >> 32 > now.step >> 32 else {
          return .broken(reason: "members are at vectors \(now.step) and \(message.step)")
        }
        previous[token] = now.isComplete ? now : nil
      }
      current[token] = Round(
        step: message.step, kind: ElementKind(rawValue: Int32(message.kind)) ?? .float32, shards: message.shards)
    }
    var round = current[token]!
    defer { current[token] = round }
    guard round.shards == message.shards, round.kind.rawValue == message.kind else {
      return .broken(
        reason: "members count \(round.shards) and \(message.shards) shards, or elements of two kinds, at vector "
          + "\(message.step)")
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
        return slot.result.map { .again([Piece(offset: message.offset, total: total, bytes: $0)]) } ?? .waits
      }
      for (node, frame) in zip(message.nodes, frames) {
        guard node.high <= message.shards,
          !slot.nodes.contains(where: { $0.overlaps(node.low..<node.high) })
        else { return .broken(reason: "shards \(node.low)..<\(node.high) come twice at step \(message.step)") }
        slot.nodes.append(node.low..<node.high)
        slot.frames.append(frame)
      }
      slot.ranks.insert(rank)
      round.slots[message.offset] = slot
      touched = [message.offset]
    }
    var complete: [Piece] = []
    for offset in touched where round.slots[offset]!.result == nil {
      guard round.slots[offset]!.ranks.union(round.empty).count == members else { continue }
      guard
        let sum = GroupShape.sum(
          round.kind, round.slots[offset]!.nodes, round.slots[offset]!.frames, shards: round.shards)
      else {
        return .broken(reason: "some of the \(round.shards) shards are missing at step \(round.step)")
      }
      round.slots[offset]!.result = sum
      (round.slots[offset]!.nodes, round.slots[offset]!.frames) = ([], [])
      complete.append(Piece(offset: offset, total: round.total!, bytes: sum))
    }
    return complete.isEmpty ? .waits : .complete(complete)
  }

  private func problem(with message: ReduceSums, _ frames: [[UInt8]]) -> String? {
    guard message.total > 0 else { return message.nodes.isEmpty ? nil : "a member adds nothing, but with nodes" }
    guard message.total <= limit / 4 else {
      return "a sum of \(message.total) elements is more than the limit of \(limit) bytes"
    }
    guard message.offset % Self.pieceElements == 0, message.offset < message.total else {
      return "a piece begins at \(message.offset) of \(message.total)"
    }
    let count = min(Self.pieceElements, message.total - message.offset)
    guard let kind = ElementKind(rawValue: Int32(message.kind)) else { return "elements are of a kind nobody knows" }
    guard frames.count == message.nodes.count, frames.allSatisfy({ $0.count == count * kind.size }) else {
      return "a piece has not the \(count) elements that belong to it"
    }
    guard zip(frames, message.nodes).allSatisfy({ crc32c($0) == $1.crc }) else {
      return "a piece was damaged on its way"
    }
    return nil
  }

  private func again(_ round: Round, _ message: ReduceSums) -> Outcome {
    if message.total == 0 { return .again(round.pieces) }
    guard let bytes = round.slots[message.offset]?.result, round.total == message.total else {
      return .broken(reason: "a member asks for step \(message.step) again, but with other sizes")
    }
    return .again([Piece(offset: message.offset, total: message.total, bytes: bytes)])
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
