import Coordination
import Logging
import Transport
import Wire

// Samples for workers that do not see them. The coordinator sends its own file, or names workers that have the content;
// where its own file is gone, it passes on what such a worker sends.

extension CoordinatorService {
  /// Notes what a worker has, of what the run offers.
  func note(_ held: ContentsHeld, _ peer: Peer) {
    machine.noteHeld(held.contents.lazy.filter { [store] in store.isOffered($0) }, by: peer)
  }

  /// A worker did not get a content from another one.
  func note(_ failed: HolderFailed, _ peer: Peer) {
    guard store.isOffered(failed.content) else { return }
    machine.noteFailed(failed.content, holder: failed.holder)
    guard failed.trouble == .wrong, let name = machine.name(of: peer) else { return }
    sayOnce("worker \(failed.holder) gave \(name) another content than \(failed.content): it is not asked for it again")
  }

  /// Answers a worker that wants a piece of a file.
  func download(_ want: DownloadWant, _ peer: Peer) {
    let content = want.artifact.sha256
    if want.elsewhere, store.isOffered(content) {
      let holders = named(machine.holders(of: content, for: peer), to: peer)
      if !holders.isEmpty {
        if let path = store.lost(content) { sayLost(path, holders.map(\.name)) }
        return send(.downloadElsewhere(DownloadElsewhere(transfer: want.transfer, holders: holders)), to: peer)
      }
    }
    switch store.read(want) {
    case .success(let bytes):
      let chunk = DownloadChunk(transfer: want.transfer, offset: want.offset, crc: crc32c(bytes))
      send(.downloadChunk(chunk), frames: [bytes], to: peer)
    case .failure(let error):
      let asker = machine.incarnation(of: peer)
      guard store.isOffered(content), !relays.isFull(for: asker) else { return refuse(want, error.description, peer) }
      relay(
        ContentRelays.Relay(
          asker: asker, want: want, problem: error.description, asked: [asker], since: monotonicMilliseconds()))
    }
  }

  private func refuse(_ want: DownloadWant, _ reason: String, _ peer: Peer) {
    send(.downloadFailed(DownloadFailed(transfer: want.transfer, reason: reason)), to: peer)
  }

  /// Whom a worker may ask, each told to let it in. With keys, nobody is named who has none.
  private func named(_ holders: [CoordinatorMachine.ContentHolder], to peer: Peer) -> [Holder] {
    let (asker, key) = (machine.incarnation(of: peer), machine.contentKey(of: peer))
    let hasKeys = if case .none = options.security { false } else { true }
    guard KeyPair.isKey(key) == hasKeys else { return [] }
    return holders.filter { KeyPair.isKey($0.key) == hasKeys }.map { holder in
      let (ticket, isNew) = relays.ticket(for: asker, at: holder.id, monotonicMilliseconds())
      if isNew {
        let admitted = PeerAdmitted(ticket: ticket, key: key, validity: ContentRelays.validity)
        send(.peerAdmitted(admitted), to: holder.peer)
      }
      return Holder(name: holder.name, address: holder.address, key: holder.key, ticket: ticket)
    }
  }

  // MARK: - What the coordinator has no more

  /// Asks the next worker for a piece that another wants.
  private func relay(_ relay: ContentRelays.Relay) {
    var relay = relay
    let content = relay.want.artifact.sha256
    guard let holder = machine.relay(of: content, except: Set(relay.asked)) else {
      if let peer = machine.peer(ofWorker: relay.asker) { refuse(relay.want, relay.problem, peer) }
      return
    }
    if let path = store.lost(content) { sayLost(path, [holder.name]) }
    relay.asked.append(holder.id)
    relay.since = monotonicMilliseconds()
    let number = relays.add(relay)
    let want = DownloadWant(
      transfer: number, artifact: relay.want.artifact, offset: relay.want.offset, count: relay.want.count)
    send(.downloadWant(want), to: holder.peer)
  }

  /// A worker's piece of a file for another one is passed on.
  func take(_ chunk: DownloadChunk, _ bytes: [UInt8], _ peer: Peer) {
    guard let relay = relays.take(chunk.transfer, from: machine.incarnation(of: peer)) else { return }
    guard bytes.count == relay.want.count, chunk.offset == relay.want.offset, crc32c(bytes) == chunk.crc else {
      machine.noteFailed(relay.want.artifact.sha256, holder: machine.name(of: peer) ?? "")
      sayOnce("worker \(machine.name(of: peer) ?? "?") sent another piece of a sample than was asked for")
      return self.relay(relay)
    }
    guard let asker = machine.peer(ofWorker: relay.asker) else { return }
    let passed = DownloadChunk(
      transfer: relay.want.transfer, offset: chunk.offset, crc: chunk.crc, source: machine.name(of: peer) ?? "?")
    send(.downloadChunk(passed), frames: [bytes], to: asker)
  }

  /// A worker does not have what another one wants.
  func take(_ failed: DownloadFailed, _ peer: Peer) {
    guard let relay = relays.take(failed.transfer, from: machine.incarnation(of: peer)) else { return }
    machine.noteFailed(relay.want.artifact.sha256, holder: machine.name(of: peer) ?? "")
    self.relay(relay)
  }

  /// Asks others for what has taken too long. Called every tick.
  func refreshRelays() {
    let now = monotonicMilliseconds()
    for number in relays.overdue(now, isThere: { machine.peer(ofWorker: $0) != nil }) {
      if let relay = relays.drop(number) { self.relay(relay) }
    }
  }

  /// Says that a file is gone: of the first ones each, then no more.
  private func sayLost(_ path: String, _ holders: [String]) {
    guard lost.count < 20, lost.insert(path).inserted else { return }
    say(
      "\(path) is not there any more as it was when the run began: the run goes on with its content from "
        + "\(holders.count == 1 ? "worker" : "workers") \(holders.joined(separator: ", "))"
        + (lost.count == 20 ? "; further files that are gone are not named" : ""))
  }

  // MARK: - Keys

  /// Cuts the workers of a key that was revoked off from the others. Before the machine forgets them.
  func revokeContents(of name: String) {
    for key in machine.contentKeys(of: name) {
      for peer in machine.allPeers { send(.peerRevoked(PeerRevoked(key: key)), to: peer) }
    }
  }
}
