public import Foundation
public import Wire

/// Everything that the coordinator is to get done: the jobs, and the files that every worker needs first.
public struct RunPlan: Sendable {
  /// A file that every worker gets when it joins.
  public struct SharedFile: Sendable, Hashable {
    /// Its artifact name: the path in the run directory, and below the worker's folder of shared files.
    public var name: String
    /// Where it is now. It is copied into the run directory if it is elsewhere.
    public var file: URL

    /// Names a file.
    public init(name: String, file: URL) {
      self.name = name
      self.file = file
    }
  }

  /// A name for people.
  public var name: String
  /// What the run was made from: a run directory belongs to one hash for ever.
  public var experimentHash: String
  /// The jobs, in the order in which they are preferred.
  public var jobs: [JobSpec]
  /// The files that every worker gets when it joins.
  public var shared: [SharedFile]

  /// Describes a run.
  public init(name: String, experimentHash: String, jobs: [JobSpec], shared: [SharedFile] = []) {
    self.name = name
    self.experimentHash = experimentHash
    self.jobs = jobs
    self.shared = shared
  }
}

/// How a run ended.
public struct RunOutcome: Sendable, Equatable {
  /// A job that was given up, or never started because of one that was.
  public struct Failure: Sendable, Equatable {
    /// The job.
    public var job: String
    /// What went wrong, as one sentence.
    public var sentence: String
  }

  /// Whether every job is done.
  public var isComplete: Bool
  /// Whether the coordinator was asked to stop before the end; the same command goes on from here.
  public var wasStopped: Bool
  /// Jobs done, those of earlier starts included.
  public var done: Int
  /// What failed, in plan order.
  public var failures: [Failure]
  /// One sentence for people.
  public var sentence: String
}
