import Coordination
import Logging
import Transport
import Wire

// Who may say what, when keys are in use. ZeroMQ lets only known keys connect; here each message is held against the
// list as it is now, so that a name belongs to its key, and a key that was revoked counts no more at once.

extension CoordinatorService {
  /// Whether a message may be handled; if not, its sender is told why.
  func isAllowed(_ packet: Packet, from peer: Peer, _ key: String) -> Bool {
    guard case .keys(let doorkeeper) = options.security else { return true }
    guard let entry = doorkeeper.entry(for: key) else {
      sayOnce("a message with a revoked key is dropped")
      send(.refuse(Refuse(code: .revoked, sentence: "this key was revoked")), to: peer)
      return false
    }
    switch packet.message {
    case .hello(let hello):
      let problem: String? =
        if entry.role != .worker {
          "the key \(entry.name) is an operator's; make one for a worker with: unmask keys new NAME"
        } else if !machine.isWorker(hello.name, of: entry.name) {
          "the key \(entry.name) does not allow a worker to be called \(hello.name)"
        } else if let known = machine.name(ofWorker: packet.header.sender), !machine.isWorker(known, of: entry.name) {
          "the key \(entry.name) is not that of worker \(known)"
        } else { nil }
      guard let problem else { return true }
      sayOnce("worker \(hello.name) is refused: \(problem)")
      send(.refuse(Refuse(code: .key, sentence: problem)), to: peer)
      return false
    case .operate, .logRequest:
      guard entry.role != .operator else { return true }
      let problem = "the key \(entry.name) is a worker's; make an operator's with: unmask keys new NAME --role operator"
      if case .logRequest(let request) = packet.message {
        send(
          .logReply(LogReply(job: request.job, offset: 0, size: 0, isOver: true, problem: problem)), frames: [[]],
          to: peer)
      } else {
        send(.operateReply(OperateReply(isAccepted: false, sentence: problem)), to: peer)
      }
      return false
    default:
      guard let known = machine.name(ofWorker: packet.header.sender), !machine.isWorker(known, of: entry.name) else {
        return true
      }
      sayOnce("a message in the name of worker \(known) is dropped: it came with the key \(entry.name)")
      return false
    }
  }

  /// Reads the list of keys if it has changed, and acts on what was revoked. Called every tick.
  func refreshKeys() throws {
    guard case .keys(let doorkeeper) = options.security else { return }
    for stranger in doorkeeper.takeStrangers() {
      sayOnce(
        "a stranger at \(stranger.address) was refused; to let this key in: unmask keys authorise "
          + "'\(stranger.publicKey)' NAME")
    }
    do {
      for entry in try doorkeeper.refresh() {
        say("the key \(entry.name) was revoked")
        revokeContents(of: entry.name)
        try handle(.revoked(name: entry.name))
        // The refusal gets a moment to arrive; then all connections are cut, and the holder cannot make a new one.
        cutAt = monotonicMilliseconds() + 300
      }
    } catch let error as TransportError { sayOnce(error.description) }
    if let due = cutAt, monotonicMilliseconds() >= due {
      cutAt = nil
      endpoint.disconnectAll()
    }
  }

  /// Says what a stranger could make us say for ever: the same sentence once in ten seconds, and only so many.
  func sayOnce(_ sentence: String) {
    let now = monotonicMilliseconds()
    guard now - (saidAt[sentence] ?? -60_000) >= 10_000 else { return }
    if saidAt.count >= 200 { saidAt = saidAt.filter { now - $0.value < 10_000 } }
    guard saidAt.count < 200 else { return }
    saidAt[sentence] = now
    options.logger.warning("\(sentence)")
  }
}
