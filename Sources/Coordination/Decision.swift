public import Wire

/// Monotonic time in milliseconds. The machines never read a clock: every event brings its time along.
public typealias Milliseconds = Int

/// Who is at the other end of one connection, as the socket names it. A worker that reconnects is another peer.
public struct Peer: Sendable, Hashable, CustomStringConvertible {
  /// The routing id.
  public let id: [UInt8]

  /// Names a peer.
  public init(_ id: [UInt8]) { self.id = id }

  /// The routing id in hexadecimal.
  public var description: String { id.map { String($0, radix: 16) }.joined() }
}

/// Something to do, and why it was decided.
public struct Decision<Action: Sendable>: Sendable {
  /// What to do.
  public let action: Action
  /// Why: one sentence for the log; empty for what goes without saying.
  public let reason: String
}

/// What the coordinator's machine wants done. The service does these in order, each before the next.
public enum CoordinatorAction: Sendable, Equatable {
  /// Send a message.
  case send(Peer, Message)
  /// Write an attempt into the ledger. Comes before its `Assign` messages, so that no lease exists unwritten.
  case beginAttempt(job: String, token: UInt64, members: [UInt64])
  /// Write into the ledger who does an attempt now.
  case changeAttempt(token: UInt64, members: [UInt64])
  /// Write an attempt's end into the ledger.
  case endAttempt(token: UInt64, reason: String)
  /// Give the outputs their names and write the job as done, all or nothing; then report `committed` or `commitFailed`.
  case commit(job: String, token: UInt64, outputs: [ArtifactReference])
  /// Do a job in this process.
  case runHere(Assign)
  /// Stop doing a job in this process.
  case cancelHere(token: UInt64, Cancel)
  /// Note that a job was given up.
  case giveUp(job: String, sentence: String)
  /// Write the run's numerics into the ledger: the results' bits depend on them.
  case adoptFingerprint(String)
  /// Only a sentence for the log, which is the reason.
  case say
  /// The run is over.
  case end(RunState)
}

/// What happened to the coordinator.
public enum CoordinatorEvent: Sendable {
  /// A message arrived. Those about files and sums go elsewhere, after `authorize`.
  case received(Peer, Header, Message)
  /// Somebody of another protocol version wants to join.
  case foreignHello(Peer, version: UInt16)
  /// A message could not be delivered: the peer's connection is gone.
  case unreachable(Peer)
  /// The key of this name counts no more; its workers are all that are called so, or so with a slash and more.
  case revoked(name: String)
  /// A checkpoint became a job's latest.
  case checkpointKept(job: String, ArtifactReference)
  /// A job's outputs have their names.
  case committed(token: UInt64)
  /// A job's outputs are not what it must publish; it counts as a failure of the job.
  case commitFailed(token: UInt64, sentence: String)
  /// A job in this process is done.
  case finishedHere(token: UInt64, outputs: [ArtifactReference])
  /// A job in this process failed.
  case failedHere(token: UInt64, sentence: String)
  /// A group's members contradict each other; its attempt must end.
  case groupBroken(token: UInt64, reason: String)
  /// Time has passed.
  case tick
}
