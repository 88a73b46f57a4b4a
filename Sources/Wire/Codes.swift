// Every code of the protocol, each with the sentence that it stands for. Zero is none of them: an empty body would
// decode to it.

/// Why a worker may not join.
public enum RefusalCode: UInt32, Sendable, CaseIterable {
  /// "You are another version of unmask." For good.
  case version = 1
  /// "Your numerics differ from the run's." For good.
  case fingerprint = 2
  /// "A worker of this name is here already." Until that one is gone.
  case name = 3
  /// "The run is over." For good.
  case ended = 4
  /// "Your key does not allow this: it is another worker's, or an operator's." For good.
  case key = 5
  /// "Your key was revoked." For good.
  case revoked = 6

  /// Whether asking again may help.
  public var mayPass: Bool { self == .name }
}

/// Why a worker stopped working on a job.
public enum FailureCode: UInt32, Sendable, CaseIterable {
  /// "The job itself failed." Counts against the job.
  case failed = 1
  /// "I was told to stop." Does not count.
  case cancelled = 2
  /// "I am leaving." Does not count.
  case draining = 3
  /// "My machine is at fault: its disk is full, a file cannot be written." Counts against the job only in the end.
  case worker = 4
}

/// Why a worker must stop working on a job.
public enum CancelCode: UInt32, Sendable, CaseIterable {
  /// "The lease is not yours any more."
  case fenced = 1
  /// "The run was stopped, or nobody needs the job any more."
  case cancelled = 2
  /// "Your group has lost a member."
  case groupBroken = 3
  /// "Save a checkpoint and stop: the job goes on from it with other workers."
  case reshape = 4
}

/// How the members of a group reach each other, the fastest first.
public enum Route: UInt32, Sendable, CaseIterable {
  /// Memory that the processes of one machine share.
  case sharedMemory = 1
  /// Connections between all members: each adds up its part of a vector and sends it to the others.
  case direct = 2
  /// Everything through the coordinator, which adds up.
  case coordinator = 3

  /// What people call it.
  public var name: String {
    switch self {
    case .sharedMemory: "shared-memory"
    case .direct: "direct"
    case .coordinator: "coordinator"
    }
  }

  /// The route that people call so.
  public init?(name: String) {
    guard let route = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = route
  }

  /// What limits a vector over n members, for people.
  public func bound(members n: Int) -> String {
    switch self {
    case .sharedMemory: "memory bandwidth"
    case .direct: "2·(\(n)-1)/\(n) vectors over each worker's network, the least that is possible"
    case .coordinator: "2·\(n) vectors over the coordinator's network"
    }
  }
}

/// What an uploaded file is.
public enum UploadKind: UInt32, Sendable, CaseIterable {
  /// One of the job's outputs; it gets its name when the job is done.
  case output = 1
  /// The job's latest checkpoint, at once.
  case checkpoint = 2
}

/// Where a run stands.
public enum RunState: UInt32, Sendable, CaseIterable {
  /// Jobs are being done or wait.
  case running = 1
  /// Every job is done.
  case complete = 2
  /// Nothing is left that could be done, and some jobs failed.
  case failed = 3
  /// An operator ended it; the same command goes on.
  case cancelled = 4
}

/// What an operator asks for.
public enum Operation: UInt32, Sendable, CaseIterable {
  /// End the run, or give up one job and what needs it.
  case cancel = 1
  /// Send a worker away: it saves its checkpoints and leaves.
  case drain = 2
}

/// Where a job stands.
public enum JobState: UInt32, Sendable, CaseIterable {
  /// It waits for other jobs.
  case blocked = 1
  /// It could start.
  case ready = 2
  /// Somebody does it.
  case running = 3
  /// Its outputs are in the run directory.
  case done = 4
  /// It was given up.
  case failed = 5
  /// A job that it needs was given up.
  case abandoned = 6
}

/// What a worker is doing.
public enum WorkerState: UInt32, Sendable, CaseIterable {
  /// It waits for a job.
  case idle = 1
  /// It does jobs.
  case busy = 2
  /// It was not heard from lately.
  case silent = 3
  /// It is about to leave.
  case draining = 4
}

/// What was wrong with a worker that was to give a content.
public enum HolderTrouble: UInt32, Sendable, CaseIterable {
  /// "It has it no more."
  case missing = 1
  /// "It gave me another content."
  case wrong = 2
}
