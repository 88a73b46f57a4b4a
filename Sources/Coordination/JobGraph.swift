public import Wire

/// Checks a plan before anything runs: what is wrong with a graph is our own or the experiment's mistake, and is said at
/// once, not when the run hangs.
public enum JobGraph {
  /// What is wrong with a set of jobs, as one sentence; nil if nothing is.
  public static func problem(with jobs: [JobSpec], shared: Set<String>) -> String? {
    var byID: [String: JobSpec] = [:]
    var producer: [String: String] = [:]
    guard jobs.count <= 10_000 else { return "the run has \(jobs.count) jobs, more than 10000" }
    for job in jobs {
      guard !job.id.isEmpty, job.id.utf8.count <= 256, ArtifactReference.isValid(name: job.id) else {
        return "\"\(job.id)\" cannot name a job"
      }
      guard byID.updateValue(job, forKey: job.id) == nil else { return "job \(job.id) is there twice" }
      guard (1...256).contains(job.groupSize), job.maxAttempts >= 1 else {
        return "job \(job.id) asks for \(job.groupSize) workers and \(job.maxAttempts) attempts"
      }
      guard !job.kind.isEmpty, job.kind.utf8.count <= 512,
        job.arguments.allSatisfy({ (1...512).contains($0.key.utf8.count) && $0.value.utf8.count <= 65_536 })
      else { return "job \(job.id) has a kind or an argument that is empty or too long" }
      // What a message can carry, with room to spare.
      let names = (job.dependencies + job.inputs + job.outputs).reduce(0) { $0 + $1.utf8.count + 8 }
      let arguments = job.arguments.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count + 16 }
      guard names * 2 + job.inputs.count * 80 + arguments < 900_000 else {
        return "job \(job.id) names too many files and arguments for one message"
      }
      for name in job.outputs {
        guard ArtifactReference.isValid(name: name) else { return "job \(job.id) cannot publish \"\(name)\"" }
        if let other = producer.updateValue(job.id, forKey: name) {
          return "jobs \(other) and \(job.id) both publish \(name)"
        }
        guard !shared.contains(name) else { return "job \(job.id) publishes \(name), which is a shared file" }
      }
    }
    for job in jobs {
      for dependency in job.dependencies where byID[dependency] == nil {
        return "job \(job.id) needs job \(dependency), which does not exist"
      }
    }
    // Kahn's order: what is left over lies on a circle.
    var open: [String: Int] = [:]
    var dependents: [String: [String]] = [:]
    for job in jobs {
      let needed = Set(job.dependencies)
      open[job.id] = needed.count
      for dependency in needed { dependents[dependency, default: []].append(job.id) }
    }
    var ordered = jobs.map(\.id).filter { open[$0] == 0 }
    var next = 0
    while next < ordered.count {
      for dependent in dependents[ordered[next]] ?? [] {
        open[dependent]! -= 1
        if open[dependent] == 0 { ordered.append(dependent) }
      }
      next += 1
    }
    if ordered.count < jobs.count, let circular = jobs.first(where: { open[$0.id]! > 0 }) {
      return "job \(circular.id) waits for itself, through \(circular.dependencies.joined(separator: ", "))"
    }
    for job in jobs {
      let direct = Set(job.dependencies)
      var before: Set<String>?  // everything that is done before the job starts; seldom asked for
      for name in job.inputs where !shared.contains(name) {
        guard let source = producer[name] else { return "job \(job.id) reads \(name), which no job publishes" }
        if direct.contains(source) { continue }
        if before == nil { before = ancestors(of: job, byID) }
        guard before!.contains(source) else {
          return "job \(job.id) reads \(name) of job \(source), but does not wait for it"
        }
      }
    }
    return nil
  }

  private static func ancestors(of job: JobSpec, _ byID: [String: JobSpec]) -> Set<String> {
    var found: Set<String> = []
    var waiting = job.dependencies
    while let name = waiting.popLast() {
      if found.insert(name).inserted { waiting += byID[name]!.dependencies }
    }
    return found
  }
}
