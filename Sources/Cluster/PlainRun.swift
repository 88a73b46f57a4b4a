import Datasets
import Files
public import Foundation
import Services
import ShardTree
import Wire

/// All jobs of an experiment one after the other in this process: without coordinator, ledger, messages or leases. What
/// the cluster costs is measured against this.
public struct PlainRun {
  private let experiment: Experiment
  private let directory: URL
  private let cache: URL

  /// For an experiment, an empty folder for its run, and one for decoded samples.
  public init(experiment: Experiment, directory: URL, cache: URL) {
    (self.experiment, self.directory, self.cache) = (experiment, directory, cache)
  }

  /// Does everything; returns the seconds that each kind of job took.
  public func run() throws -> [String: Double] {
    let process = CoordinatorProcess(experiment: experiment, directory: directory, listen: "")
    let inputs = try process.prepare()
    let jobs = RunGraph.jobs(of: inputs.experiment, samples: inputs.dataset.samples.count, folds: inputs.plan.count)
    let there = CoordinatorJobs(inputs: inputs, directory: directory, hasLedger: false)
    let here = try WorkerJobs(
      shared: directory, data: [:], weights: [:], cache: CacheFolder(cache), jobsAtOnce: 1)
    var seconds: [String: Double] = [:]
    var done: Set<String> = []
    while let job = jobs.first(where: { !done.contains($0.id) && $0.dependencies.allSatisfy(done.contains) }) {
      let start = ContinuousClock.now
      let context = PlainContext(directory: directory, scratch: directory.appending(path: "scratch/\(done.count)"))
      try makeFolder(context.directory)
      let runner: any JobRunner = job.runsOn == .coordinator ? there : here
      try runner.run(job, context)
      try? FileManager.default.removeItem(at: context.directory)
      done.insert(job.id)
      seconds[job.kind, default: 0] += (ContinuousClock.now - start) / .seconds(1)
    }
    return seconds
  }

  /// Files are where they are, checkpoints are not kept, and nobody listens.
  private final class PlainContext: JobContext {
    let directory: URL
    private let run: URL

    init(directory: URL, scratch: URL) { (run, self.directory) = (directory, scratch) }

    func input(_ name: String) throws -> URL { run.appending(path: name) }
    func localFile(of content: String) -> URL? { nil }
    func holds(_ content: String, at file: URL, isCached: Bool) {}
    func download(_ content: ArtifactReference, to file: URL) throws -> ContentOrigin {
      throw ExperimentError(
        place: content.name, reason: "the file is not on this machine, and a plain run has nobody to fetch it from")
    }
    func checkpoint() throws -> URL? { nil }
    func saveCheckpoint(_ file: URL) throws {}
    func progress(_ progress: JobProgress) throws {}
    func check() throws {}
    func record(metrics: [String: Double], epoch: Int) throws {}
    func record(_ use: SampleUse) throws {}
    var reducer: (any ShardReducer)? { nil }
    func log(_ line: String) {}

    func publish(_ file: URL, as name: String) throws {
      let place = run.appending(path: name)
      try makeFolder(place.deletingLastPathComponent())
      try writeAtomically(readFile(file), to: place)
    }
  }
}
