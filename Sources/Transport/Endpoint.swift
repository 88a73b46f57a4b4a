import CZeroMQ
import Foundation
import Synchronization

/// One ZeroMQ socket and the reactor thread that alone touches it. Other threads send through a queue and take what
/// arrived from a mailbox; no call blocks the reactor.
///
/// A listener is a ROUTER: its peers are told apart by ids that the socket draws for each connection (workers never
/// choose one: two with the same would cut each other off in silence). A caller is a DEALER. The thread keeps the
/// endpoint alive until `close`.
public final class Endpoint: Sendable {
  /// What comes in.
  public enum Incoming: Sendable {
    /// A message: the peer's id (empty at a caller), the frames, and the public key that the peer has shown (empty
    /// without keys).
    case message(peer: [UInt8], frames: [[UInt8]], key: String)
    /// A handshake failed: the sentence says why, and whether trying again can help.
    case refused(sentence: String, isFinal: Bool)
    /// A message could not be delivered because the peer's connection is gone.
    case unreachable(peer: [UInt8])
    /// Somebody else's business was put into the mailbox, to wake its reader.
    case wake
  }

  private enum Command: Sendable {
    case send(peer: [UInt8], frames: [[UInt8]], isDroppable: Bool)
    case reopen
    case close
  }

  private struct Outbox: Sendable {
    var commands: [Command] = []
    var isClosed = false
  }

  /// The address as the socket has it: with the port that was found, if any would do.
  public let address: String
  /// The installed ZeroMQ's version.
  public static var versionOfZeroMQ: String {
    var (major, minor, patch): (Int32, Int32, Int32) = (0, 0, 0)
    zmq_version(&major, &minor, &patch)
    return "\(major).\(minor).\(patch)"
  }

  /// What has arrived.
  public let inbox = Mailbox<Incoming>()

  private let outbox = Mutex(Outbox())
  private let wakeHandle: Int32
  private let finished = DispatchSemaphore(value: 0)
  private let security: SocketOptions.Security
  private let isListener: Bool

  /// Listens on `tcp://HOST:PORT` or `ipc://PATH`; port `*` takes a free one.
  ///
  /// - Throws: `TransportError`, with a sentence for a port in use.
  public static func listener(at address: String, options: SocketOptions = SocketOptions()) throws -> Endpoint {
    try Endpoint(address, isRouter: true, options)
  }

  /// Connects, now or as soon as somebody listens there.
  ///
  /// - Throws: `TransportError` if the address is none.
  public static func caller(to address: String, options: SocketOptions = SocketOptions()) throws -> Endpoint {
    try Endpoint(address, isRouter: false, options)
  }

  private init(_ address: String, isRouter: Bool, _ options: SocketOptions) throws {
    let socket = try ReactorSocket(address, isRouter: isRouter, options)
    self.address = isRouter ? socket.boundAddress() : address
    (security, isListener) = (options.security, isRouter)
    wakeHandle = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    precondition(wakeHandle >= 0, "Endpoint: no event handle")
    let thread = Thread { self.run(socket) }
    thread.name = isRouter ? "listener" : "caller"
    thread.start()
  }

  /// Sends a message. A droppable one is thrown away if there is no connection, or if the peer takes nothing: use it
  /// for what is said again anyway.
  public func send(_ frames: [[UInt8]], to peer: [UInt8] = [], isDroppable: Bool = false) {
    command(.send(peer: peer, frames: frames, isDroppable: isDroppable))
  }

  /// Throws a caller's socket away and connects a new one. A socket whose handshake failed never connects again, and
  /// says nothing about it.
  public func reconnect() {
    precondition(!isListener, "Endpoint: a listener does not connect")
    command(.reopen)
  }

  /// Cuts all connections of a listener and listens again at once: the only way to be rid of one peer. The others come
  /// back by themselves, unless their keys are not authorised any more.
  public func disconnectAll() {
    precondition(isListener, "Endpoint: only a listener has connections to cut")
    // A socket file might be removed by the old socket after the new one has made it.
    if address.hasPrefix("tcp://") { command(.reopen) }
  }

  /// Wakes whoever waits for the mailbox.
  public func wake() { inbox.put(.wake) }

  /// Hands over what still waits to be sent, closes the socket, and ends the thread. Whatever the peers have not taken
  /// within `flush` milliseconds is lost.
  public func close(flush: Int = 0) {
    if flush > 0 { usleep(UInt32(flush) * 1_000) }
    let wasOpen = outbox.withLock { box in
      guard !box.isClosed else { return false }
      box.isClosed = true
      box.commands.append(.close)
      signal()
      return true
    }
    if wasOpen { finished.wait() }
  }

  private func command(_ command: Command) {
    outbox.withLock { box in
      guard !box.isClosed else { return }
      box.commands.append(command)
      signal()
    }
  }

  /// Wakes the reactor. Only with the outbox locked and open: afterwards the handle is no longer ours.
  private func signal() {
    var one: UInt64 = 1
    _ = write(wakeHandle, &one, 8)
  }

  // MARK: - On the reactor thread

  private func run(_ socket: ReactorSocket) {
    var isOpen = true
    var handshakes = Handshakes()
    while isOpen {
      if socket.wait(alsoFor: wakeHandle) {
        var count: UInt64 = 0
        _ = read(wakeHandle, &count, 8)
      }
      let commands = outbox.withLock { box in
        defer { box.commands = [] }
        return box.commands
      }
      for command in commands {
        switch command {
        case .send(let peer, let frames, let isDroppable): socket.send(frames, to: peer, isDroppable: isDroppable)
        case .reopen: socket.reopen()
        case .close: isOpen = false
        }
      }
      socket.retry()
      for peer in socket.takeUnreachable() { inbox.put(.unreachable(peer: peer)) }
      for _ in 0..<256 {  // then send again: a flood must not hold up our own heartbeats
        guard let (peer, frames, key) = socket.receive() else { break }
        inbox.put(.message(peer: peer, frames: frames, key: key))
      }
      for event in socket.takeHandshakes() { note(event, &handshakes) }
    }
    socket.close()
    if let gatekeeper = security.gatekeeper { Authentication.end(gatekeeper) }
    Glibc.close(wakeHandle)
    finished.signal()
  }

  private struct Handshakes {
    /// That broke off, since the last that succeeded.
    var brokenOff = 0
    var hasSucceeded = false
  }

  /// Says what a failed handshake means to people. One that breaks off may be a coordinator that is just starting:
  /// only the third in a row is worth a word. Where one has succeeded before, the wrong mechanism is a byte that was
  /// changed on the way, and no reason to give up.
  private func note(_ event: HandshakeMonitor.Event, _ handshakes: inout Handshakes) {
    guard event != .succeeded else {
      handshakes = Handshakes(hasSucceeded: true)
      return
    }
    if event == .brokenOff { handshakes.brokenOff += 1 }
    let isDamaged = event == .otherMechanism && handshakes.hasSucceeded
    if isListener {
      switch event {
      case .otherMechanism:
        var sentence = "somebody with a key knocked at \(address), which is open to all: start it with keys"
        if case .keys = security { sentence = "somebody without a key was refused at \(address)" }
        inbox.put(.refused(sentence: sentence, isFinal: false))
      case .nonsense:
        inbox.put(
          .refused(sentence: "a connection to \(address) spoke another protocol and was closed", isFinal: false))
      default: break  // strangers are the doorkeeper's, and who hangs up has his reasons
      }
      return
    }
    let sentence: String? =
      switch (event, security) {
      case _ where isDamaged: "a handshake with \(address) was damaged on the way"
      case (.unknownKey, .key(let key)):
        "the coordinator at \(address) does not know this key; on its machine run: unmask keys authorise "
          + "'\(key.pair.publicKey)' \(key.name)"
      case (.otherMechanism, .key):
        "the coordinator at \(address) uses no keys; start it with keys, or this with --insecure in a private network"
      case (.otherMechanism, _), (.unknownKey, _):
        "the coordinator at \(address) wants a key; on its machine run \"unmask keys new NAME\", copy the file here, and "
          + "give it with --key"
      case (.nonsense, _): "\(address) is not a coordinator of Unmask; check the port"
      case (.brokenOff, .key(let key)) where handshakes.brokenOff == 3:
        "the coordinator at \(address) hangs up: is it another one than the key of \(key.name) was made for?"
      default: nil
      }
    let isFinal = (event == .unknownKey || event == .otherMechanism) && !isDamaged
    if let sentence { inbox.put(.refused(sentence: sentence, isFinal: isFinal)) }
  }
}
