import Wire

// What operators ask for, and what follows when a key is revoked.

extension CoordinatorMachine {
  static let leave = Leave(reason: "an operator wants this worker to leave")

  /// Does what an operator wants, and answers.
  mutating func operate(_ peer: Peer, _ request: Operate, _ now: Milliseconds) {
    let (isAccepted, sentence) =
      switch request.operation {
      case _ where ended != nil: (false, "run \(configuration.run) is over")
      case .cancel where request.target.isEmpty || request.target == configuration.run: cancelRun(now)
      case .cancel where queue.contains(request.target): cancelQueued(request.target)
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
    for id in index.all { decide(.send(workers[id]!.peer, .runEnded(ending)), "") }
    decide(.end(.cancelled), ending.sentence)
    return (true, "run \(configuration.run) is cancelled with \(count(.done)) of \(jobs.count) jobs done")
  }

  /// An experiment that has not begun will not.
  private mutating func cancelQueued(_ name: String) -> (Bool, String) {
    queue.removeAll { $0 == name }
    return (true, "experiment \(name) will not follow; the same command begins it")
  }

  private mutating func cancelJob(_ name: String, _ now: Milliseconds) -> (Bool, String) {
    guard let job = jobs[name] else { return (false, "there is no job \(name); \"unmask status\" lists them") }
    guard [.blocked, .ready, .running].contains(job.state) else {
      return (false, "job \(name) is \(job.state) already")
    }
    if job.state == .running, let token = job.token { end(token, "an operator cancelled the job", now) }
    let others = giveUp(name, "an operator cancelled it", now)
    return (true, "job \(name) is cancelled" + (others > 0 ? ", and \(others) jobs that need it with it" : ""))
  }

  private mutating func sendAway(_ name: String) -> (Bool, String) {
    guard let worker = names[name].flatMap({ workers[$0] }) else {
      let known = names.keys.sorted().prefix(10).joined(separator: ", ")
      return (false, "there is no worker \(name)" + (known.isEmpty ? "" : "; there are \(known)"))
    }
    workers[worker.id]!.isSentAway = true
    workers[worker.id]!.isDraining = true
    reindex(worker.id)
    decide(.send(worker.peer, .leave(Self.leave)), "")
    return (true, "worker \(name) saves its checkpoints and leaves")
  }

  /// Removes a key's workers; what they did goes on elsewhere.
  mutating func revoke(_ name: String, _ now: Milliseconds) {
    let sentence = "the key \(name) was revoked"
    for id in index.all where isWorker(workers[id]!.hello.name, of: name) {
      decide(.send(workers[id]!.peer, .refuse(Refuse(code: .revoked, sentence: sentence))), "")
      remove(id, sentence, now)
    }
  }

  /// Whether a worker of this name may show the key of that name: it is called so, or so with a slash and more.
  public func isWorker(_ worker: String, of key: String) -> Bool { worker == key || worker.hasPrefix(key + "/") }
}
