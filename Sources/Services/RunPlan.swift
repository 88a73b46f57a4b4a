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

  /// A file that workers may ask for by its content, whatever their job is: a sample, where a worker does not see it.
  public struct OfferedFile: Sendable, Hashable {
    /// The content's SHA-256.
    public var sha256: String
    /// Where it is. It must not change while the run goes on: a file that did is refused.
    public var file: URL

    /// Offers a file.
    public init(sha256: String, file: URL) {
      self.sha256 = sha256
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
  /// The files that workers may ask for, and nothing else on this machine.
  public var offered: [OfferedFile]

  /// Describes a run.
  public init(
    name: String, experimentHash: String, jobs: [JobSpec], shared: [SharedFile] = [], offered: [OfferedFile] = []
  ) {
    self.name = name
    self.experimentHash = experimentHash
    self.jobs = jobs
    self.shared = shared
    self.offered = offered
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
  /// Whether somebody cancelled it: nothing should start it again by itself.
  public var wasCancelled: Bool
  /// Jobs done, those of earlier starts included.
  public var done: Int
  /// What failed, in plan order.
  public var failures: [Failure]
  /// One sentence for people.
  public var sentence: String
}
