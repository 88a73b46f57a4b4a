import Coordination
import Foundation
import Ledger
import Logging
import Transport
import Wire

// Messages from workers: what concerns leases goes to the machine, files and sums are dealt with here. Nothing that a
// peer says is trusted: what cannot be read is dropped and counted, what is not allowed is refused with a reason.

extension CoordinatorService {
  func take(_ incoming: Endpoint.Incoming) throws {
    switch incoming {
    case .wake: break
    case .unreachable(let id): try handle(.unreachable(Peer(id)))
    case .refused(let sentence, _): sayOnce(sentence)
    case .message(let id, let frames, let key):
      let packet: Packet
      do {
        packet = try Packet.decoded(frames)
      } catch let foreign as ForeignVersion {
        if foreign.isHello { try handle(.foreignHello(Peer(id), version: foreign.version)) }
        return
      } catch {
        return complain(id, "\(error)")
      }
      guard isAllowed(packet, from: Peer(id), key) else { return }
      try take(packet, from: Peer(id))
    }
  }

  /// One line for the first unreadable message of a peer, and for every thousandth.
  private func complain(_ id: [UInt8], _ sentence: String) {
    if complaints.count > 1_000 { complaints = [:] }
    complaints[id, default: 0] += 1
    if complaints[id]! % 1_000 == 1 {
      options.logger.warning("a message from \(machine.name(of: Peer(id)) ?? "a stranger") is dropped: \(sentence)")
    }
  }

  /// Every kind of message has its line here, so that the compiler asks for a new one's.
  private func take(_ packet: Packet, from peer: Peer) throws {
    let header = packet.header
    switch packet.message {
    case .hello:
      relays.forgetTickets(at: header.sender)
      try handle(.received(peer, header, packet.message))
    case .heartbeat, .bye, .jobFinished, .jobFailed, .statusRequest, .operate, .groupJoin, .stepVote,
      .groupTrouble:
      try handle(.received(peer, header, packet.message))
    case .logRequest(let request): answer(request, peer)
    case .uploadBegin(let begin):
      guard admit(peer, header) else { return }
      try uploadBegin(begin, peer, header)
    case .uploadChunk(let chunk):
      guard admit(peer, header) else { return }
      answer(try store.append(chunk, packet.frames[0], from: header.sender), chunk.transfer, peer)
      try finishUpload(peer)
    case .downloadWant(let want):
      guard admit(peer, header) else { return }
      download(want, peer)
    case .downloadChunk(let chunk):
      guard admit(peer, header) else { return }
      take(chunk, packet.frames[0], peer)
    case .downloadFailed(let failed):
      guard admit(peer, header) else { return }
      take(failed, peer)
    case .contentsHeld(let held):
      guard admit(peer, header) else { return }
      note(held, peer)
    case .holderFailed(let failed):
      guard admit(peer, header) else { return }
      note(failed, peer)
    case .reduceSums(let sums):
      guard admit(peer, header) else { return }
      try reduce(sums, packet.frames, peer, header)
    case .metrics(let metrics):
      guard admit(peer, header) else { return }
      guard case .success = machine.authorize(peer, header, job: metrics.job, token: metrics.token) else { return }
      if let use = SampleUse(metrics) { return ledger.record(use, job: metrics.job, token: metrics.token) }
      record(
        metrics.metrics.map { ($0.name, $0.value) }, epoch: metrics.epoch, job: metrics.job,
        from: machine.name(of: peer) ?? "?")
    case .log(let log):
      guard admit(peer, header) else { return }
      guard case .success = machine.authorize(peer, header, job: log.job, token: log.token) else { return }
      self.log(log.line, job: log.job, from: machine.name(of: peer) ?? "?")
    case .welcome, .refuse, .reset, .heartbeatSeen, .byeSeen, .runEnded, .assign, .jobClosed, .cancel, .uploadCredit,
      .uploadDone, .downloadElsewhere, .peerAdmitted, .peerRevoked, .reduceResult, .statusReply, .leave, .operateReply,
      .logReply, .regroup, .groupView, .stepCommit:
      complain(peer.id, "a worker does not send \(packet.message.kind)")
    }
  }

  /// Whether a message that does not go to the machine is to be handled; who has not said Hello is told to.
  private func admit(_ peer: Peer, _ header: Header) -> Bool {
    let (isNew, mustGreet) = machine.admit(peer, header, now: monotonicMilliseconds())
    if mustGreet { send(.reset(Reset()), to: peer) }
    return isNew
  }

  // MARK: - Files

  private func uploadBegin(_ begin: UploadBegin, _ peer: Peer, _ header: Header) throws {
    switch machine.authorize(peer, header, job: begin.job, token: begin.token) {
    case .failure(let denial): answer(.refused(denial.reason), begin.transfer, peer)
    case .success((0, _)):
      answer(
        try store.begin(begin, from: header.sender, allowed: Set(specs[begin.job]?.outputs ?? [])), begin.transfer, peer
      )
      try finishUpload(peer)
    case .success: answer(.refused("only member 0 of a group uploads files"), begin.transfer, peer)
    }
  }

  private func answer(_ step: ArtifactStore.UploadStep, _ transfer: UInt64, _ peer: Peer) {
    switch step {
    case .credit(let received, let limit):
      send(.uploadCredit(UploadCredit(transfer: transfer, received: received, limit: limit)), to: peer)
    case .refused(let reason):
      send(.uploadDone(UploadDone(transfer: transfer, isKept: false, reason: reason)), to: peer)
    case .complete(let begin, let file): completed = (begin, file)
    case .ignored: break
    }
  }

  /// A file is complete: it becomes the latest checkpoint, or waits for its job to be done.
  private func finishUpload(_ peer: Peer) throws {
    guard let (begin, file) = completed else { return }
    completed = nil
    guard machine.isCurrent(begin.token, of: begin.job) else {
      return send(
        .uploadDone(UploadDone(transfer: begin.transfer, isKept: false, reason: "the lease has passed on")), to: peer)
    }
    switch begin.kind {
    case .output:
      if !(staged[begin.token] ?? []).contains(begin.artifact) {
        ledger.stage(begin.artifact, token: begin.token)
        staged[begin.token, default: []].removeAll { $0.name == begin.artifact.name }
        staged[begin.token, default: []].append(begin.artifact)
      }
    case .checkpoint:
      let name = store.checkpointName(job: begin.job, token: begin.token, sha256: begin.artifact.sha256)
      precondition(file.path.hasSuffix(name), "CoordinatorService: a checkpoint was put at \(file.path)")
      try keepCheckpoint(
        ArtifactReference(name: name, sha256: begin.artifact.sha256, size: begin.artifact.size), job: begin.job,
        token: begin.token, at: begin.progress)
    }
    send(.uploadDone(UploadDone(transfer: begin.transfer, isKept: true, reason: "")), to: peer)
  }

  // MARK: - Sums

  private func reduce(_ sums: ReduceSums, _ frames: [[UInt8]], _ peer: Peer, _ header: Header) throws {
    switch machine.authorize(peer, header, job: sums.job, token: sums.token) {
    case .failure(let denial):
      let cancel = Cancel(job: sums.job, token: sums.token, code: .fenced, reason: denial.reason)
      send(.cancel(cancel), to: peer)
    case .success((let rank, let members)):
      switch rounds.add(
        sums, frames: frames, rank: rank, members: members, view: machine.view(of: sums.token))
      {
      case .waits: break
      case .complete(let pieces):
        for member in machine.peers(of: sums.token) {
          if let member { for piece in pieces { sendResult(sums, piece, to: member) } }
        }
      case .again(let pieces): for piece in pieces { sendResult(sums, piece, to: peer) }
      case .broken(let reason): try handle(.groupBroken(token: sums.token, reason: reason))
      }
    }
  }

  private func sendResult(_ sums: ReduceSums, _ piece: ReduceRounds.Piece, to peer: Peer) {
    let frame = piece.bytes
    let result = ReduceResult(
      job: sums.job, token: sums.token, step: sums.step, offset: piece.offset, total: piece.total, crc: crc32c(frame))
    send(.reduceResult(result), frames: [frame], to: peer)
  }
}
