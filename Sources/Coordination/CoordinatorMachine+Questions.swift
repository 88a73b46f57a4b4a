public import Wire

// What the service asks about messages that do not come here: who sent them, and whether they count.

extension CoordinatorMachine {
  /// Whether a message about a job's files, sums or metrics comes from the holder of its current lease: the member's
  /// rank and the number of members, or the reason why not. Does not change anything.
  public func authorize(
    _ peer: Peer, _ header: Header, job: String, token: UInt64
  ) -> Result<(rank: Int, members: Int), Denial> {
    guard let id = peers[peer], header.sender == id, header.session == configuration.incarnation else {
      return .failure(Denial(reason: "the connection is not known", mustGreet: true))
    }
    guard let attempt = attempts[token], attempt.job == job, jobs[job]?.token == token,
      let rank = attempt.members.firstIndex(where: { $0.worker == id })
    else { return .failure(Denial(reason: "the lease of job \(job) is not this worker's any more", mustGreet: false)) }
    return .success((rank, attempt.members.count))
  }

  /// Why a message was not let through.
  public struct Denial: Error, Sendable {
    /// The sentence.
    public let reason: String
    /// Whether the sender must say Hello first.
    public let mustGreet: Bool
  }

  /// Takes a message about files, sums or metrics for a sign of life. False if it must not be handled, because it is
  /// repeated, or because its sender must say Hello first: then `Reset` is the answer.
  public mutating func admit(_ peer: Peer, _ header: Header, now: Milliseconds) -> (isNew: Bool, mustGreet: Bool) {
    guard let id = peers[peer], id == header.sender, header.session == configuration.incarnation else {
      return (false, true)
    }
    guard header.sequence > workers[id]!.lastSequence else {
      dropped += 1
      return (false, false)
    }
    workers[id]!.lastSequence = header.sequence
    workers[id]!.lastHeard = now
    if workers[id]!.isUnreachable || workers[id]!.isQuiet {
      (workers[id]!.isUnreachable, workers[id]!.isQuiet) = (false, false)
      reindex(id)
    }
    return (true, false)
  }

  /// Whether a token is that of a running attempt of a job.
  public func isCurrent(_ token: UInt64, of job: String) -> Bool { attempts[token]?.job == job }

  /// The view in which the members of an attempt's group exchange sums; nil while it forms, and for a job that nobody
  /// may share.
  public func view(of token: UInt64) -> Int? { groups[token]?.formedView }

  /// The peers of an attempt's members, by rank.
  public func peers(of token: UInt64) -> [Peer?] {
    attempts[token]?.members.map { workers[$0.worker]?.peer } ?? []
  }

  /// Notes how far a job in this process is.
  public mutating func noteProgress(_ token: UInt64, _ progress: JobProgress, now: Milliseconds) {
    guard attempts[token] != nil, attempts[token]!.members[0].progress != progress else { return }
    noteMove(token, 0, progress, now)
  }

  /// The incarnation of the worker behind a peer; 0 before it has joined.
  public func incarnation(of peer: Peer) -> UInt64 { peers[peer] ?? 0 }

  /// The name of the worker behind a peer, for people.
  public func name(of peer: Peer) -> String? { peers[peer].flatMap { workers[$0]?.hello.name } }

  /// The name of a worker by its incarnation.
  public func name(ofWorker incarnation: UInt64) -> String? { workers[incarnation]?.hello.name }

  /// Where a job stands; nil if there is none of this name.
  public func state(of job: String) -> JobState? { jobs[job]?.state }

  /// How many workers are in.
  public var workerCount: Int { workers.count }

  /// How many jobs are in a state.
  func count(_ state: JobState) -> Int { inState[state]!.count }
}
