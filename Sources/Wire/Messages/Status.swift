import CWire

// Messages about how the run is, for people.

/// Anybody: "How is the run?"
public struct StatusRequest: Sendable, Equatable {
  /// The asking program's version.
  public var version: String

  /// Makes the message.
  public init(version: String) {
    self.version = version
  }
}

extension StatusRequest: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_status_request() }

  func fill(_ raw: inout Unmask__StatusRequest, _ arena: Arena) {
    raw.version = arena.text(version)
  }

  init(reading raw: Unmask__StatusRequest) throws {
    version = try text(raw.version, "StatusRequest.version")
  }
}

/// A worker, as the coordinator sees it.
public struct WorkerStatus: Sendable, Equatable {
  /// Its name.
  public var name: String
  /// Its machine.
  public var host: String
  /// Its process number.
  public var process: Int
  /// How many jobs it does side by side.
  public var slots: Int
  /// What it is doing.
  public var state: WorkerState
  /// How long it was not heard from, in milliseconds.
  public var silence: Int
  /// The jobs that it does.
  public var jobs: [String]

  /// Makes the part.
  public init(
    name: String, host: String, process: Int, slots: Int, state: WorkerState, silence: Int, jobs: [String]
  ) {
    self.name = name
    self.host = host
    self.process = process
    self.slots = slots
    self.state = state
    self.silence = silence
    self.jobs = jobs
  }
}

extension WorkerStatus: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_worker_status() }

  func fill(_ raw: inout Unmask__WorkerStatus, _ arena: Arena) {
    raw.name = arena.text(name)
    raw.host = arena.text(host)
    raw.process = UInt64(process)
    raw.slots = UInt32(slots)
    raw.state = state.rawValue
    raw.silent_ms = UInt64(silence)
    (raw.n_jobs, raw.jobs) = arena.texts(jobs)
  }

  init(reading raw: Unmask__WorkerStatus) throws {
    name = try text(raw.name, "WorkerStatus.name")
    host = try text(raw.host, "WorkerStatus.host")
    process = try number(raw.process, "WorkerStatus.process", in: 0...largeNumber)
    slots = try number(raw.slots, "WorkerStatus.slots", in: 1...1024)
    state = try choice(raw.state, "WorkerStatus.state")
    silence = try number(raw.silent_ms, "WorkerStatus.silence", in: 0...largeNumber)
    jobs = try texts(raw.n_jobs, raw.jobs, "WorkerStatus.jobs", limit: Limits.leases)
  }
}

/// A job, as the coordinator sees it.
public struct JobStatus: Sendable, Equatable {
  /// Its name.
  public var id: String
  /// Where it stands.
  public var state: JobState
  /// Who does it.
  public var workers: [String]
  /// How often it was started.
  public var attempts: Int
  /// How often it failed by itself.
  public var failures: Int
  /// How far it is, when it runs.
  public var progress: JobProgress?
  /// How long it has been in this state, in milliseconds.
  public var since: Int
  /// How long it has made no progress, when it runs, in milliseconds.
  public var unmoved: Int
  /// What it waits for, or why it failed.
  public var why: String
  /// How the workers that share it reach each other, and what limits them; empty where nobody shares it.
  public var group: String

  /// Makes the part.
  public init(
    id: String, state: JobState, workers: [String], attempts: Int, failures: Int, progress: JobProgress?, since: Int,
    unmoved: Int, why: String, group: String = ""
  ) {
    self.id = id
    self.state = state
    self.workers = workers
    self.attempts = attempts
    self.failures = failures
    self.progress = progress
    self.since = since
    self.unmoved = unmoved
    self.why = why
    self.group = group
  }
}

extension JobStatus: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_job_status() }

  func fill(_ raw: inout Unmask__JobStatus, _ arena: Arena) {
    raw.id = arena.text(id)
    raw.state = state.rawValue
    (raw.n_workers, raw.workers) = arena.texts(workers)
    raw.attempts = UInt32(attempts)
    raw.failures = UInt32(failures)
    raw.progress = arena.make(progress)
    raw.since_ms = UInt64(since)
    raw.unmoved_ms = UInt64(unmoved)
    raw.why = arena.text(why, limit: Limits.sentence)
    raw.group = arena.text(group)
  }

  init(reading raw: Unmask__JobStatus) throws {
    id = try text(raw.id, "JobStatus.id")
    state = try choice(raw.state, "JobStatus.state")
    workers = try texts(raw.n_workers, raw.workers, "JobStatus.workers", limit: Limits.members)
    attempts = try number(raw.attempts, "JobStatus.attempts", in: 0...1 << 30)
    failures = try number(raw.failures, "JobStatus.failures", in: 0...1 << 30)
    progress = try raw.progress.map { try part($0, "JobStatus.progress") }
    since = try number(raw.since_ms, "JobStatus.since", in: 0...largeNumber)
    unmoved = try number(raw.unmoved_ms, "JobStatus.unmoved", in: 0...largeNumber)
    why = try text(raw.why, "JobStatus.why", limit: Limits.sentence)
    group = try text(raw.group, "JobStatus.group")
  }
}

/// How the run is.
public struct StatusReply: Sendable, Equatable {
  /// Its name.
  public var run: String
  /// What it was made from.
  public var experiment: String
  /// The coordinator's version.
  public var version: String
  /// Where the run stands.
  public var state: RunState
  /// How long this coordinator has been up, in milliseconds.
  public var elapsed: Int
  /// Jobs in all.
  public var total: Int
  /// Jobs done.
  public var done: Int
  /// The workers.
  public var workers: [WorkerStatus]
  /// The jobs; those that run or wait first if there are very many.
  public var jobs: [JobStatus]
  /// What is stuck, and why: one sentence each.
  public var stuck: [String]
  /// Estimated time to the end in milliseconds, from what jobs of the same kind took; 0 if nothing is known yet.
  public var remaining: Int
  /// Experiments that follow at the same address.
  public var queue: [String]

  /// Makes the message.
  public init(
    run: String, experiment: String, version: String, state: RunState, elapsed: Int, total: Int, done: Int,
    workers: [WorkerStatus], jobs: [JobStatus], stuck: [String], remaining: Int = 0, queue: [String] = []
  ) {
    self.run = run
    self.experiment = experiment
    self.version = version
    self.state = state
    self.elapsed = elapsed
    self.total = total
    self.done = done
    self.workers = workers
    self.jobs = jobs
    self.stuck = stuck
    self.remaining = remaining
    self.queue = queue
  }
}

extension StatusReply: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_status_reply() }

  func fill(_ raw: inout Unmask__StatusReply, _ arena: Arena) {
    raw.run = arena.text(run)
    raw.experiment = arena.text(experiment)
    raw.version = arena.text(version)
    raw.state = state.rawValue
    raw.elapsed_ms = UInt64(elapsed)
    raw.jobs_total = UInt32(total)
    raw.jobs_done = UInt32(done)
    (raw.n_workers, raw.workers) = arena.make(workers)
    (raw.n_jobs, raw.jobs) = arena.make(jobs)
    (raw.n_stuck, raw.stuck) = arena.texts(stuck)
    raw.remaining_ms = UInt64(remaining)
    (raw.n_queue, raw.queue) = arena.texts(queue)
  }

  init(reading raw: Unmask__StatusReply) throws {
    run = try text(raw.run, "StatusReply.run")
    experiment = try text(raw.experiment, "StatusReply.experiment")
    version = try text(raw.version, "StatusReply.version")
    state = try choice(raw.state, "StatusReply.state")
    elapsed = try number(raw.elapsed_ms, "StatusReply.elapsed", in: 0...largeNumber)
    total = try number(raw.jobs_total, "StatusReply.total", in: 0...1 << 30)
    done = try number(raw.jobs_done, "StatusReply.done", in: 0...1 << 30)
    workers = try parts(raw.n_workers, raw.workers, "StatusReply.workers", limit: Limits.leases)
    jobs = try parts(raw.n_jobs, raw.jobs, "StatusReply.jobs", limit: Limits.jobs)
    stuck = try texts(raw.n_stuck, raw.stuck, "StatusReply.stuck", limit: Limits.jobs)
    remaining = try number(raw.remaining_ms, "StatusReply.remaining", in: 0...largeNumber)
    queue = try texts(raw.n_queue, raw.queue, "StatusReply.queue", limit: Limits.leases)
  }
}
