import CZeroMQ
import Glibc

/// Proves, on the very socket that will listen, that a key which nobody authorised is refused. ZeroMQ lets everybody in
/// when one of three settings is missing, and says nothing about it.
enum SelfTest {
  /// Listens for a moment on a local socket, knocks with a fresh key, and expects a refusal.
  ///
  /// - Parameter publicKey: the socket's own.
  /// - Throws: one sentence if the stranger was let in, or was not refused within two seconds.
  static func run(
    on socket: UnsafeMutableRawPointer, address: String, publicKey: String, stranger: KeyPair = .make()
  ) throws {
    let place = "ipc://@unmask-self-test-\(getpid())-\(UInt64.random(in: 0...UInt64.max))"
    try zmq("testing the keys of", address) { zmq_bind(socket, place) }
    defer { zmq_unbind(socket, place) }
    var options = SocketOptions()
    options.security = .key(KeyFile(name: "self-test", pair: stranger, coordinator: publicKey))
    guard let caller = zmq_socket(ReactorSocket.context, ZMQ_DEALER) else {
      throw TransportError("testing the keys of", address, code: zmq_errno())
    }
    defer { zmq_close(caller) }
    try options.apply(to: caller, isRouter: false, address: place)
    let monitor = try HandshakeMonitor(of: caller, place)
    defer {
      monitor.stop(caller)
      monitor.close()
    }
    try zmq("testing the keys of", address) { zmq_connect(caller, place) }
    let until = monotonicMilliseconds() + 2_000
    while monotonicMilliseconds() < until {
      var items = [
        zmq_pollitem_t(socket: socket, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0),
        zmq_pollitem_t(socket: monitor.socket, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0),
      ]
      _ = zmq_poll(&items, 2, 50)
      let events = monitor.take()
      if events.contains(.unknownKey) { return }
      if events.contains(.succeeded) || items[0].revents != 0 {
        throw TransportError(
          "\(address) is not opened: a key that nobody authorised was let in by the installed ZeroMQ; install libzmq 4.3.4 "
            + "or newer")
      }
    }
    throw TransportError("\(address) is not opened: the check of keys did not answer within two seconds; try again")
  }
}
