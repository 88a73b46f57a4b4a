import CWire

// Messages about joining, staying and leaving.

/// A lease that a worker holds, and how far the job is.
public struct HeldLease: Sendable, Equatable {
  /// The job.
  public var job: String
  /// The lease's fencing token.
  public var token: UInt64
  /// How far it is.
  public var progress: JobProgress

  /// Makes the part.
  public init(job: String, token: UInt64, progress: JobProgress) {
    self.job = job
    self.token = token
    self.progress = progress
  }
}

extension HeldLease: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_held_lease() }

  func fill(_ raw: inout Unmask__HeldLease, _ arena: Arena) {
    raw.job = arena.text(job)
    raw.token = token
    raw.progress = arena.make(progress)
  }

  init(reading raw: Unmask__HeldLease) throws {
    job = try word(raw.job, "HeldLease.job")
    token = raw.token
    progress = try part(raw.progress, "HeldLease.progress")
  }
}

/// Worker: "I am here, and this is what I hold." The first message of every connection.
public struct Hello: Sendable, Equatable {
  /// The worker's name, for people.
  public var name: String
  /// The program's version.
  public var version: String
  /// What its numerics are; empty if it does not say.
  public var fingerprint: String
  /// Its machine.
  public var host: String
  /// Its process number.
  public var process: Int
  /// How many jobs it does side by side.
  public var slots: Int
  /// The leases that it holds.
  public var held: [HeldLease]
  /// Where other workers may ask it for contents; empty if nowhere.
  public var address: String
  /// The key that it shows there, and to other workers; empty without encryption.
  public var key: String

  /// Makes the message.
  public init(
    name: String, version: String, fingerprint: String, host: String, process: Int, slots: Int, held: [HeldLease],
    address: String = "", key: String = ""
  ) {
    self.name = name
    self.version = version
    self.fingerprint = fingerprint
    self.host = host
    self.process = process
    self.slots = slots
    self.held = held
    (self.address, self.key) = (address, key)
  }
}

extension Hello: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_hello() }

  func fill(_ raw: inout Unmask__Hello, _ arena: Arena) {
    raw.name = arena.text(name)
    raw.version = arena.text(version)
    raw.fingerprint = arena.text(fingerprint)
    raw.host = arena.text(host)
    raw.process = UInt64(process)
    raw.slots = UInt32(slots)
    (raw.n_held, raw.held) = arena.make(held)
    raw.address = arena.text(address)
    raw.key = arena.text(key)
  }

  init(reading raw: Unmask__Hello) throws {
    name = try word(raw.name, "Hello.name")
    version = try text(raw.version, "Hello.version")
    fingerprint = try text(raw.fingerprint, "Hello.fingerprint")
    host = try text(raw.host, "Hello.host")
    process = try number(raw.process, "Hello.process", in: 0...largeNumber)
    slots = try number(raw.slots, "Hello.slots", in: 1...1024)
    held = try parts(raw.n_held, raw.held, "Hello.held", limit: Limits.leases)
    address = try text(raw.address, "Hello.address")
    key = try text(raw.key, "Hello.key")
  }
}

/// Coordinator: "You are in."
public struct Welcome: Sendable, Equatable {
  /// The run's name.
  public var run: String
  /// What the run was made from.
  public var experiment: String
  /// How often to send a heartbeat, in milliseconds.
  public var heartbeat: Int
  /// How long a lease lives without one, in milliseconds.
  public var lease: Int
  /// How long a member of a group waits for a sign of the others before it says so, in milliseconds.
  public var patience: Int
  /// Files to get before the first job.
  public var shared: [ArtifactReference]

  /// Makes the message.
  public init(
    run: String, experiment: String, heartbeat: Int, lease: Int, patience: Int, shared: [ArtifactReference]
  ) {
    self.run = run
    self.experiment = experiment
    self.heartbeat = heartbeat
    self.lease = lease
    self.patience = patience
    self.shared = shared
  }
}

extension Welcome: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_welcome() }

  func fill(_ raw: inout Unmask__Welcome, _ arena: Arena) {
    raw.run = arena.text(run)
    raw.experiment = arena.text(experiment)
    raw.heartbeat_ms = UInt64(heartbeat)
    raw.lease_ms = UInt64(lease)
    raw.patience_ms = UInt64(patience)
    (raw.n_shared, raw.shared) = arena.make(shared)
  }

  init(reading raw: Unmask__Welcome) throws {
    run = try word(raw.run, "Welcome.run")
    experiment = try text(raw.experiment, "Welcome.experiment")
    heartbeat = try number(raw.heartbeat_ms, "Welcome.heartbeat", in: 1...3_600_000)
    lease = try number(raw.lease_ms, "Welcome.lease", in: 1...3_600_000)
    patience = try number(raw.patience_ms, "Welcome.patience", in: 1...1 << 30)
    shared = try parts(raw.n_shared, raw.shared, "Welcome.shared", limit: Limits.artifacts)
  }
}

/// Coordinator: "You are not in." Every version can read it.
public struct Refuse: Sendable, Equatable {
  /// Why.
  public var code: RefusalCode
  /// Why, for people.
  public var sentence: String

  /// Makes the message.
  public init(code: RefusalCode, sentence: String) {
    self.code = code
    self.sentence = sentence
  }
}

extension Refuse: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_refuse() }

  func fill(_ raw: inout Unmask__Refuse, _ arena: Arena) {
    raw.code = code.rawValue
    raw.sentence = arena.text(sentence, limit: Limits.sentence)
  }

  init(reading raw: Unmask__Refuse) throws {
    code = try choice(raw.code, "Refuse.code")
    sentence = try text(raw.sentence, "Refuse.sentence", limit: Limits.sentence)
  }
}

/// Coordinator: "I do not know this connection: say Hello."
public struct Reset: Sendable, Equatable {
  /// Makes the message.
  public init() {}
}

extension Reset: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_reset() }

  func fill(_ raw: inout Unmask__Reset, _ arena: Arena) {}

  init(reading raw: Unmask__Reset) throws {}
}

/// Worker: "I am alive, and this is what I hold."
public struct Heartbeat: Sendable, Equatable {
  /// The leases that it holds.
  public var held: [HeldLease]
  /// Whether it is about to leave and wants no more jobs.
  public var draining: Bool

  /// Makes the message.
  public init(held: [HeldLease], draining: Bool) {
    self.held = held
    self.draining = draining
  }
}

extension Heartbeat: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_heartbeat() }

  func fill(_ raw: inout Unmask__Heartbeat, _ arena: Arena) {
    (raw.n_held, raw.held) = arena.make(held)
    raw.draining = draining ? 1 : 0
  }

  init(reading raw: Unmask__Heartbeat) throws {
    held = try parts(raw.n_held, raw.held, "Heartbeat.held", limit: Limits.leases)
    draining = try number(raw.draining, "Heartbeat.draining", in: 0...1) == 1
  }
}

/// Coordinator: "I heard you."
public struct HeartbeatSeen: Sendable, Equatable {
  /// Makes the message.
  public init() {}
}

extension HeartbeatSeen: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_heartbeat_seen() }

  func fill(_ raw: inout Unmask__HeartbeatSeen, _ arena: Arena) {}

  init(reading raw: Unmask__HeartbeatSeen) throws {}
}

/// Worker: "I am leaving."
public struct Bye: Sendable, Equatable {
  /// Why.
  public var reason: String

  /// Makes the message.
  public init(reason: String) {
    self.reason = reason
  }
}

extension Bye: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_bye() }

  func fill(_ raw: inout Unmask__Bye, _ arena: Arena) {
    raw.reason = arena.text(reason, limit: Limits.sentence)
  }

  init(reading raw: Unmask__Bye) throws {
    reason = try text(raw.reason, "Bye.reason", limit: Limits.sentence)
  }
}

/// Coordinator: "I took note that you leave."
public struct ByeSeen: Sendable, Equatable {
  /// Makes the message.
  public init() {}
}

extension ByeSeen: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_bye_seen() }

  func fill(_ raw: inout Unmask__ByeSeen, _ arena: Arena) {}

  init(reading raw: Unmask__ByeSeen) throws {}
}

/// Coordinator: "The run is over; leave."
public struct RunEnded: Sendable, Equatable {
  /// Whether every job was done.
  public var isComplete: Bool
  /// How it ended, for people.
  public var sentence: String
  /// The run that follows at the same address, for which the worker may stay; empty if none does.
  public var next: String

  /// Makes the message.
  public init(isComplete: Bool, sentence: String, next: String = "") {
    self.isComplete = isComplete
    self.sentence = sentence
    self.next = next
  }
}

extension RunEnded: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_run_ended() }

  func fill(_ raw: inout Unmask__RunEnded, _ arena: Arena) {
    raw.complete = isComplete ? 1 : 0
    raw.sentence = arena.text(sentence, limit: Limits.sentence)
    raw.next = arena.text(next)
  }

  init(reading raw: Unmask__RunEnded) throws {
    next = try text(raw.next, "RunEnded.next")
    isComplete = try number(raw.complete, "RunEnded.isComplete", in: 0...1) == 1
    sentence = try text(raw.sentence, "RunEnded.sentence", limit: Limits.sentence)
  }
}
