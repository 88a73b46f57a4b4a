import Coordination
import Files
import Foundation
import Ledger
import Logging
import Transport
import Wire

// What the coordinator's machine wants done, done: messages, ledger entries, files.

extension CoordinatorService {
  /// Lets the machine decide about an event, and does everything that follows.
  func handle(_ event: CoordinatorEvent) throws {
    waiting += machine.handle(event, now: monotonicMilliseconds())
    guard !isPerforming else { return }  // what follows from an action is done after it, by the loop below
    isPerforming = true
    defer { isPerforming = false }
    var next = 0
    while next < waiting.count {
      let decision = waiting[next]
      next += 1
      if !decision.reason.isEmpty { say(decision.reason) }
      try perform(decision.action)
    }
    waiting = []
  }

  private func perform(_ action: CoordinatorAction) throws {
    switch action {
    case .send(let peer, let message): send(message, to: peer)
    case .beginAttempt(let job, let token, let members):
      let names = machine.peers(of: token).map { $0.flatMap { machine.name(of: $0) } ?? "coordinator" }
      ledger.beginAttempt(job: job, token: token, members: members, names: names)
      jobs[token] = job
      log("attempt \(token) goes to \(names.joined(separator: ", "))", job: job, from: "coordinator")
    case .changeAttempt(let token, let members):
      let names = machine.peers(of: token).map { $0.flatMap { machine.name(of: $0) } ?? "a worker that is away" }
      rounds.forget(token)
      ledger.changeAttempt(token: token, members: members, names: names)
      if let job = jobs[token] {
        log("attempt \(token) is with \(names.joined(separator: ", "))", job: job, from: "coordinator")
      }
    case .endAttempt(let token, let reason):
      if let job = jobs[token] { log("attempt \(token) has ended: \(reason)", job: job, from: "coordinator") }
      forget(token)
      ledger.endAttempt(token: token, reason: reason)
    case .commit(let job, let token, let outputs): try commit(job, token, outputs)
    case .runHere(let assign): runHere(assign)
    case .cancelHere(let token, let cancel):
      if local?.token == token { local?.cancel(JobCancelled(.cancelled, cancel.reason)) }
    case .giveUp(let job, let sentence):
      ledger.giveUp(job: job, sentence: sentence)
      log("given up: \(sentence)", job: job, from: "coordinator")
    case .adoptFingerprint(let fingerprint): ledger.adopt(fingerprint: fingerprint)
    case .say: break
    case .end: endedAt = monotonicMilliseconds()
    }
  }

  /// Stamps a message. It goes out at once, or when the turn ends if something must be on the disk first.
  func send(_ message: Message, frames: [[UInt8]] = [], to peer: Peer) {
    sequence += 1
    let packet = Packet(
      message, frames: frames, sender: incarnation, session: machine.incarnation(of: peer), sequence: sequence)
    let isDroppable = message.kind == .heartbeatSeen || message.kind == .reset
    if outgoing.isEmpty && !ledger.isUrgent {
      endpoint.send(packet.encoded(), to: peer.id, isDroppable: isDroppable)
    } else {
      outgoing.append((packet.encoded(), peer.id, isDroppable))
    }
  }

  /// Ends a turn: first everything that was decided is on the disk, in one transaction; then messages about it leave, in
  /// the order of their numbers, and files go that the ledger does not name any more. So nobody ever hears of what a
  /// killed coordinator would not know.
  ///
  /// - Parameter all: whether metrics and events go to the disk too, with nothing urgent beside them.
  func endTurn(all: Bool = false) throws {
    if ledger.isUrgent || all { try ledger.commit() }
    for (frames, peer, isDroppable) in outgoing { endpoint.send(frames, to: peer, isDroppable: isDroppable) }
    outgoing.removeAll(keepingCapacity: true)
    for action in afterCommit { action() }
    afterCommit.removeAll(keepingCapacity: true)
  }

  /// All or nothing: every output has its name and the ledger says so, or the job is not done.
  private func commit(_ job: String, _ token: UInt64, _ outputs: [ArtifactReference]) throws {
    guard let spec = specs[job], machine.isCurrent(token, of: job) else { return }
    let published = Set(outputs.map(\.name))
    if let missing = spec.outputs.first(where: { !published.contains($0) }) {
      return try handle(.commitFailed(token: token, sentence: "it did not publish \(missing)"))
    }
    let here = staged[token] ?? []
    let wanted = outputs.filter { spec.outputs.contains($0.name) }
    if let lost = wanted.first(where: { !here.contains($0) }) {
      return try handle(.commitFailed(token: token, sentence: "\(lost.name) was not uploaded"))
    }
    try store.finalize(wanted, token: token)
    ledger.finish(job: job, token: token, outputs: wanted)
    log("done: \(wanted.map(\.name).joined(separator: ", "))", job: job, from: "coordinator")
    forget(token)
    if let checkpoint = checkpoints.removeValue(forKey: job) { remove(checkpoint, of: job) }
    try handle(.committed(token: token))
  }

  private func forget(_ token: UInt64) {
    rounds.forget(token)
    staged[token] = nil
    jobs[token] = nil
    afterCommit.append { [store] in store.discard(token: token) }
  }

  /// Removes a checkpoint's file as soon as the ledger does not name it any more.
  private func remove(_ checkpoint: ArtifactReference, of job: String) {
    afterCommit.append { [self] in
      if checkpoints[job]?.name != checkpoint.name { store.removeCheckpoint(checkpoint) }
    }
  }

  // MARK: - Jobs in this process

  private func runHere(_ assign: Assign) {
    let context = LocalJobContext(assign, service: self)
    local = context
    let runner = runner
    startComputeThread(named: "job \(assign.job.id)") { context.run(runner) }
  }

  func takeLocal(_ event: LocalEvent) throws {
    switch event {
    case .progress(let token, let progress):
      machine.noteProgress(token, progress, now: monotonicMilliseconds())
    case .checkpoint(let token, let file, let answer):
      guard let job = local?.job, machine.isCurrent(token, of: job.id) else {
        return answer.put(.failure(JobCancelled(.fenced, "the job is not wanted any more")))
      }
      let content = try reference(to: file, as: "checkpoint")
      let name = store.checkpointName(job: job.id, token: token, sha256: content.sha256)
      try copy(file, to: directory.appendingPathComponent(name))
      try keepCheckpoint(
        ArtifactReference(name: name, sha256: content.sha256, size: content.size), job: job.id, token: token,
        at: JobProgress(phase: ""))
      afterCommit.append { answer.put(.success(())) }
    case .metrics(let token, let metrics, let epoch):
      guard let job = local?.job, machine.isCurrent(token, of: job.id) else { return }
      ledger.record(job: job.id, epoch: epoch, metrics: metrics.map { ($0.key, $0.value) })
    case .log(let job, let line): log(line, job: job, from: "coordinator")
    case .download(let content, let file, let answer): download(content, to: file, answer)
    case .holderFailed(let content, let holder): note(wrong: content, from: holder, to: "the coordinator")
    case .finished(let token, let outputs):
      if local?.token == token { local = nil }
      for artifact in outputs {
        ledger.stage(artifact, token: token)
        staged[token, default: []].append(artifact)
      }
      try handle(.finishedHere(token: token, outputs: outputs))
    case .failed(let token, let sentence):
      if local?.token == token { local = nil }
      try handle(.failedHere(token: token, sentence: sentence))
    }
  }

  /// Makes a file that is in place a job's latest checkpoint; the one before goes.
  func keepCheckpoint(_ artifact: ArtifactReference, job: String, token: UInt64, at progress: JobProgress) throws {
    ledger.keepCheckpoint(artifact, job: job, token: token, at: progress)
    let before = checkpoints.updateValue(artifact, forKey: job)
    store.register(artifact)
    if let before, before.name != artifact.name { remove(before, of: job) }
    try handle(.checkpointKept(job: job, artifact))
  }

  /// Keeps an epoch's numbers in the ledger, and as a line in the job's log.
  func record(_ metrics: [(name: String, value: Double)], epoch: Int, job: String, from worker: String) {
    ledger.record(job: job, epoch: epoch, metrics: metrics)
    let values = metrics.sorted { $0.name < $1.name }.map { "\($0.name) \(String(format: "%.4g", $0.value))" }
    log("epoch \(epoch): \(values.joined(separator: ", "))", job: job, from: worker)
  }

  /// Appends a line to a job's log. A log that cannot be written stops nothing.
  func log(_ line: String, job: String, from worker: String) {
    let file = directory.appendingPathComponent("Logs/\(job).log")
    let text = "\(Date().formatted(.iso8601)) \(worker): \(line)\n"
    // Bounded, so that a job that writes without end does not fill the disk.
    guard logs[job, default: 0] < 64 << 20 else { return }
    logs[job, default: 0] += text.utf8.count
    try? makeFolder(file.deletingLastPathComponent())
    guard let handle = fopen(file.path, "a") else { return }
    fputs(text, handle)
    fclose(handle)
  }
}
