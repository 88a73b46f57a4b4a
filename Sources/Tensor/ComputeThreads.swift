internal import CKernels

/// How many threads the kernels called from this thread may use: 1 unless it says otherwise.
///
/// One setting for our kernels, for matrix products and for oneDNN. For a fixed count, the same inputs give the same
/// bits run after run; another count may round differently.
public enum ComputeThreads {
  /// The calling thread's count.
  public static var count: Int {
    get { Int(dk_threads()) }
    set { dk_set_threads(Int32(newValue)) }
  }

  /// Runs `body` with another count.
  public static func with<R>(_ count: Int, _ body: () throws -> R) rethrows -> R {
    let before = self.count
    self.count = count
    defer { self.count = before }
    return try body()
  }

  /// Calls its second argument for 0..<count, each once, in any order and side by side, and returns when all are done.
  public typealias Team = (_ count: Int, _ piece: (Int) -> Void) -> Void

  /// Runs `body` with another count, where our own kernels run on `team` instead of OpenMP's pool.
  public static func with<R>(_ count: Int, team: @escaping Team, _ body: () throws -> R) rethrows -> R {
    let owner = TeamOwner(team)
    dk_set_team(
      { owner, pieces, piece, context in
        // The pieces touch what the kernel gave them, each its own part.
        nonisolated(unsafe) let context = context
        Unmanaged<TeamOwner>.fromOpaque(owner!).takeUnretainedValue().team(Int(pieces)) { piece!(context, Int32($0)) }
      }, Unmanaged.passUnretained(owner).toOpaque())
    defer { withExtendedLifetime(owner) { dk_set_team(nil, nil) } }
    return try with(count, body)
  }

  private final class TeamOwner {
    let team: Team
    init(_ team: @escaping Team) { self.team = team }
  }
}
