import CZeroMQ
import Dispatch
import Glibc
import Synchronization

/// The connections between the members of a group: one to every other member, which both use. The higher rank connects.
///
/// - Thread: one thread at a time; no call blocks but `wait`.
public final class PeerSocket {
  /// A message that arrived: a header, and what it carries, which stays in the library's memory.
  public final class Arrival {
    /// Who sent it.
    public let rank: Int
    /// The header's bytes.
    public let header: [UInt8]
    private let message: UnsafeMutablePointer<zmq_msg_t>

    fileprivate init(rank: Int, header: [UInt8], message: UnsafeMutablePointer<zmq_msg_t>) {
      (self.rank, self.header, self.message) = (rank, header, message)
    }

    deinit {
      zmq_msg_close(message)
      message.deallocate()
    }

    /// What the message carries; valid as long as the arrival.
    public var payload: UnsafeRawBufferPointer {
      UnsafeRawBufferPointer(start: zmq_msg_data(message), count: zmq_msg_size(message))
    }
  }

  /// What is being sent of some memory: the memory's owner is kept alive until the library is done with it.
  public final class Sending: Sendable {
    private let owner: (any Sendable & AnyObject)?
    private let count = Atomic(0)
    private let left = DispatchSemaphore(value: 0)

    /// Nothing is being sent yet.
    public init(owner: (any Sendable & AnyObject)?) { self.owner = owner }

    /// Whether every message has left, so that the memory may be changed.
    public var isOver: Bool { count.load(ordering: .acquiring) == 0 }

    /// Waits until every message has left, at most so many milliseconds.
    public func wait(_ milliseconds: Int) {
      if !isOver { _ = left.wait(timeout: .now() + .milliseconds(milliseconds)) }
    }

    fileprivate func begin() -> UnsafeMutableRawPointer {
      count.add(1, ordering: .relaxed)
      return Unmanaged.passRetained(self).toOpaque()
    }

    fileprivate static func end(_ hint: UnsafeMutableRawPointer?) {
      let sending = Unmanaged<Sending>.fromOpaque(hint!)
      sending.takeUnretainedValue().end()
      sending.release()
    }

    private func end() {
      if count.subtract(1, ordering: .acquiringAndReleasing).newValue == 0 { left.signal() }
    }
  }

  /// Another member, or this one.
  public struct Member: Sendable, Equatable {
    /// Where it listens.
    public var address: String
    /// Its key; empty without encryption.
    public var publicKey: String

    /// Names a member.
    public init(address: String, publicKey: String) { (self.address, self.publicKey) = (address, publicKey) }
  }

  /// The largest message that is taken: a frame and some room.
  public static let largestFrame = (1 << 20) + (64 << 10)

  // Frames arrive in the C library's memory, which would go back to the system with almost every frame: then a tenth of an
  // exchange was clearing new pages. A process keeps up to 64 MiB of what it has freed.
  private static let keepsPages: Void = {
    mallopt(M_MMAP_THRESHOLD, 4 << 20)
    mallopt(M_TRIM_THRESHOLD, 64 << 20)
  }()

  private let rank: Int
  private let members: [Member]
  private let secret: UInt64
  private let listener: PeerListener
  private var callers: [UnsafeMutableRawPointer?]
  private var routes: [[UInt8]?]
  private var items: [zmq_pollitem_t] = []
  /// A member that `greet` has found no connection to yet, of those that this one connects to.
  public private(set) var unreached: Int?
  private var reached: Set<Int> = []

  /// Connects to the others; messages can be sent as soon as they are there.
  ///
  /// - Parameters:
  ///   - members: all, by rank, this one included.
  ///   - secret: a number that only members know: who cannot say it is not heard.
  /// - Throws: `TransportError`.
  public init(_ listener: PeerListener, rank: Int, members: [Member], secret: UInt64) throws {
    (self.rank, self.members, self.secret, self.listener) = (rank, members, secret, listener)
    callers = Array(repeating: nil, count: members.count)
    routes = Array(repeating: nil, count: members.count)
    Self.keepsPages
    listener.admit(Set(members.map(\.publicKey)))
    items = [zmq_pollitem_t(socket: listener.socket, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0)]
    for other in 0..<rank {
      let place = members[other].address
      guard let socket = zmq_socket(ReactorSocket.context, ZMQ_DEALER) else {
        throw TransportError("opening a socket for", place, code: zmq_errno())
      }
      callers[other] = socket
      try Self.setOptions(of: socket, place)
      var one: Int32 = 1
      try zmq("setting an option of", place) { zmq_setsockopt(socket, ZMQ_IMMEDIATE, &one, 4) }
      if let pair = listener.pair {
        for (option, text) in [
          (ZMQ_CURVE_SERVERKEY, members[other].publicKey), (ZMQ_CURVE_PUBLICKEY, pair.publicKey),
          (ZMQ_CURVE_SECRETKEY, pair.secretKey),
        ] { try zmq("setting a key of", place) { zmq_setsockopt(socket, option, text, text.utf8.count) } }
      }
      try zmq("connecting to", place) { zmq_connect(socket, place) }
      items.append(zmq_pollitem_t(socket: socket, fd: 0, events: Int16(ZMQ_POLLIN), revents: 0))
    }
  }

  deinit {
    for case let socket? in callers { zmq_close(socket) }
    zmq_close(listener.socket)
  }

  static func setOptions(of socket: UnsafeMutableRawPointer, _ place: String) throws {
    let options: [(Int32, Int32)] = [
      (ZMQ_LINGER, 0), (ZMQ_SNDHWM, 64), (ZMQ_RCVHWM, 64), (ZMQ_HANDSHAKE_IVL, 5_000), (ZMQ_CONNECT_TIMEOUT, 5_000),
      (ZMQ_TCP_MAXRT, 15_000), (ZMQ_TCP_KEEPALIVE, 1), (ZMQ_TCP_KEEPALIVE_IDLE, 30), (ZMQ_TCP_KEEPALIVE_INTVL, 10),
      (ZMQ_TCP_KEEPALIVE_CNT, 3), (ZMQ_RECONNECT_IVL, 20), (ZMQ_RECONNECT_IVL_MAX, 500),
    ]
    // No pings: a thread that computes reads nothing for a while, and would look dead. Who is gone, the coordinator says.
    for (option, value) in options {
      var value = value
      try zmq("setting an option of", place) { zmq_setsockopt(socket, option, &value, 4) }
    }
    var largest = Int64(largestFrame)
    try zmq("setting an option of", place) { zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &largest, 8) }
    var threads: UInt64 = ReactorSocket.bulkThreads
    try zmq("setting an option of", place) { zmq_setsockopt(socket, ZMQ_AFFINITY, &threads, 8) }
  }

  /// Waits until something arrives, at most so many milliseconds.
  public func wait(_ milliseconds: Int) {
    _ = zmq_poll(&items, Int32(items.count), milliseconds)
  }

  /// Makes the others know which connection is whose: each greets those that it has connected to.
  ///
  /// - Returns: whether all are connected; if not, call again.
  public func greet() -> Bool {
    var isComplete = true
    unreached = nil
    for other in members.indices where other != rank {
      if other < rank {
        guard routes[other] == nil else { continue }
        // The answer says that the connection is whole; until then the greeting is repeated.
        if send(Array("greeting".utf8), to: other) { reached.insert(other) }
        if !reached.contains(other), unreached == nil { unreached = other }
        isComplete = false
      } else if routes[other] == nil {
        isComplete = false
      }
    }
    return isComplete
  }

  /// Sends a message of a header alone, or with what it carries.
  ///
  /// - Parameter sending: counts the payload until it has left; its bytes must not change before. Without one, and if it is
  ///   short, it is copied.
  /// - Returns: false if the connection is not there, or takes nothing now.
  public func send(
    _ header: [UInt8], _ payload: UnsafeRawBufferPointer? = nil, _ sending: Sending? = nil, to other: Int
  ) -> Bool {
    let socket: UnsafeMutableRawPointer
    if let caller = callers[other] {
      socket = caller
    } else {
      guard let route = routes[other] else { return false }
      socket = listener.socket
      guard put(route, on: socket, more: true) else { return false }
    }
    var stamped = withUnsafeBytes(of: secret.littleEndian) { [UInt8]($0) }
    stamped += withUnsafeBytes(of: UInt32(rank).littleEndian) { [UInt8]($0) }
    stamped += header
    guard put(stamped, on: socket, more: payload != nil) else { return false }
    guard let payload else { return true }
    var message = zmq_msg_t()
    if let sending, payload.count > 16_384 {
      zmq_msg_init_data(
        &message, UnsafeMutableRawPointer(mutating: payload.baseAddress), payload.count,
        { _, hint in Sending.end(hint) }, sending.begin())
    } else {
      zmq_msg_init_size(&message, payload.count)
      if payload.count > 0 { zmq_msg_data(&message).copyMemory(from: payload.baseAddress!, byteCount: payload.count) }
    }
    while zmq_msg_send(&message, socket, ZMQ_DONTWAIT) < 0 {
      if zmq_errno() == EINTR { continue }
      zmq_msg_close(&message)
      return false
    }
    return true
  }

  private func put(_ bytes: [UInt8], on socket: UnsafeMutableRawPointer, more: Bool) -> Bool {
    let flags = ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)
    while bytes.withUnsafeBytes({ zmq_send(socket, $0.baseAddress, $0.count, flags) }) < 0 {
      if zmq_errno() != EINTR { return false }
    }
    return true
  }

  /// The next message, if there is one. Who is no member is not heard.
  public func receive() -> Arrival? {
    for index in items.indices {
      let socket = items[index].socket!
      while let (route, header, key, payload) = receive(from: socket, isListener: index == 0) {
        if let arrival = accept(route, header, key, payload) { return arrival }
      }
    }
    return nil
  }

  private func receive(
    from socket: UnsafeMutableRawPointer, isListener: Bool
  ) -> (route: [UInt8], header: [UInt8], key: String, payload: UnsafeMutablePointer<zmq_msg_t>)? {
    var (route, header): ([UInt8], [UInt8]) = ([], [])
    var key = ""
    var index = isListener ? 0 : 1
    let message = UnsafeMutablePointer<zmq_msg_t>.allocate(capacity: 1)
    zmq_msg_init(message)
    while true {
      var count: Int32
      repeat { count = zmq_msg_recv(message, socket, ZMQ_DONTWAIT) } while count < 0 && zmq_errno() == EINTR
      guard count >= 0 else {
        zmq_msg_close(message)
        message.deallocate()
        return nil
      }
      let isMore = zmq_msg_more(message) != 0
      if index < 2 {
        let count = min(zmq_msg_size(message), 256)
        let bytes = [UInt8](UnsafeRawBufferPointer(start: zmq_msg_data(message), count: count))
        if index == 0 { route = bytes } else { header = bytes }
        if index == 1, let user = zmq_msg_gets(message, "User-Id") { key = String(cString: user) }
      }
      index += 1
      if !isMore { return (route, header, key, message) }
      zmq_msg_close(message)
      zmq_msg_init(message)
    }
  }

  private func accept(
    _ route: [UInt8], _ header: [UInt8], _ key: String, _ payload: UnsafeMutablePointer<zmq_msg_t>
  ) -> Arrival? {
    let arrival: Arrival? = header.withUnsafeBytes { bytes in
      guard bytes.count >= 12, UInt64(littleEndian: bytes.loadUnaligned(as: UInt64.self)) == secret else { return nil }
      let other = Int(UInt32(littleEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt32.self)))
      guard members.indices.contains(other), other != rank else { return nil }
      // A connection belongs to the key that it was made with; what it says its rank is must fit.
      if !route.isEmpty, !members[other].publicKey.isEmpty, members[other].publicKey != key { return nil }
      return Arrival(rank: other, header: Array(header[12...]), message: payload)
    }
    guard let arrival else {
      zmq_msg_close(payload)
      payload.deallocate()
      return nil
    }
    if arrival.header == Array("greeting".utf8) {
      if arrival.rank > rank {
        routes[arrival.rank] = route
        _ = send(Array("greeting".utf8), to: arrival.rank)
      } else {
        routes[arrival.rank] = []
      }
      return nil
    }
    return arrival
  }
}
