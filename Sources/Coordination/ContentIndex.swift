/// Which workers have said that they have which contents.
///
/// Who is there is not its business: it is asked about, so that a worker that goes costs nothing, and one that comes back
/// need say nothing again.
///
/// - Cost: at most `holdersLimit` numbers a content. The caller lets in only contents of the run, so that nobody can fill it.
public struct ContentIndex: Sendable {
  /// How many workers are remembered for one content.
  public static let holdersLimit = 8

  private var holders: [String: [UInt64]] = [:]
  private var turn = 0

  /// Nobody has anything.
  public init() {}

  /// A worker has a content. Where enough have it already, those that are gone make room.
  mutating func add(_ content: String, _ worker: UInt64, isThere: (UInt64) -> Bool) {
    var known = holders[content] ?? []
    guard !known.contains(worker) else { return }
    if known.count >= Self.holdersLimit { known.removeAll { !isThere($0) } }
    guard known.count < Self.holdersLimit else { return }
    known.append(worker)
    holders[content] = known
  }

  /// A worker does not have a content after all.
  mutating func remove(_ content: String, _ worker: UInt64) {
    holders[content]?.removeAll { $0 == worker }
    if holders[content]?.isEmpty == true { holders[content] = nil }
  }

  /// Those who have a content and can be asked, in the order in which they said so.
  func holders(of content: String, where canBeAsked: (UInt64) -> Bool) -> [UInt64] {
    (holders[content] ?? []).filter(canBeAsked)
  }

  /// A few of them; another one comes first at each call.
  mutating func choose(_ count: Int, of content: String, where canBeAsked: (UInt64) -> Bool) -> [UInt64] {
    let all = holders(of: content, where: canBeAsked)
    guard !all.isEmpty else { return [] }
    turn &+= 1
    let first = turn % all.count
    return (0..<min(count, all.count)).map { all[(first + $0) % all.count] }
  }
}
