import Datasets
import Evaluation
import Files
public import Foundation
import Ledger
import Logging
import Models
import Reports
import Services
import Synchronization
public import Transport
import Wire
import Yams

/// The coordinator of one run: scans the data, makes the folds, hands out the jobs, and merges the results.
///
/// Given the same run directory again it goes on from the ledger.
public final class CoordinatorProcess: Sendable {
  private let experiment: Experiment
  private let directory: URL
  private let listen: String
  private let security: SocketOptions.Security
  private let logger: Logger
  private let queue: [String]
  private let service = Mutex<CoordinatorService?>(nil)
  private let isStopped = Atomic(false)

  /// For an experiment, a run directory, an address to listen at, keys, and the names of experiments that follow there.
  public init(
    experiment: Experiment, directory: URL, listen: String, security: SocketOptions.Security = .none,
    queue: [String] = []
  ) {
    (self.experiment, self.directory, self.listen, self.security) = (experiment, directory, listen, security)
    self.queue = queue
    logger = Logger(label: "coordinator", factory: LineLog.init(label:))
  }

  /// Runs to the end; returns the comparison table, or nil when the run was stopped before its end.
  ///
  /// - Throws: one sentence: what is wrong with data, folder or address; `RunEnded` when it was cancelled or jobs failed.
  public func run() throws -> String? {
    let inputs = try prepare()
    var options = ServiceOptions(version: programVersion, logger: logger)
    options.security = security
    options.timing.heartbeat = experiment.cluster.heartbeatMilliseconds
    options.usesBFloat16 = experiment.usesBFloat16
    options.timing.lease = experiment.cluster.leaseMilliseconds
    options.timing.stall = experiment.cluster.stuckSeconds * 1_000
    options.sharesJobs = experiment.cluster.workersPerJob == .auto
    options.queue = queue
    options.route = Route(name: experiment.cluster.route)
    let detectors = try inputs.experiment.detectorFiles().sorted { $0.key < $1.key }
    let plan = RunPlan(
      name: experiment.name, experimentHash: try inputs.experiment.resultHash(),
      jobs: RunGraph.jobs(of: inputs.experiment, samples: inputs.dataset.samples.count, folds: inputs.plan.count),
      shared: [RunFiles.experiment, RunFiles.samples, RunFiles.folds].map {
        RunPlan.SharedFile(name: $0, file: directory.appending(path: $0))
      }
        + detectors.map { RunPlan.SharedFile(name: RunFiles.detector($0.key), file: $0.value) },
      offered: try offered(inputs.dataset))
    let coordinator = try CoordinatorService(
      plan: plan, directory: directory, listen: listen,
      runner: CoordinatorJobs(inputs: inputs, directory: directory), options: options)
    service.withLock { $0 = coordinator }
    guard !isStopped.load(ordering: .acquiring) else { return nil }
    logger.info("listening at \(coordinator.address); \(plan.jobs.count) jobs")
    let ticker = DispatchSource.makeTimerSource(queue: .global())
    ticker.schedule(deadline: .now() + 15, repeating: 15)
    ticker.setEventHandler { @Sendable [weak self] in self?.sayProgress() }
    ticker.activate()
    defer { ticker.cancel() }
    let outcome = try coordinator.serve()
    guard !outcome.wasCancelled else { throw RunEnded(description: outcome.sentence) }
    guard !outcome.wasStopped else { return nil }
    guard outcome.isComplete else { throw failed(outcome, inputs, jobs: plan.jobs.count) }
    return String(decoding: try readFile(directory.appending(path: RunFiles.summary)), as: UTF8.self)
  }

  /// Reports what did end, and says what did not.
  private func failed(_ outcome: RunOutcome, _ inputs: RunInputs, jobs: Int) -> RunEnded {
    var sentence = outcome.sentence
    do {
      let unfinished = RunReport.Unfinished(
        done: outcome.done, jobs: jobs, givenUp: try RunMerge.givenUp(LedgerReader(directory: directory)))
      let page = try RunMerge(inputs: inputs, directory: directory, unfinished: unfinished).write(nil).page
      sentence += "; the report of what did end is \(page.path)"
    } catch {
      logger.warning("there is no report of what did end: \(error)")
    }
    return RunEnded(description: sentence + "; remove the cause, and the same command tries again what is not done")
  }

  /// The files of all usable samples, for workers that do not see them.
  private func offered(_ dataset: Dataset) throws -> [RunPlan.OfferedFile] {
    let roots = try DataRoots(experiment.data)
    return dataset.samples.filter { $0.problem == nil }.flatMap { sample in
      sample.paths.compactMap { path in
        sample.content(of: path).map { RunPlan.OfferedFile(sha256: $0.sha256, file: roots.url(sample, path)) }
      }
    }
  }

  private func sayProgress() {
    guard let status = service.withLock({ $0?.status() }) else { return }
    logger.info("\(RunStatus(status).line)")
    for sentence in status.stuck { logger.warning("\(sentence)") }
  }

  /// Stops the run; the same command goes on later. Safe from any thread.
  public func stop() {
    isStopped.store(true, ordering: .releasing)
    service.withLock { $0?.stop() }
  }

  /// Where it listens, with the port that was found; nil before it does.
  var address: String? { service.withLock { $0?.address } }

  /// How the run last was; nil before it began.
  var lastStatus: StatusReply? { service.withLock { $0?.status() } }

  /// Scans the data and writes what every process needs, or checks that it is what an earlier start wrote.
  func prepare() throws -> RunInputs {
    let experiment = try experiment.withWeightHashes().withDetectorHashes()
    let roots = try DataRoots(experiment.data)
    var dataset = try Dataset(joining: experiment.data.map { try Dataset(reading: $0) })
    let seen = DataStamp(dataset, roots)
    if seen == DataStamp(of: directory), let kept = try? SampleTable.read(directory.appending(path: RunFiles.samples)) {
      logger.info("\(dataset.samples.count) samples, whose files are those that were scanned before")
      dataset = kept
    } else {
      dataset = scanned(dataset, roots)
    }
    try dataset.requireTwoClasses()
    let modalities = try Set(experiment.models.map { try ModelRegistry.find($0.architecture).modality.rawValue })
    for name in modalities.sorted() { try dataset.requireTwoClasses(for: Modality(rawValue: name)!) }
    for balance in try DatasetStatistics(dataset).modalities { logger.info("\(balance.line): \(balance.advice)") }
    let plan = try FoldPlan(dataset, experiment.folds, seed: experiment.seed)
    for warning in LeakReport(plan, of: dataset).warnings { logger.warning("\(warning)") }
    for note in plan.notes(of: dataset) { logger.notice("\(note)") }
    let inputs = RunInputs(experiment: experiment, dataset: dataset, plan: plan)
    try write(inputs)
    try seen.write(to: directory)
    return inputs
  }

  private func scanned(_ dataset: Dataset, _ roots: DataRoots) -> Dataset {
    let lastShown = Mutex(ContinuousClock.now)
    let logger = logger
    logger.info("scanning \(dataset.samples.count) samples")
    return dataset.scanned(roots) { done, all in
      let due = lastShown.withLock { last in
        guard ContinuousClock.now - last > .seconds(5) else { return false }
        last = .now
        return true
      }
      if due { logger.info("scanned \(done) of \(all) samples") }
    }
  }

  private func write(_ inputs: RunInputs) throws {
    let experiment = inputs.experiment
    let known = directory.appending(path: RunFiles.experiment)
    if FileManager.default.fileExists(atPath: known.path) {
      let earlier = try? Experiment(json: readFile(known))
      guard try earlier?.resultHash() == experiment.resultHash() else {
        throw FileProblem(
          path: directory.path, reason: "the folder holds the run of another experiment",
          advice: "choose another --output, or remove it")
      }
    } else if let entries = try? FileManager.default.contentsOfDirectory(atPath: directory.path),
      entries.contains(where: { $0 != "Logs" })
    {
      throw FileProblem(
        path: directory.path, reason: "the folder is not empty and holds no run", advice: "choose another --output")
    }
    // First, so that a start that is cut short leaves a folder that the same command can go on from.
    let json = try experiment.json()
    try writeAtomically(json, to: known)
    try place(RunFiles.samples) { try SampleTable.write(inputs.dataset, to: $0) }
    try place(RunFiles.folds) { try FoldTable.write(inputs.plan, of: inputs.dataset, to: $0) }
    try writeAtomically(experiment.yaml(), to: directory.appending(path: RunFiles.experimentYAML))
  }

  /// Writes a shared file, or checks that the data still gives the same one.
  private func place(_ name: String, _ write: (URL) throws -> Void) throws {
    let final = directory.appending(path: name)
    guard FileManager.default.fileExists(atPath: final.path) else { return try write(final) }
    let fresh = directory.appending(path: "\(name).new")
    defer { try? FileManager.default.removeItem(at: fresh) }
    try write(fresh)
    guard try sha256(of: fresh) == sha256(of: final) else {
      throw FileProblem(
        path: final.path, reason: "the data has changed since this run began",
        advice: "restore the data, or choose another --output")
    }
  }
}

/// A run that ended without being complete, cancelled or with failed jobs: as it is, it would end so again, and whoever
/// starts programs anew should leave it alone.
public struct RunEnded: Error, CustomStringConvertible {
  /// One sentence.
  public let description: String
}
