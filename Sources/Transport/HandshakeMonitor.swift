import CZeroMQ
import Glibc
import Synchronization

/// Tells what became of a socket's handshakes. ZeroMQ itself says nothing: a caller that was refused stays open and
/// sends into the void.
///
/// - Thread: used by its socket's thread alone, which must `take` often: a monitor that nobody reads stops all sockets
///   of the process. It hears of handshakes only, so that there is little to read.
struct HandshakeMonitor {
  enum Event: Sendable, Equatable {
    /// It succeeded.
    case succeeded
    /// The other side does not know our key, or we do not know theirs.
    case unknownKey
    /// One side uses keys and the other does not.
    case otherMechanism
    /// The other side speaks another protocol.
    case nonsense
    /// The other side hung up in the middle: it cannot read what was encrypted for another, or it is not up yet.
    case brokenOff
  }

  private static let events =
    ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
    | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL
  private static let count = Atomic(0)

  let socket: UnsafeMutableRawPointer

  init(of monitored: UnsafeMutableRawPointer, _ address: String) throws {
    let place = "inproc://handshakes-\(Self.count.add(1, ordering: .relaxed).newValue)"
    try zmq("watching", address) { zmq_socket_monitor(monitored, place, Self.events) }
    guard let socket = zmq_socket(ReactorSocket.context, ZMQ_PAIR) else {
      throw TransportError("watching", address, code: zmq_errno())
    }
    var zero: Int32 = 0
    zmq_setsockopt(socket, ZMQ_RCVHWM, &zero, MemoryLayout<Int32>.size)  // no limit: it must never hold anything up
    zmq_setsockopt(socket, ZMQ_LINGER, &zero, MemoryLayout<Int32>.size)
    do {
      try zmq("watching", address) { zmq_connect(socket, place) }
    } catch {
      zmq_close(socket)
      throw error
    }
    self.socket = socket
  }

  /// Everything that has happened since the last call.
  func take() -> [Event] {
    var found: [Event] = []
    var buffer = [UInt8](repeating: 0, count: 512)
    while true {
      let count = zmq_recv(socket, &buffer, buffer.count, ZMQ_DONTWAIT)
      if count < 0 && zmq_errno() == EINTR { continue }
      guard count >= 0 else { return found }
      // Events come as two frames: six bytes of number and value, and the address, which is our own.
      if count == 6 {
        let (number, value) = buffer.withUnsafeBytes {
          ($0.loadUnaligned(as: UInt16.self), $0.loadUnaligned(fromByteOffset: 2, as: Int32.self))
        }
        found.append(Self.event(Int32(number), value))
      }
      while Self.isMore(socket) {
        while zmq_recv(socket, &buffer, buffer.count, 0) < 0 && zmq_errno() == EINTR {}
      }
    }
  }

  private static func event(_ number: Int32, _ value: Int32) -> Event {
    switch number {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: .succeeded
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH: .unknownKey
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
      value == ZMQ_PROTOCOL_ERROR_ZMTP_MECHANISM_MISMATCH ? .otherMechanism : .nonsense
    default: .brokenOff
    }
  }

  private static func isMore(_ socket: UnsafeMutableRawPointer) -> Bool {
    var more: Int32 = 0
    var size = MemoryLayout<Int32>.size
    zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size)
    return more != 0
  }

  /// Ends the watch. Must come before the watched socket is closed.
  func stop(_ monitored: UnsafeMutableRawPointer) { zmq_socket_monitor(monitored, nil, 0) }

  /// Lets go. Must come after `stop`: the other way round, the watched socket keeps its port for ever.
  func close() { zmq_close(socket) }
}
