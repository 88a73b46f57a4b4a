import Wire

// What operators ask for, and what follows when a key is revoked.

extension CoordinatorMachine {
  static let leave = Leave(reason: "an operator wants this worker to leave")

  /// Does what an operator wants, and answers.
  mutating func operate(_ peer: Peer, _ request: Operate, _ now: Milliseconds) {
    let (isAccepted, sentence) =
      switch request.operation {
      case _ where ended != nil: (false, "run \(configuration.run) is over")
      case .cancel where request.target.isEmpty: cancelRun(now)
      case .cancel: cancelJob(request.target, now)
      case .drain: sendAway(request.target)
      }
    let reply = OperateReply(isAccepted: isAccepted, sentence: sentence)
    decide(.send(peer, .operateReply(reply)), isAccepted ? "an operator: \(sentence)" : "")
  }

  /// Workers leave, and the coordinator ends; what is done is kept, and the same command goes on from there.
  private mutating func cancelRun(_ now: Milliseconds) -> (Bool, String) {
    for token in attempts.keys.sorted() { end(token, "an operator cancelled the run", now) }
    ended = .cancelled
    let ending = ending(.cancelled)
    for worker in workers.values.sorted(by: { $0.order < $1.order }) {
      decide(.send(worker.peer, .runEnded(ending)), "")
    }
    decide(.end(.cancelled), ending.sentence)
    let done = counts[.done, default: 0]
    return (true, "run \(configuration.run) is cancelled with \(done) of \(jobs.count) jobs done")
  }

  private mutating func cancelJob(_ name: String, _ now: Milliseconds) -> (Bool, String) {
    guard let job = jobs[name] else { return (false, "there is no job \(name); \"unmask status\" lists them") }
    guard [.blocked, .ready, .running].contains(job.state) else {
      return (false, "job \(name) is \(job.state) already")
    }
    if job.state == .running, let token = job.token { end(token, "an operator cancelled the job", now) }
    giveUp(name, "an operator cancelled it", now)
    let others = order.count { jobs[$0]!.state == .abandoned && jobs[$0]!.since == now }
    return (true, "job \(name) is cancelled" + (others > 0 ? ", and \(others) jobs that need it with it" : ""))
  }

  private mutating func sendAway(_ name: String) -> (Bool, String) {
    guard let worker = workers.values.first(where: { $0.hello.name == name }) else {
      let names = workers.values.map(\.hello.name).sorted().prefix(10).joined(separator: ", ")
      return (false, "there is no worker \(name)" + (names.isEmpty ? "" : "; there are \(names)"))
    }
    workers[worker.id]!.isSentAway = true
    workers[worker.id]!.isDraining = true
    decide(.send(worker.peer, .leave(Self.leave)), "")
    return (true, "worker \(name) saves its checkpoints and leaves")
  }

  /// Removes a key's workers; what they did goes on elsewhere.
  mutating func revoke(_ name: String, _ now: Milliseconds) {
    let sentence = "the key \(name) was revoked"
    for worker in workers.values.sorted(by: { $0.order < $1.order }) where isWorker(worker.hello.name, of: name) {
      decide(.send(worker.peer, .refuse(Refuse(code: .revoked, sentence: sentence))), "")
      remove(worker.id, sentence, now)
    }
  }

  /// Whether a worker of this name may show the key of that name: it is called so, or so with a slash and more.
  public func isWorker(_ worker: String, of key: String) -> Bool { worker == key || worker.hasPrefix(key + "/") }

  // MARK: - Estimates

  private func family(_ spec: JobSpec) -> String {
    spec.id.lastIndex(of: "/").map { String(spec.id[..<$0]) } ?? spec.id
  }

  /// Notes what a job took, for the estimate of the rest.
  mutating func noteDuration(_ attempt: AttemptRecord, _ now: Milliseconds) {
    let spec = jobs[attempt.job]!.spec
    for key in [family(spec), "kind " + spec.kind] {
      let known = durations[key] ?? (0, 0)
      durations[key] = (known.total + now - attempt.started, known.count + 1)
    }
  }

  /// How long the rest may take: what jobs of the same family took, or of the same kind, or any, spread over the workers'
  /// slots; never less than the longest of them. 0 while nothing is known.
  func remaining(_ now: Milliseconds) -> Milliseconds {
    guard ended == nil, !durations.isEmpty else { return 0 }
    let kinds = durations.filter { $0.key.hasPrefix("kind ") }.values
    let usual = kinds.reduce(0) { $0 + $1.total } / max(1, kinds.reduce(0) { $0 + $1.count })
    var total = 0
    var longest = 0
    for job in jobs.values where [.blocked, .ready, .running].contains(job.state) {
      let known = durations[family(job.spec)] ?? durations["kind " + job.spec.kind]
      let whole = known.map { $0.total / $0.count } ?? usual
      // A running job that takes longer than others did is as good as done, but never quite.
      let left = job.state == .running ? max(whole - (now - job.since), whole / 10) : whole
      total += left
      longest = max(longest, left)
    }
    let slots = workers.values.filter { !$0.isDraining }.reduce(0) { $0 + $1.hello.slots }
    return max(longest, total / max(1, slots))
  }
}
