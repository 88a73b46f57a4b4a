import CWire

// Messages of people who look after a run.

/// Operator: "Cancel this", or "send that worker away".
public struct Operate: Sendable, Equatable {
  /// The asking program's version.
  public var version: String
  /// What to do.
  public var operation: Operation
  /// The job or the worker; empty for the whole run.
  public var target: String

  /// Makes the message.
  public init(version: String, operation: Operation, target: String) {
    self.version = version
    self.operation = operation
    self.target = target
  }
}

extension Operate: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_operate() }

  func fill(_ raw: inout Unmask__Operate, _ arena: Arena) {
    raw.version = arena.text(version)
    raw.kind = operation.rawValue
    raw.target = arena.text(target)
  }

  init(reading raw: Unmask__Operate) throws {
    version = try text(raw.version, "Operate.version")
    operation = try choice(raw.kind, "Operate.kind")
    target = try text(raw.target, "Operate.target")
  }
}

/// Coordinator: "It is done", or why not.
public struct OperateReply: Sendable, Equatable {
  /// Whether it is being done.
  public var isAccepted: Bool
  /// What happens now, or why nothing does.
  public var sentence: String

  /// Makes the message.
  public init(isAccepted: Bool, sentence: String) {
    self.isAccepted = isAccepted
    self.sentence = sentence
  }
}

extension OperateReply: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_operate_reply() }

  func fill(_ raw: inout Unmask__OperateReply, _ arena: Arena) {
    raw.accepted = isAccepted ? 1 : 0
    raw.sentence = arena.text(sentence, limit: Limits.sentence)
  }

  init(reading raw: Unmask__OperateReply) throws {
    isAccepted = try number(raw.accepted, "OperateReply.accepted", in: 0...1) == 1
    sentence = try text(raw.sentence, "OperateReply.sentence", limit: Limits.sentence)
  }
}

/// Coordinator: "Save your checkpoints and leave."
public struct Leave: Sendable, Equatable {
  /// Why.
  public var reason: String

  /// Makes the message.
  public init(reason: String) {
    self.reason = reason
  }
}

extension Leave: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_leave() }

  func fill(_ raw: inout Unmask__Leave, _ arena: Arena) { raw.reason = arena.text(reason, limit: Limits.sentence) }

  init(reading raw: Unmask__Leave) throws {
    reason = try text(raw.reason, "Leave.reason", limit: Limits.sentence)
  }
}

/// Operator: "What does the log of this job say, from this byte on?"
public struct LogRequest: Sendable, Equatable {
  /// The asking program's version.
  public var version: String
  /// The job.
  public var job: String
  /// The first byte that is wanted.
  public var offset: Int

  /// Makes the message.
  public init(version: String, job: String, offset: Int) {
    self.version = version
    self.job = job
    self.offset = offset
  }
}

extension LogRequest: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_log_request() }

  func fill(_ raw: inout Unmask__LogRequest, _ arena: Arena) {
    raw.version = arena.text(version)
    raw.job = arena.text(job)
    raw.offset = UInt64(offset)
  }

  init(reading raw: Unmask__LogRequest) throws {
    version = try text(raw.version, "LogRequest.version")
    job = try word(raw.job, "LogRequest.job")
    offset = try number(raw.offset, "LogRequest.offset", in: 0...largeNumber)
  }
}

/// Coordinator: a piece of a job's log, which is the raw frame that follows.
public struct LogReply: Sendable, Equatable {
  /// The job.
  public var job: String
  /// Where the piece begins.
  public var offset: Int
  /// Bytes of the whole log, so far.
  public var size: Int
  /// Whether the job is over, so that nothing more will come.
  public var isOver: Bool
  /// Why there is no such log; empty if there is.
  public var problem: String

  /// Makes the message.
  public init(job: String, offset: Int, size: Int, isOver: Bool, problem: String) {
    self.job = job
    self.offset = offset
    self.size = size
    self.isOver = isOver
    self.problem = problem
  }
}

extension LogReply: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_log_reply() }

  func fill(_ raw: inout Unmask__LogReply, _ arena: Arena) {
    raw.job = arena.text(job)
    raw.offset = UInt64(offset)
    raw.size = UInt64(size)
    raw.over = isOver ? 1 : 0
    raw.problem = arena.text(problem, limit: Limits.sentence)
  }

  init(reading raw: Unmask__LogReply) throws {
    job = try text(raw.job, "LogReply.job")
    offset = try number(raw.offset, "LogReply.offset", in: 0...largeNumber)
    size = try number(raw.size, "LogReply.size", in: 0...largeNumber)
    isOver = try number(raw.over, "LogReply.over", in: 0...1) == 1
    problem = try text(raw.problem, "LogReply.problem", limit: Limits.sentence)
  }
}
