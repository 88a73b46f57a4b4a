public import ShardTree
public import Wire

/// Why a vector could not be added up.
public enum LinkProblem: Error, Sendable, Equatable, CustomStringConvertible {
  /// Somebody called `stop`.
  case stopped
  /// Another member's process has ended.
  case dead(rank: Int)
  /// Another member has not moved for too long.
  case late(rank: Int)
  /// No connection to another member can be made.
  case unreachable(rank: Int)
  /// The sum has not come, and it cannot be told here who is missing.
  case incomplete

  /// Whether the route cannot be used between these members, rather than that it broke.
  public var isUnreachable: Bool { if case .unreachable = self { true } else { false } }

  /// One sentence.
  public var description: String {
    switch self {
    case .stopped: "the exchange was stopped"
    case .dead(let rank): "the process of member \(rank) has ended"
    case .late(let rank): "member \(rank) has not answered in time"
    case .unreachable(let rank): "member \(rank) cannot be connected to"
    case .incomplete: "the others' sums have not come in time"
    }
  }
}

/// One member's way to the others, for as long as the group does not change.
///
/// - Thread: `reduce` on one thread at a time; `stop` from anywhere.
public protocol Link: AnyObject {
  /// Which way it is.
  var route: Route { get }
  /// Combines what all members bring, in the order of the tree: each member calls it with the same kind, shape and count.
  /// Every member gets the same bits.
  ///
  /// - Parameters:
  ///   - own: this member's vectors, one for each of its nodes in `shape`. Memory that does not move.
  ///   - out: where the sum goes. With one node it may be that node's memory.
  ///   - owner: keeps `own` and `out` alive if the call ends early; when it returns, both may be changed.
  /// - Throws: `LinkProblem`; nothing can be sent over the link afterwards.
  func reduce(
    _ kind: ElementKind, _ shape: GroupShape, own: [UnsafeRawPointer], into out: UnsafeMutableRawPointer, count: Int,
    owner: (any Sendable & AnyObject)?) throws
  /// Makes whoever waits in `reduce` return.
  func stop()
}
