import CZeroMQ
import Glibc

/// The raw socket of an `Endpoint`.
///
/// Not thread-safe: made by one thread and handed over to the reactor thread, which alone uses it from then on
/// (starting a thread is the full fence that ZeroMQ asks for). Hence the unchecked conformance.
final class ReactorSocket: @unchecked Sendable {
  // One context a process: several crash libsodium at their end. It lives as long as the process.
  nonisolated(unsafe) static let context: UnsafeMutableRawPointer = {
    guard let context = zmq_ctx_new() else { preconditionFailure("ReactorSocket: ZeroMQ has no context") }
    zmq_ctx_set(context, ZMQ_BLOCKY, 0)
    zmq_ctx_set(context, ZMQ_IO_THREADS, 2)
    return context
  }()
  /// The library's threads for messages to and from a coordinator: heartbeats must not wait behind gradients.
  static let controlThreads: UInt64 = 1
  /// The library's threads for what the members of a group send each other.
  static let bulkThreads: UInt64 = 2

  /// More frames than any message of ours has: the rest of such a message is read and thrown away.
  private static let framesLimit = 64
  /// What may wait for one peer before it is given up, in bytes.
  private static let backlogLimit = 1 << 31

  private struct Waiting {
    var messages: [[[UInt8]]] = []
    var bytes = 0
  }

  private var address: String
  private let isRouter: Bool
  private let options: SocketOptions
  private var socket: UnsafeMutableRawPointer
  private var monitor: HandshakeMonitor
  private var backlog: [[UInt8]: Waiting] = [:]
  private var unreachable: [[UInt8]] = []
  private var message = UnsafeMutablePointer<zmq_msg_t>.allocate(capacity: 1)

  init(_ address: String, isRouter: Bool, _ options: SocketOptions) throws {
    (self.address, self.isRouter, self.options) = (address, isRouter, options)
    (socket, monitor) = try Self.open(address, isRouter: isRouter, options)
    if isRouter { self.address = boundAddress() }
  }

  deinit { message.deallocate() }

  private static func open(
    _ address: String, isRouter: Bool, _ options: SocketOptions
  ) throws -> (UnsafeMutableRawPointer, HandshakeMonitor) {
    guard let socket = zmq_socket(context, isRouter ? ZMQ_ROUTER : ZMQ_DEALER) else {
      throw TransportError("opening a socket for", address, code: zmq_errno())
    }
    var monitor: HandshakeMonitor?
    do {
      try options.apply(to: socket, isRouter: isRouter, address: address)
      if isRouter {
        if let gatekeeper = options.security.gatekeeper {
          Authentication.begin(gatekeeper)
          try SelfTest.run(on: socket, address: address, publicKey: gatekeeper.pair.publicKey)
        }
        monitor = try HandshakeMonitor(of: socket, address)
        try zmq("listening on", address) { zmq_bind(socket, address) }
      } else {
        monitor = try HandshakeMonitor(of: socket, address)
        try zmq("connecting to", address) { zmq_connect(socket, address) }
      }
      return (socket, monitor!)
    } catch {
      monitor?.stop(socket)
      zmq_close(socket)
      monitor?.close()
      throw error
    }
  }

  /// The address as bound, with its port.
  func boundAddress() -> String { Self.boundAddress(of: socket) ?? address }

  static func boundAddress(of socket: UnsafeMutableRawPointer) -> String? {
    var size = 512
    let bytes = [UInt8](unsafeUninitializedCapacity: size) { buffer, count in
      let result = zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, buffer.baseAddress, &size)
      count = result == 0 ? size - 1 : 0  // a C string
    }
    return bytes.isEmpty ? nil : String(decoding: bytes, as: UTF8.self)
  }

  /// Waits until something arrives, at most so many milliseconds; says whether it was the handle.
  func wait(alsoFor handle: Int32? = nil, atMost milliseconds: Int = 1_000) -> Bool {
    var items = [
      zmq_pollitem_t(socket: socket, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0),
      zmq_pollitem_t(socket: monitor.socket, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0),
      zmq_pollitem_t(socket: nil, fd: handle ?? -1, events: Int16(ZMQ_POLLIN), revents: 0),
    ]
    // What is held up is tried again soon; ROUTER sockets cannot say which peer has room.
    _ = zmq_poll(&items, handle == nil ? 2 : 3, backlog.isEmpty ? milliseconds : min(2, milliseconds))
    return items[2].revents != 0
  }

  /// What became of handshakes since the last call.
  func takeHandshakes() -> [HandshakeMonitor.Event] { monitor.take() }

  /// Sends now, or keeps the message until the peer takes it; order is kept for each peer.
  func send(_ frames: [[UInt8]], to peer: [UInt8], isDroppable: Bool) {
    if backlog[peer] == nil && attempt(frames, peer) { return }
    guard !isDroppable else { return }
    backlog[peer, default: Waiting()].messages.append(frames)
    backlog[peer]!.bytes += frames.reduce(0) { $0 + $1.count }
    if backlog[peer]!.bytes > Self.backlogLimit { giveUp(peer) }
  }

  /// Sends what was held up, as far as it goes.
  func retry() {
    for peer in Array(backlog.keys) {
      let messages = backlog[peer]!.messages
      var sent = 0
      while sent < messages.count, attempt(messages[sent], peer) { sent += 1 }
      if sent == messages.count {
        backlog[peer] = nil
      } else if sent > 0 {
        backlog[peer]?.messages.removeFirst(sent)
        backlog[peer]?.bytes -= messages[..<sent].reduce(0) { $0 + $1.reduce(0) { $0 + $1.count } }
      }
    }
  }

  /// Peers whose connections were found gone since the last call.
  func takeUnreachable() -> [[UInt8]] {
    defer { unreachable = [] }
    return unreachable
  }

  /// Whether the message is dealt with: sent, or undeliverable for ever.
  private func attempt(_ frames: [[UInt8]], _ peer: [UInt8]) -> Bool {
    let all = isRouter ? [peer] + frames : frames
    for (index, frame) in all.enumerated() {
      let flags = ZMQ_DONTWAIT | (index + 1 < all.count ? ZMQ_SNDMORE : 0)
      while frame.withUnsafeBytes({ zmq_send(socket, $0.baseAddress, $0.count, flags) }) < 0 {
        switch zmq_errno() {
        case EINTR: continue
        case EAGAIN: return false  // only ever at the first frame: a message is taken whole
        case EHOSTUNREACH:
          giveUp(peer)
          return true
        case let code:
          preconditionFailure("ReactorSocket: sending failed: \(String(cString: zmq_strerror(code)))")
        }
      }
    }
    return true
  }

  private func giveUp(_ peer: [UInt8]) {
    backlog[peer] = nil
    unreachable.append(peer)
  }

  /// One whole message, if there is one, and the public key of its sender; empty without keys.
  func receive() -> (peer: [UInt8], frames: [[UInt8]], key: String)? {
    var frames: [[UInt8]] = []
    var key = ""
    while true {
      zmq_msg_init(message)
      var count: Int32
      repeat { count = zmq_msg_recv(message, socket, ZMQ_DONTWAIT) } while count < 0 && zmq_errno() == EINTR
      guard count >= 0 else {
        zmq_msg_close(message)
        return nil
      }
      if frames.count < Self.framesLimit {
        frames.append([UInt8](UnsafeRawBufferPointer(start: zmq_msg_data(message), count: zmq_msg_size(message))))
      }
      // The first frame of a router's message is the library's own, and does not carry the key.
      if key.isEmpty, !isRouter || frames.count > 1, let user = zmq_msg_gets(message, "User-Id") {
        key = String(cString: user)
      }
      let isMore = zmq_msg_more(message) != 0
      zmq_msg_close(message)
      if !isMore { break }
    }
    return isRouter ? (frames[0], Array(frames.dropFirst()), key) : ([], frames, key)
  }

  /// A new socket in place of the old one. What waited for the old connections is not sent on the new ones. A listener's
  /// callers connect again by themselves, if they still may.
  func reopen() {
    backlog = [:]
    close()
    // The address was good before, so only a lack of handles can stop this, or that the library has not quite let go of
    // the port: try until it works.
    while true {
      if let fresh = try? Self.open(address, isRouter: isRouter, options) {
        (socket, monitor) = fresh
        return
      }
      usleep(isRouter ? 10_000 : 100_000)
    }
  }

  func close() {
    monitor.stop(socket)
    zmq_close(socket)
    monitor.close()
  }
}
