import CWire

// Messages about jobs and their leases.

/// Coordinator: "This job is yours while you hold the lease."
public struct Assign: Sendable, Equatable {
  /// The job.
  public var job: JobSpec
  /// The lease's fencing token.
  public var token: UInt64
  /// This member's number in the group, from 0.
  public var rank: Int
  /// How many share the job.
  public var members: Int
  /// How often the job was started, this time included.
  public var attempt: Int
  /// The artifacts that it reads.
  public var inputs: [ArtifactReference]
  /// Where to go on from; nil at a first start.
  public var checkpoint: ArtifactReference?

  /// Makes the message.
  public init(
    job: JobSpec, token: UInt64, rank: Int, members: Int, attempt: Int, inputs: [ArtifactReference],
    checkpoint: ArtifactReference?
  ) {
    self.job = job
    self.token = token
    self.rank = rank
    self.members = members
    self.attempt = attempt
    self.inputs = inputs
    self.checkpoint = checkpoint
  }
}

extension Assign: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_assign() }

  func fill(_ raw: inout Unmask__Assign, _ arena: Arena) {
    raw.job = arena.make(job)
    raw.token = token
    raw.rank = UInt32(rank)
    raw.members = UInt32(members)
    raw.attempt = UInt32(attempt)
    (raw.n_inputs, raw.inputs) = arena.make(inputs)
    raw.checkpoint = arena.make(checkpoint)
  }

  init(reading raw: Unmask__Assign) throws {
    job = try part(raw.job, "Assign.job")
    token = raw.token
    rank = try number(raw.rank, "Assign.rank", in: 0...Limits.members - 1)
    members = try number(raw.members, "Assign.members", in: 1...Limits.members)
    attempt = try number(raw.attempt, "Assign.attempt", in: 1...1 << 30)
    inputs = try parts(raw.n_inputs, raw.inputs, "Assign.inputs", limit: Limits.artifacts)
    checkpoint = try raw.checkpoint.map { try part($0, "Assign.checkpoint") }
    guard rank < members else { throw WireError("Assign.rank is \(rank) of \(members) members") }
  }
}

/// Worker: "It is done; these are its outputs, all of them uploaded."
public struct JobFinished: Sendable, Equatable {
  /// The job.
  public var job: String
  /// The lease's fencing token.
  public var token: UInt64
  /// The outputs; empty from a member other than 0.
  public var outputs: [ArtifactReference]

  /// Makes the message.
  public init(job: String, token: UInt64, outputs: [ArtifactReference]) {
    self.job = job
    self.token = token
    self.outputs = outputs
  }
}

extension JobFinished: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_job_finished() }

  func fill(_ raw: inout Unmask__JobFinished, _ arena: Arena) {
    raw.job = arena.text(job)
    raw.token = token
    (raw.n_outputs, raw.outputs) = arena.make(outputs)
  }

  init(reading raw: Unmask__JobFinished) throws {
    job = try word(raw.job, "JobFinished.job")
    token = raw.token
    outputs = try parts(raw.n_outputs, raw.outputs, "JobFinished.outputs", limit: Limits.artifacts)
  }
}

/// Worker: "I have stopped working on it."
public struct JobFailed: Sendable, Equatable {
  /// The job.
  public var job: String
  /// The lease's fencing token.
  public var token: UInt64
  /// Why.
  public var code: FailureCode
  /// Why, for people.
  public var sentence: String

  /// Makes the message.
  public init(job: String, token: UInt64, code: FailureCode, sentence: String) {
    self.job = job
    self.token = token
    self.code = code
    self.sentence = sentence
  }
}

extension JobFailed: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_job_failed() }

  func fill(_ raw: inout Unmask__JobFailed, _ arena: Arena) {
    raw.job = arena.text(job)
    raw.token = token
    raw.code = code.rawValue
    raw.sentence = arena.text(sentence, limit: Limits.sentence)
  }

  init(reading raw: Unmask__JobFailed) throws {
    job = try word(raw.job, "JobFailed.job")
    token = raw.token
    code = try choice(raw.code, "JobFailed.code")
    sentence = try text(raw.sentence, "JobFailed.sentence", limit: Limits.sentence)
  }
}

/// Coordinator: "I have taken note; forget the lease."
public struct JobClosed: Sendable, Equatable {
  /// The job.
  public var job: String
  /// The lease's fencing token.
  public var token: UInt64
  /// Whether the result was taken.
  public var isAccepted: Bool
  /// Why, for people.
  public var reason: String

  /// Makes the message.
  public init(job: String, token: UInt64, isAccepted: Bool, reason: String) {
    self.job = job
    self.token = token
    self.isAccepted = isAccepted
    self.reason = reason
  }
}

extension JobClosed: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_job_closed() }

  func fill(_ raw: inout Unmask__JobClosed, _ arena: Arena) {
    raw.job = arena.text(job)
    raw.token = token
    raw.accepted = isAccepted ? 1 : 0
    raw.reason = arena.text(reason, limit: Limits.sentence)
  }

  init(reading raw: Unmask__JobClosed) throws {
    job = try word(raw.job, "JobClosed.job")
    token = raw.token
    isAccepted = try number(raw.accepted, "JobClosed.isAccepted", in: 0...1) == 1
    reason = try text(raw.reason, "JobClosed.reason", limit: Limits.sentence)
  }
}

/// Coordinator: "Stop working on it."
public struct Cancel: Sendable, Equatable {
  /// The job.
  public var job: String
  /// The lease's fencing token.
  public var token: UInt64
  /// Why.
  public var code: CancelCode
  /// Why, for people.
  public var reason: String

  /// Makes the message.
  public init(job: String, token: UInt64, code: CancelCode, reason: String) {
    self.job = job
    self.token = token
    self.code = code
    self.reason = reason
  }
}

extension Cancel: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_cancel() }

  func fill(_ raw: inout Unmask__Cancel, _ arena: Arena) {
    raw.job = arena.text(job)
    raw.token = token
    raw.code = code.rawValue
    raw.reason = arena.text(reason, limit: Limits.sentence)
  }

  init(reading raw: Unmask__Cancel) throws {
    job = try word(raw.job, "Cancel.job")
    token = raw.token
    code = try choice(raw.code, "Cancel.code")
    reason = try text(raw.reason, "Cancel.reason", limit: Limits.sentence)
  }
}

/// A number with a name.
public struct Metric: Sendable, Equatable {
  /// Its name.
  public var name: String
  /// The number.
  public var value: Double

  /// Makes the part.
  public init(name: String, value: Double) {
    self.name = name
    self.value = value
  }
}

extension Metric: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_metric() }

  func fill(_ raw: inout Unmask__Metric, _ arena: Arena) {
    raw.name = arena.text(name)
    raw.value = value
  }

  init(reading raw: Unmask__Metric) throws {
    name = try word(raw.name, "Metric.name")
    value = raw.value
  }
}

/// Worker: metrics of an epoch, for the ledger.
public struct Metrics: Sendable, Equatable {
  /// The job.
  public var job: String
  /// The lease's fencing token.
  public var token: UInt64
  /// The epoch, from 0.
  public var epoch: Int
  /// The metrics.
  public var metrics: [Metric]

  /// Makes the message.
  public init(job: String, token: UInt64, epoch: Int, metrics: [Metric]) {
    self.job = job
    self.token = token
    self.epoch = epoch
    self.metrics = metrics
  }
}

extension Metrics: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_metrics() }

  func fill(_ raw: inout Unmask__Metrics, _ arena: Arena) {
    raw.job = arena.text(job)
    raw.token = token
    raw.epoch = UInt64(epoch)
    (raw.n_metrics, raw.metrics) = arena.make(metrics)
  }

  init(reading raw: Unmask__Metrics) throws {
    job = try word(raw.job, "Metrics.job")
    token = raw.token
    epoch = try number(raw.epoch, "Metrics.epoch", in: 0...largeNumber)
    metrics = try parts(raw.n_metrics, raw.metrics, "Metrics.metrics", limit: Limits.artifacts)
  }
}

/// Worker: a line for the job's log.
public struct Log: Sendable, Equatable {
  /// The job.
  public var job: String
  /// The lease's fencing token.
  public var token: UInt64
  /// The line.
  public var line: String

  /// Makes the message.
  public init(job: String, token: UInt64, line: String) {
    self.job = job
    self.token = token
    self.line = line
  }
}

extension Log: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_log() }

  func fill(_ raw: inout Unmask__Log, _ arena: Arena) {
    raw.job = arena.text(job)
    raw.token = token
    raw.line = arena.text(line, limit: Limits.sentence)
  }

  init(reading raw: Unmask__Log) throws {
    job = try word(raw.job, "Log.job")
    token = raw.token
    line = try text(raw.line, "Log.line", limit: Limits.sentence)
  }
}
