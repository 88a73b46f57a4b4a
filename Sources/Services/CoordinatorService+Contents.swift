import Coordination
import Foundation
import Logging
import Transport
import Wire

// Samples for workers that do not see them. The coordinator sends its own file, or names workers that have the content;
// where its own file is gone, it passes on what such a worker sends.

extension CoordinatorService {
  /// Notes what a worker has, of what the run offers.
  func note(_ held: ContentsHeld, _ peer: Peer) {
    machine.noteHeld(held.contents.lazy.filter { [store] in store.offered.contains($0) }, by: peer)
  }

  /// A worker did not get a content from another one.
  func note(_ failed: HolderFailed, _ peer: Peer) {
    guard store.offered.contains(failed.content) else { return }
    machine.noteFailed(failed.content, holder: failed.holder)
    guard failed.trouble == .wrong, let name = machine.name(of: peer) else { return }
    note(wrong: failed.content, from: failed.holder, to: name)
  }

  /// A worker gave somebody something else than the content.
  func note(wrong content: String, from holder: String, to asker: String) {
    machine.noteFailed(content, holder: holder)
    sayOnce("worker \(holder) gave \(asker) another content than \(content): it is not asked for it again")
  }

  /// Answers a worker that wants a piece of a file.
  func download(_ want: DownloadWant, _ peer: Peer) {
    let content = want.artifact.sha256
    if want.elsewhere, store.offered.contains(content) {
      let holders = named(machine.holders(of: content, for: peer), to: peer)
      if !holders.isEmpty {
        sayLost(content, holders.map(\.name))
        return send(.downloadElsewhere(DownloadElsewhere(transfer: want.transfer, holders: holders)), to: peer)
      }
    }
    switch store.read(want) {
    case .success(let bytes):
      let chunk = DownloadChunk(transfer: want.transfer, offset: want.offset, crc: crc32c(bytes))
      send(.downloadChunk(chunk), frames: [bytes], to: peer)
    case .failure(let error):
      let asker = machine.incarnation(of: peer)
      guard store.offered.contains(content), !relays.isFull(for: asker) else {
        return reply(.downloadFailed(DownloadFailed(transfer: want.transfer, reason: error.description)), to: asker)
      }
      relay(
        ContentRelays.Relay(
          asker: asker, want: want, problem: error.description, asked: [asker], since: monotonicMilliseconds()))
    }
  }

  /// Answers a worker, by its incarnation, if it is still there; 0 is a job in this process.
  private func reply(_ message: Message, _ frames: [[UInt8]] = [], to asker: UInt64) {
    guard asker != 0 else { return takeHere(message, frames) }
    if let peer = machine.peer(ofWorker: asker) { send(message, frames: frames, to: peer) }
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
      let failed = DownloadFailed(transfer: relay.want.transfer, reason: relay.problem)
      return reply(.downloadFailed(failed), to: relay.asker)
    }
    sayLost(content, [holder.name])
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
    let passed = DownloadChunk(
      transfer: relay.want.transfer, offset: chunk.offset, crc: chunk.crc, source: machine.name(of: peer) ?? "?")
    reply(.downloadChunk(passed), [bytes], to: relay.asker)
  }

  /// A worker does not have what another one wants.
  func take(_ failed: DownloadFailed, _ peer: Peer) {
    guard let relay = relays.take(failed.transfer, from: machine.incarnation(of: peer)) else { return }
    machine.noteFailed(relay.want.artifact.sha256, holder: machine.name(of: peer) ?? "")
    self.relay(relay)
  }

  /// Fetches what the coordinator has lost for a job in this process.
  func download(_ content: ArtifactReference, to file: URL, _ answer: Answer<DownloadEnd>) {
    transfers += 1
    guard
      let download = DownloadExchange(content, token: 0, transfer: transfers, to: file, elsewhere: false, answer)
    else { return answer.put(.failure(ServiceError("\(file.path) cannot be made"))) }
    guard !download.isComplete else { return answer.put(.success(download.end)) }
    downloads[transfers] = download
    ask(download)
  }

  private func ask(_ download: DownloadExchange) {
    for case .downloadWant(let want) in download.wants() {
      let problem = "\(want.artifact.name) is not there any more, neither here nor at a worker"
      relay(ContentRelays.Relay(asker: 0, want: want, problem: problem, asked: [0], since: monotonicMilliseconds()))
    }
  }

  private func takeHere(_ message: Message, _ frames: [[UInt8]]) {
    switch message {
    case .downloadChunk(let chunk):
      guard let download = downloads[chunk.transfer] else { return }
      do { try download.take(chunk, frames[0]) } catch {
        downloads[chunk.transfer] = nil
        return download.answer.put(.failure(error))
      }
      guard download.isComplete else { return ask(download) }
      downloads[chunk.transfer] = nil
      download.answer.put(.success(download.end))
    case .downloadFailed(let failed):
      downloads.removeValue(forKey: failed.transfer)?.answer.put(.failure(ServiceError(failed.reason)))
    default: break
    }
  }

  /// Asks others for what has taken too long. Called every tick.
  func refreshRelays() {
    let now = monotonicMilliseconds()
    for number in relays.overdue(now, isThere: { machine.peer(ofWorker: $0) != nil }) {
      if let relay = relays.drop(number) { self.relay(relay) }
    }
  }

  /// Says that a file is gone: of the first ones each, then no more.
  private func sayLost(_ content: String, _ holders: [String]) {
    guard lost.count < 20, store.offered.isLost(content), let path = store.offered.path(of: content),
      lost.insert(path).inserted
    else { return }
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
