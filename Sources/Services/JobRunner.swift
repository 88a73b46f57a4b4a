public import Foundation
public import ShardTree
public import Wire

/// Does jobs: the one thing that a run's owner supplies. The services know nothing of what a job does.
public protocol JobRunner: Sendable {
  /// Does the job and publishes its outputs; returns when all is done.
  ///
  /// - Throws: `JobCancelled` as it came from the context; anything else is a failure of the job, and its description
  ///   is the sentence that people read.
  /// - Thread: blocking, on a compute thread of its own (8 MiB of stack); several jobs may run at once.
  func run(_ job: JobSpec, _ context: any JobContext) throws
}

/// What a job may ask of the cluster. Every call may block, and belongs on the job's own compute thread.
///
/// A job may be run again, elsewhere, from its last checkpoint, and must then leave the same bytes behind.
public protocol JobContext: AnyObject, Sendable {
  /// A scratch folder of this attempt; it is removed afterwards.
  var directory: URL { get }
  /// A local, read-only file with an artifact's content. Fetched once a process, checked by its SHA-256.
  ///
  /// - Throws: `JobCancelled`; `ServiceError` for a name that is not among the job's inputs.
  func input(_ name: String) throws -> URL
  /// Fetches content that the run offers (`RunPlan.offered`) into a file, whose bytes the caller checks: from another worker
  /// that has it, or from the coordinator. Goes on while the worker drains.
  ///
  /// - Throws: `JobCancelled`; `ServiceError` for content that is not offered, `FileProblem` if it cannot be written.
  func download(_ content: ArtifactReference, to file: URL) throws -> ContentOrigin
  /// The coordinator's own file with a content that the run offers, if it is there as it was when the coordinator started;
  /// nil on a worker.
  func localFile(of content: String) -> URL?
  /// Says that this process has a content that the run offers, in a file whose bytes were checked: other workers may have it
  /// from here as long as the file stays as it is.
  ///
  /// - Parameter isCached: whether it lies in a cache, which may touch it and remove it.
  func holds(_ content: String, at file: URL, isCached: Bool)
  /// A local, read-only file with the latest checkpoint of this job, whichever worker saved it; nil at a first start.
  /// In a group, every member gets the same one.
  ///
  /// - Throws: `JobCancelled`.
  func checkpoint() throws -> URL?
  /// Hands over a checkpoint, which becomes the job's latest all at once. Still works while the worker drains. In a
  /// group, only member 0's is kept; for the others this does nothing.
  ///
  /// - Throws: `JobCancelled` when the lease is lost.
  func saveCheckpoint(_ file: URL) throws
  /// Hands over an output. It takes its name in the run directory when the job is done, with all the others. In a
  /// group, only member 0's is kept; for the others this does nothing.
  ///
  /// - Throws: `JobCancelled` when the lease is lost; `ServiceError` for a name that is not among the job's outputs.
  func publish(_ file: URL, as name: String) throws
  /// Says how far the job is. Cheap; call it every step.
  ///
  /// - Throws: `JobCancelled` when the job must stop. If its reason is `draining` or `reshaped`, save a checkpoint before
  ///   passing the error on: within a few seconds.
  func progress(_ progress: JobProgress) throws
  /// Whether the job should go on, for those who wait; a worker that drains lets them.
  ///
  /// - Throws: `JobCancelled`.
  func check() throws
  /// Writes metrics of an epoch to the ledger; a repeated epoch replaces its values.
  ///
  /// - Throws: `JobCancelled`.
  func record(metrics: [String: Double], epoch: Int) throws
  /// Writes what went into a model to the ledger, before any output that is handed over later.
  ///
  /// - Throws: `JobCancelled`.
  func record(_ use: SampleUse) throws
  /// Sums over the members of the job's group; nil when the job runs alone.
  var reducer: (any ShardReducer)? { get }
  /// Writes a line to the job's log on the coordinator, and to this process's own.
  func log(_ line: String)
}

/// Where a content was fetched from.
public enum ContentOrigin: Sendable, Hashable {
  /// From the coordinator's own file.
  case coordinator
  /// From another worker: directly, or through the coordinator.
  case worker
}

/// The job must stop: it is no longer this process's to do. Pass it on; it is not a failure of the job.
public struct JobCancelled: Error, Sendable, CustomStringConvertible {
  /// Why.
  public enum Reason: Sendable, Hashable {
    /// Somebody else has the job now, or nobody needs it any more.
    case fenced
    /// The run was stopped.
    case cancelled
    /// This worker was asked to leave: save a checkpoint, then stop.
    case draining
    /// Another member of the group was lost; the job goes on from its checkpoint with a new group.
    case groupBroken
    /// Other workers are to go on with the job: save a checkpoint, then stop.
    case reshaped

    /// Whether a checkpoint is still wanted.
    var keepsCheckpoint: Bool { self == .draining || self == .reshaped }
  }

  /// Why.
  public let reason: Reason
  /// One sentence for the log.
  public let description: String

  /// Makes the error.
  public init(_ reason: Reason, _ sentence: String) {
    self.reason = reason
    description = sentence
  }
}
