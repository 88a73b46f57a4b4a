import Foundation
public import Wire

/// A coordinator's answer as text for people and as JSON.
public struct RunStatus {
  private let reply: StatusReply

  /// Shows an answer.
  public init(_ reply: StatusReply) { self.reply = reply }

  /// One line: how much is done, and what every running job does.
  public var line: String {
    let running = reply.jobs.filter { $0.state == .running }.map { job in
      "\(job.id) on \(job.workers.joined(separator: "+"))" + (job.progress.map { ": \(Self.text($0))" } ?? "")
    }
    let left = reply.remaining > 0 ? ", about \(Self.duration(reply.remaining)) left" : ""
    return "\(reply.done) of \(reply.total) jobs done\(left)"
      + (running.isEmpty ? "" : "; " + running.joined(separator: "; "))
  }

  /// Everything: workers, running jobs, waiting ones with their reason, and what is stuck.
  public var text: String {
    var lines = [
      "run \(reply.run) (\(reply.state)): \(reply.done) of \(reply.total) jobs done, coordinator up "
        + Self.duration(reply.elapsed), "", "workers:",
    ]
    if reply.workers.isEmpty { lines.append("  none; start one with: unmask worker --coordinator ADDRESS") }
    for worker in reply.workers {
      lines.append(
        "  \(worker.name) on \(worker.host), process \(worker.process): \(worker.state), "
          + (worker.jobs.isEmpty ? "idle" : worker.jobs.joined(separator: ", "))
          + ", heard from \(Self.duration(worker.silence)) ago")
    }
    lines += ["", "running:"]
    for job in reply.jobs where job.state == .running {
      lines.append(
        "  \(job.id) on \(job.workers.joined(separator: "+")) for \(Self.duration(job.since))"
          + (job.progress.map { ": \(Self.text($0))" } ?? ""))
      if !job.group.isEmpty { lines.append("    \(job.group)") }
    }
    for job in reply.jobs where job.state == .failed { lines.append("  \(job.id) failed: \(job.why)") }
    if reply.remaining > 0 { lines += ["", "about \(Self.duration(reply.remaining)) left"] }
    if !reply.queue.isEmpty { lines += ["", "then: \(reply.queue.joined(separator: ", "))"] }
    if !reply.stuck.isEmpty { lines += ["", "stuck:"] + reply.stuck.map { "  \($0)" } }
    return lines.joined(separator: "\n")
  }

  /// The same as one JSON object.
  public func json() throws -> String {
    let jobs = reply.jobs.map { job -> [String: Any] in
      var object: [String: Any] = [
        "id": job.id, "state": "\(job.state)", "workers": job.workers, "attempts": job.attempts,
        "failures": job.failures, "since_ms": job.since, "unmoved_ms": job.unmoved, "why": job.why,
        "group": job.group,
      ]
      object["progress"] = job.progress.map { progress in
        [
          "phase": progress.phase, "epoch": progress.epoch, "step": progress.step, "steps": progress.steps,
          "message": progress.message,
        ] as [String: Any]
      }
      return object
    }
    let workers = reply.workers.map { worker -> [String: Any] in
      [
        "name": worker.name, "host": worker.host, "process": worker.process, "slots": worker.slots,
        "state": "\(worker.state)", "silent_ms": worker.silence, "jobs": worker.jobs,
      ]
    }
    let object: [String: Any] = [
      "run": reply.run, "state": "\(reply.state)", "version": reply.version, "elapsed_ms": reply.elapsed,
      "jobs_total": reply.total, "jobs_done": reply.done, "workers": workers, "jobs": jobs, "stuck": reply.stuck,
      "remaining_ms": reply.remaining, "queue": reply.queue,
    ]
    let data = try JSONSerialization.data(
      withJSONObject: object, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
    return String(decoding: data, as: UTF8.self)
  }

  private static func text(_ progress: JobProgress) -> String {
    var parts = [progress.phase]
    if progress.epoch > 0 { parts.append("epoch \(progress.epoch)") }
    if progress.steps > 0 { parts.append("\(progress.step)/\(progress.steps)") }
    if !progress.message.isEmpty { parts.append(progress.message) }
    return parts.joined(separator: " ")
  }

  private static func duration(_ milliseconds: Int) -> String {
    let seconds = milliseconds / 1000
    return seconds < 120 ? "\(seconds) s" : "\(seconds / 60) min"
  }
}
