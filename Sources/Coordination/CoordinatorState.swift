public import Wire

/// What the coordinator's machine is told at its start and never changes.
public struct CoordinatorConfiguration: Sendable {
  /// The run's name.
  public var run: String
  /// What the run was made from.
  public var experiment: String
  /// The program's version.
  public var version: String
  /// The run's numerics; empty if the first worker's shall be the run's.
  public var fingerprint: String
  /// Whether some job computes in bfloat16 where processors can; workers' numerics then include theirs.
  public var usesBFloat16: Bool
  /// This process's number in message headers.
  public var incarnation: UInt64
  /// The files that every worker gets at its welcome.
  public var shared: [ArtifactReference]
  /// How often workers send a heartbeat.
  public var heartbeat: Milliseconds
  /// How long a lease lives without one.
  public var lease: Milliseconds
  /// How long a job waits for its whole group.
  public var groupPatience: Milliseconds
  /// Without progress for this long, a job is called stuck; after `hangFactor` times as long it is taken away.
  public var stall: Milliseconds
  /// How many workers a job may lose, without a new checkpoint in between.
  public var lossLimit: Int
  /// Whether a job that may be shared starts alone and is shared while workers are idle; if not, it waits for its group.
  public var sharesJobs: Bool
  /// Experiments that follow at this address.
  public var queue: [String]
  /// How the members of groups reach each other; nil chooses the fastest way that works.
  public var route: Route?

  /// How long the members of a group wait for each other before they say so: by then it is known whom they wait for when
  /// the job is called stuck.
  var patience: Milliseconds { min(1 << 30, max(1, stall / 2)) }

  /// How many times `stall` a job may go without progress before another worker gets it.
  static let hangFactor = 5

  /// Describes a coordinator.
  public init(
    run: String, experiment: String, version: String, fingerprint: String = "", usesBFloat16: Bool = false,
    incarnation: UInt64,
    shared: [ArtifactReference] = [], heartbeat: Milliseconds = 2_000, lease: Milliseconds = 15_000,
    groupPatience: Milliseconds = 5_000, stall: Milliseconds = 120_000, lossLimit: Int = 25,
    sharesJobs: Bool = false, queue: [String] = [], route: Route? = nil
  ) {
    self.run = run
    self.experiment = experiment
    self.version = version
    self.fingerprint = fingerprint
    self.usesBFloat16 = usesBFloat16
    self.incarnation = incarnation
    self.shared = shared
    self.heartbeat = heartbeat
    self.lease = lease
    self.groupPatience = groupPatience
    self.stall = stall
    self.lossLimit = lossLimit
    self.sharesJobs = sharesJobs
    self.queue = queue
    self.route = route
  }
}

/// What the ledger remembers of earlier starts of the same run.
public struct RestoredRun: Sendable {
  /// An attempt whose end was not written: its workers may still be at it.
  public struct OpenAttempt: Sendable {
    /// The job.
    public var job: String
    /// Its fencing token.
    public var token: UInt64
    /// The members' incarnations, by rank; 0 stands for the coordinator.
    public var members: [UInt64]

    /// Describes an attempt.
    public init(job: String, token: UInt64, members: [UInt64]) {
      self.job = job
      self.token = token
      self.members = members
    }
  }

  /// Jobs that are done: their last token and their outputs.
  public var done: [String: (token: UInt64, outputs: [ArtifactReference])] = [:]
  /// The latest checkpoints of the others.
  public var checkpoints: [String: ArtifactReference] = [:]
  /// Attempts that were open.
  public var open: [OpenAttempt] = []
  /// How often each job was started.
  public var attempts: [String: Int] = [:]
  /// The highest token ever given.
  public var lastToken: UInt64 = 0
  /// The run's numerics, once a worker has shown them.
  public var fingerprint = ""

  /// A run that starts for the first time.
  public init() {}
}

/// A worker that joined.
struct WorkerRecord: Sendable {
  let id: UInt64
  let order: Int
  var hello: Hello
  var peer: Peer
  var lastHeard: Milliseconds
  var lastSequence: UInt64
  var isDraining = false
  /// Whether an operator wants it to leave.
  var isSentAway = false
  /// Whether its connection is gone; it may still come back on another one.
  var isUnreachable = false
  /// Whether it was silent for so long that nothing is given to it before it is heard again.
  var isQuiet = false
  /// The leases that it last said it holds; those it was given are in `CoordinatorMachine.leases`.
  var held: Set<UInt64> = []
  /// Leases that it last said it holds and has no more, by token.
  var strays: [UInt64: CoordinatorMachine.Stray] = [:]
  /// Attempts that it is no member of any more, until it has stopped; whether it was seen to hold their lease.
  var left: [UInt64: Bool] = [:]
  /// When it is looked at next, if it is.
  var watchedAt: Milliseconds?

  /// Whether it may be given jobs, now or when it has room.
  var isLive: Bool { !isDraining && !isUnreachable }
}

/// A job and all that happened to it.
struct JobRecord: Sendable {
  let spec: JobSpec
  /// Its place in the plan.
  let place: Int
  /// Its place among jobs that could start: the most urgent first, then the plan's order.
  let rank: Int
  /// Jobs of its kind and model take about the same time.
  let family: String
  var state: JobState
  var since: Milliseconds
  var attempts = 0
  var failures = 0
  /// Attempts lost with their workers since the last checkpoint.
  var losses = 0
  /// Workers that it failed on: others are tried first.
  var avoided: Set<UInt64> = []
  var checkpoint: ArtifactReference?
  /// Jobs that it waits for and that are not done.
  var openDependencies = 0
  var token: UInt64?
  var outputs: [ArtifactReference] = []
  var why = ""
  /// How many workers it is to go on with; nil if that was not decided.
  var wanted: Int?
  /// Since when some, but not all, workers of a group are free for it.
  var gatheringSince: Milliseconds?
}

/// One member of an attempt: a lease.
struct MemberRecord: Sendable {
  let worker: UInt64
  var expires: Milliseconds
  var progress: JobProgress?
  var movedAt: Milliseconds
  /// Until when it was others that its group waited for.
  var waitedUntil: Milliseconds = 0
  var isFinished = false

  /// Since when it could have moved, and has not.
  var stillSince: Milliseconds { max(movedAt, waitedUntil) }
}

/// A job given to a group of workers, under one fencing token.
struct AttemptRecord: Sendable {
  let token: UInt64
  let job: String
  let started: Milliseconds
  var members: [MemberRecord]
  /// What it published, while that is being written down.
  var outputs: [ArtifactReference] = []
  /// Members that were called stuck and have not moved since.
  var saidStuck: Set<UInt64> = []
  /// When it is looked at next, if it is.
  var watchedAt: Milliseconds?
  /// How fast member 0 is, and how many steps there are in all.
  var pace = StepPace()
  var steps = 0
  /// How many workers its job is to go on with, once it has ended at a checkpoint, and when that was asked for.
  var wanted: Int?
  var reshapedAt: Milliseconds?
  /// Whether its result is being written down: who belongs to it does not matter any more.
  var isEnding = false
  /// Workers that were members, and may still be at it or were too slow: they do not come back.
  var former: Set<UInt64> = []
}
