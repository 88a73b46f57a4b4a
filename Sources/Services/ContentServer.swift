import Foundation
import Logging
import Synchronization
import Transport
import Wire

/// Gives contents to other workers, over connections of their own: encrypted where the coordinator's are, and only to those
/// that the coordinator has named, each with a ticket.
///
/// One piece after the other on one thread, so that it costs the jobs little; a few askers at a time, the others are sent
/// back to the coordinator.
final class ContentServer: Sendable {
  /// How many askers are served side by side.
  static let askersLimit = 4
  /// How many tickets are valid at once.
  static let ticketsLimit = 256

  /// What whoever has no valid ticket hears.
  static let unnamed = "the coordinator has not named this asker here"

  private struct Ticket: Sendable {
    let key: String
    let until: Int
    var usedAt = -10_000
  }

  private struct State: Sendable {
    var tickets: [UInt64: Ticket] = [:]
    var complaints = 0
    var sequence: UInt64 = 0
  }

  private let incarnation: UInt64
  private let shelf: ContentShelf
  private let door: PeerDoor?
  private let logger: Logger
  private let state = Mutex(State())
  private let responder = Mutex<Responder?>(nil)

  /// Listens at an address of this machine, at a free port; with a door, only those come in that it admits.
  ///
  /// - Throws: `TransportError`.
  init(interface: String, door: PeerDoor?, incarnation: UInt64, shelf: ContentShelf, logger: Logger) throws {
    (self.incarnation, self.shelf, self.door, self.logger) = (incarnation, shelf, door, logger)
    var options = SocketOptions()
    (options.isBulk, options.highWater) = (true, 8)
    options.largestFrame = 4_096  // questions only
    options.handshake = ContentFetcher.handshake
    if let door { options.security = .door(door) }
    let made = try Responder(at: "tcp://\(interface):*", options: options) { [weak self] in self?.answer($0, key: $1) }
    responder.withLock { $0 = made }
  }

  /// Where others reach it.
  var address: String { responder.withLock { $0?.address ?? "" } }

  /// Lets somebody in, for a while.
  func admit(_ admitted: PeerAdmitted) {
    guard admitted.key.isEmpty == (door == nil) else { return }
    let now = monotonicMilliseconds()
    state.withLock { state in
      state.tickets = state.tickets.filter { $0.value.until > now }
      let oldest = state.tickets.min { $0.value.until < $1.value.until }
      if state.tickets.count >= Self.ticketsLimit, let oldest { state.tickets[oldest.key] = nil }
      state.tickets[admitted.ticket] = Ticket(key: admitted.key, until: now + admitted.validity)
    }
    openDoor()
  }

  /// Lets the holder of a key in no more, and cuts him off.
  func revoke(_ key: String) {
    let hadSome = state.withLock { state in
      let before = state.tickets.count
      state.tickets = state.tickets.filter { $0.value.key != key }
      return state.tickets.count < before
    }
    openDoor()
    guard hadSome else { return }
    logger.info("a worker whose key was revoked is cut off: it gets no contents from here any more")
    responder.withLock { $0?.disconnectAll() }
  }

  /// Forgets whom it let in: at another coordinator, or where a revocation may have been missed.
  func reset() {
    let hadSome = state.withLock { state in
      defer { state.tickets = [:] }
      return !state.tickets.isEmpty
    }
    openDoor()
    if hadSome { responder.withLock { $0?.disconnectAll() } }
  }

  func close() { responder.withLock { $0.take() }?.close() }

  private func openDoor() { door?.admit(Set(state.withLock { $0.tickets.values.map(\.key) })) }

  // MARK: - On the responder's thread

  private func answer(_ frames: [[UInt8]], key: String) -> [[UInt8]]? {
    do {
      let packet = try Packet.decoded(frames)
      guard case .downloadWant(let want) = packet.message else {
        throw ServiceError("another worker does not send \(packet.message.kind)")
      }
      let (message, frames) = try answer(want, key)
      let sequence = state.withLock { state in
        state.sequence += 1
        return state.sequence
      }
      let reply = Packet(
        message, frames: frames, sender: incarnation, session: packet.header.sender, sequence: sequence)
      return reply.encoded()
    } catch {
      complain("\(error)")
      return nil
    }
  }

  private func answer(_ want: DownloadWant, _ key: String) throws -> (Message, [[UInt8]]) {
    let now = monotonicMilliseconds()
    let refusal: String? = state.withLock { state in
      guard let ticket = state.tickets[want.ticket], ticket.key == key, ticket.until > now else {
        return Self.unnamed
      }
      if now - ticket.usedAt > 1_000 {
        guard state.tickets.values.count(where: { now - $0.usedAt <= 1_000 }) < Self.askersLimit else {
          return "this worker is giving others what it has"
        }
      }
      state.tickets[want.ticket]!.usedAt = now
      return nil
    }
    func failed(_ reason: String) -> (Message, [[UInt8]]) {
      (.downloadFailed(DownloadFailed(transfer: want.transfer, reason: reason)), [])
    }
    if let refusal { return failed(refusal) }
    switch shelf.read(want) {
    case .success(let bytes):
      return (
        .downloadChunk(DownloadChunk(transfer: want.transfer, offset: want.offset, crc: crc32c(bytes))), [bytes]
      )
    case .failure(let error): return failed("\(ContentFetcher.missing): \(error)")
    }
  }

  /// One line for the first message that is not answered, and for every thousandth.
  private func complain(_ sentence: String) {
    let count = state.withLock { state in
      state.complaints += 1
      return state.complaints
    }
    if count % 1_000 == 1 { logger.warning("a message from another worker is dropped: \(sentence)") }
  }
}
