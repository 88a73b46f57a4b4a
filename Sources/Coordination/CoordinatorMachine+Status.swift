public import Wire

// How the run is, for people: what every worker and job does, and for each that does nothing, why.

extension CoordinatorMachine {
  /// The answer to a status request. If there are very many jobs, those that are done are left out first, so that the
  /// answer fits a message.
  public func status(_ now: Milliseconds) -> StatusReply {
    var shown = Array(order.prefix(1_000))
    if order.count > 1_000 {
      let states: [JobState] = [.running, .failed, .ready, .abandoned, .blocked, .done]
      shown = Array(states.lazy.flatMap { inState[$0]! }.prefix(1_000)).map { order[$0] }
    }
    var reports: [JobStatus] = []
    var size = 0
    for name in shown {
      let report = status(ofJob: jobs[name]!, now)
      size += self.size(of: report)
      guard size <= 600_000 else { break }
      reports.append(report)
    }
    return StatusReply(
      run: configuration.run, experiment: configuration.experiment, version: configuration.version,
      state: ended ?? .running, elapsed: now - started, total: jobs.count, done: count(.done),
      workers: index.first(200).map { status(of: workers[$0]!, now) }, jobs: reports,
      stuck: stuckSentences(now).prefix(100).map { short($0, 500) }, remaining: remaining(now), queue: queue)
  }

  private func size(of job: JobStatus) -> Int {
    let progress = (job.progress?.phase.utf8.count ?? 0) + (job.progress?.message.utf8.count ?? 0)
    return 64 + job.id.utf8.count + job.why.utf8.count + progress + job.workers.reduce(0) { $0 + $1.utf8.count + 4 }
  }

  private func short(_ text: String, _ count: Int) -> String {
    text.utf8.count <= count ? text : text.prefix(count / 4) + "…"
  }

  private func status(of worker: WorkerRecord, _ now: Milliseconds) -> WorkerStatus {
    let mine = (leases[worker.id] ?? []).compactMap { attempts[$0]?.job }
    let silence = now - worker.lastHeard
    let state: WorkerState =
      silence > 2 * configuration.heartbeat
      ? .silent : worker.isDraining ? .draining : mine.isEmpty && worker.strays.isEmpty ? .idle : .busy
    return WorkerStatus(
      name: short(worker.hello.name, 200), host: short(worker.hello.host, 200), process: worker.hello.process,
      slots: worker.hello.slots, state: state, silence: max(0, silence), jobs: Array(mine.sorted().prefix(4)))
  }

  private func status(ofJob job: JobRecord, _ now: Milliseconds) -> JobStatus {
    let attempt = job.token.flatMap { attempts[$0] }
    let lead = attempt?.members.first
    return JobStatus(
      id: job.spec.id, state: job.state,
      workers: attempt?.members.map { $0.worker == 0 ? "coordinator" : workers[$0.worker]?.hello.name ?? "?" } ?? [],
      attempts: job.attempts, failures: job.failures, progress: lead?.progress, since: max(0, now - job.since),
      unmoved: lead.map { max(0, now - $0.movedAt) } ?? 0, why: short(why(job, now), 2_000),
      group: job.token.flatMap { groups[$0]?.description } ?? "")
  }

  /// What a job waits for, or why it failed.
  func why(_ job: JobRecord, _ now: Milliseconds) -> String {
    switch job.state {
    case .blocked:
      let open = job.spec.dependencies.lazy.filter { jobs[$0]!.state != .done }.prefix(3).joined(separator: ", ")
      return "waits for \(open)" + (job.openDependencies > 3 ? " and \(job.openDependencies - 3) more" : "")
    case .ready:
      if job.spec.runsOn == .coordinator { return "waits for the coordinator to finish another job" }
      if workers.isEmpty { return "waits for a worker: none has joined" }
      if index.liveCount == 0, workers.values.allSatisfy(\.isDraining) { return "waits for a worker: all are leaving" }
      if let since = job.gatheringSince {
        return "gathers a group of \(job.wanted ?? job.spec.groupSize) workers for \(now - since) ms"
      }
      let free = index.free(1) { !job.avoided.contains($0) }
      guard free.isEmpty, index.hasFree else { return "waits for a free worker" }
      let avoided = index.free(3) { _ in true }.map { workers[$0]!.hello.name }.joined(separator: ", ")
      return "waits for another worker than \(avoided), where it failed or hung before"
    case .failed, .abandoned: return job.why
    case .running, .done: return ""
    }
  }

  private func stuckSentences(_ now: Milliseconds) -> [String] {
    var sentences = attempts.values.sorted { $0.token < $1.token }.compactMap { stuck($0, now)?.sentence }
    sentences += hangSentences(now)
    for worker in index.all.map({ workers[$0]! }) where now - worker.lastHeard > 2 * configuration.heartbeat {
      sentences.append(
        "worker \(worker.hello.name) (\(worker.hello.host)) is silent for \((now - worker.lastHeard) / 1000) s")
    }
    if ended == nil, workers.isEmpty, !ready.isEmpty {
      sentences.append("no worker has joined; start one with: unmask worker --coordinator ADDRESS")
    }
    return Array(sentences.prefix(200))
  }
}
