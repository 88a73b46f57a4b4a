public import Wire

/// A member's side of its group, as a pure state machine: what it says to the coordinator, and what the answers mean.
///
/// One question is open at a time: may I join this view, or: may this step be made. It is repeated until it is answered.
public struct GroupMembership: Sendable {
  /// How a step that was voted for ended.
  public enum Verdict: Sendable, Equatable {
    /// It is made.
    case made
    /// It counts for nothing; the group has changed.
    case void
  }

  private let job: String
  private let token: UInt64
  private var view = 1
  private var question: Message?
  /// Something to say at the next tick.
  private var hint: Message?
  private var askedAt: Milliseconds = 0
  /// The group as it is; nil while it forms.
  public private(set) var current: GroupView?
  /// Why the group is changing, for the log.
  public private(set) var reason = ""
  private var verdict: Verdict?
  /// How long to wait for an answer before asking again.
  private let patience: Milliseconds

  /// A member that has not joined yet.
  public init(job: String, token: UInt64, patience: Milliseconds) {
    (self.job, self.token, self.patience) = (job, token, patience)
  }

  /// Whether `join` is to be called: the group is changing, or has not formed yet.
  public var mustJoin: Bool { current == nil && !isJoining }

  private var isJoining: Bool { if case .groupJoin(let join)? = question { join.view == view } else { false } }

  /// Asks to join the view that forms; what to send.
  public mutating func join(shards: Int, steps: Int, isPending: Bool, place: GroupPlace, now: Milliseconds) -> Message {
    let message = GroupJoin(
      job: job, token: token, view: view, shards: shards, steps: steps, isPending: isPending, place: place)
    return ask(.groupJoin(message), now)
  }

  /// Asks whether a step may be made; nil if the group has changed meanwhile.
  public mutating func vote(step: Int, digest: UInt64, microseconds: Int = 0, now: Milliseconds) -> Message? {
    guard let current else { return nil }
    verdict = nil
    let message = StepVote(
      job: job, token: token, view: current.view, step: step, digest: digest, microseconds: microseconds)
    return ask(.stepVote(message), now)
  }

  /// Says that the others cannot be reached; nil if the group has changed meanwhile.
  public mutating func trouble(isUnusable: Bool, _ sentence: String, now: Milliseconds) -> Message? {
    guard let current else { return nil }
    let message = GroupTrouble(
      job: job, token: token, view: current.view, isUnusable: isUnusable, sentence: sentence)
    return ask(.groupTrouble(message), now)
  }

  private mutating func ask(_ message: Message, _ now: Milliseconds) -> Message {
    (question, askedAt) = (message, now)
    return message
  }

  /// How the vote ended, once it has.
  public mutating func takeVerdict() -> Verdict? {
    guard let verdict else { return nil }
    self.verdict = nil
    return verdict
  }

  /// Takes an answer. Whether the group has changed by it, so that the step under way must stop.
  public mutating func receive(_ message: Message) -> Bool {
    switch message {
    case .regroup(let regroup):
      if let current, regroup.view <= current.view {
        // Late, or from a coordinator that was started again and does not know this view yet: it shall call a newer one.
        hint = .groupTrouble(
          GroupTrouble(job: job, token: token, view: current.view, isUnusable: false, sentence: ""))
        return false
      }
      guard regroup.view >= view else { return false }
      let isNew = regroup.view > view || !isJoining
      view = regroup.view
      guard isNew else { return false }
      reason = regroup.reason
      if case .stepVote? = question { verdict = .void }
      (question, current) = (nil, nil)
      return true
    case .groupView(let group):
      guard group.view == view, isJoining else { return false }
      (question, current) = (nil, group)
      return false
    case .stepCommit(let commit):
      guard case .stepVote(let vote)? = question, vote.view == commit.view, vote.step == commit.step else {
        return false
      }
      (question, verdict) = (nil, .made)
      return false
    default: return false
    }
  }

  /// Time has passed, or the connection is a new one (`isNew`): the open question, if it is to be asked again.
  public mutating func tick(now: Milliseconds, isNew: Bool = false) -> Message? {
    if let hint {
      self.hint = nil
      return hint
    }
    guard let question, isNew || now - askedAt >= patience else { return nil }
    askedAt = now
    return question
  }
}
