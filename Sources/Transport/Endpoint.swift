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
    /// A message: the peer's id (empty at a caller), the frames, and the monotonic time of arrival in milliseconds.
    case message(peer: [UInt8], frames: [[UInt8]], arrived: Int)
    /// A message could not be delivered because the peer's connection is gone.
    case unreachable(peer: [UInt8])
    /// Somebody else's business was put into the mailbox, to wake its reader.
    case wake
  }

  private enum Command: Sendable {
    case send(peer: [UInt8], frames: [[UInt8]], isDroppable: Bool)
    case reconnect
    case close
  }

  private struct Outbox: Sendable {
    var commands: [Command] = []
    var isClosed = false
  }

  /// The address as the socket has it: with the port that was found, if any would do.
  public let address: String
  /// What has arrived.
  public let inbox = Mailbox<Incoming>()

  private let outbox = Mutex(Outbox())
  private let wakeHandle: Int32
  private let finished = DispatchSemaphore(value: 0)

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
  public func reconnect() { command(.reconnect) }

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
        case .reconnect: socket.reconnect()
        case .close: isOpen = false
        }
      }
      socket.retry()
      for peer in socket.takeUnreachable() { inbox.put(.unreachable(peer: peer)) }
      // Always take everything: an unread socket looks dead to the library's pings.
      for _ in 0..<256 {  // then send again: a flood must not hold up our own heartbeats
        guard let (peer, frames) = socket.receive() else { break }
        inbox.put(.message(peer: peer, frames: frames, arrived: monotonicMilliseconds()))
      }
    }
    socket.close()
    Glibc.close(wakeHandle)
    finished.signal()
  }
}
