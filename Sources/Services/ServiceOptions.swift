public import Logging
public import Transport
public import Wire

/// How the services behave; the same for coordinator and worker unless a comment says otherwise.
public struct ServiceOptions: Sendable {
  /// Times of the protocol, in milliseconds. Workers learn the coordinator's at their welcome.
  public struct Timing: Sendable, Hashable {
    /// How often a worker says that it is alive, and how far its jobs are.
    public var heartbeat = 2_000
    /// How long a job stays with a worker that is not heard from.
    public var lease = 15_000
    /// How long a job that may be shared waits for its whole group before it starts with fewer workers.
    public var groupPatience = 5_000
    /// Without progress for this long, a job is called stuck in the status and the log. Half of it is how long members of
    /// a group wait for each other before they form it anew.
    public var stall = 120_000
    /// How long a worker looks for a coordinator that is not there, or not there any more.
    public var coordinatorWait = 600_000
    /// How long a worker that was asked to leave may take to save its checkpoints.
    public var drain = 8_000

    /// The times for real runs.
    public init() {}
  }

  /// Times of the protocol.
  public var timing = Timing()
  /// The program's version; a worker of another one is refused.
  public var version: String
  /// What the numerics of this machine are (a hash of kernel samples). A run takes on its first worker's, unless the
  /// coordinator names some, and refuses workers with others.
  public var fingerprint = ""
  /// Whether some job of the coordinator's run computes in bfloat16: workers must then agree in that, too.
  public var usesBFloat16 = false
  /// The largest sum that a group may ask for, in bytes.
  public var reduceLimit = 1 << 30
  /// The largest artifact that is taken, in bytes.
  public var artifactLimit = 16 << 30
  /// How often a job may lose its worker without a new checkpoint in between before it is given up: it may be what
  /// kills them.
  public var lossLimit = 25
  /// Whether a job that may be shared starts alone and is shared while workers are idle; if not, it waits for its group.
  public var sharesJobs = false
  /// Experiments that follow at the same address: their names, for workers and for people.
  public var queue: [String] = []
  /// How the members of groups reach each other; nil chooses the fastest way that works. The coordinator's counts.
  public var route: Route?
  /// How connections are protected: `.keys` at a coordinator, `.key` at a worker.
  public var security: SocketOptions.Security = .none
  /// Where the service says what it does, one line an event.
  public var logger: Logger

  /// For measurements at a coordinator: told of each turn, how many messages it took, and the nanoseconds from the first
  /// of them until all that followed was decided, on the disk and handed to the socket.
  public var onTurn: (@Sendable (_ messages: Int, _ nanoseconds: Int) -> Void)?

  /// How the service's socket behaves.
  var socket: SocketOptions {
    var socket = SocketOptions()
    socket.security = security
    return socket
  }

  /// The options for real runs.
  public init(version: String, logger: Logger = Logger(label: "unmask")) {
    self.version = version
    self.logger = logger
  }
}

/// What went wrong around a service, as one sentence that says what, where, and what to do.
public struct ServiceError: Error, Sendable, CustomStringConvertible {
  /// The sentence.
  public let description: String

  init(_ sentence: String) { description = sentence }
}
