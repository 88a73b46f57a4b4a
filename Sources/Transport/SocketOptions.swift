import CZeroMQ

/// How sockets behave. The numbers come from measurements on libzmq 4.3.4; each says what its default would do.
public struct SocketOptions: Sendable {
  /// How a socket is protected.
  public enum Security: Sendable {
    /// Not at all: for addresses of this machine, or a network of one's own.
    case none
    /// A listener whose callers must have keys that the doorkeeper knows. Everything is encrypted.
    case keys(Doorkeeper)
    /// A listener whose callers must have keys that its coordinator has named to it. Everything is encrypted.
    case door(PeerDoor)
    /// A caller that shows its key, and talks only to the coordinator that the key's file names.
    case key(KeyFile)

    /// Who says at a listener who may come in; nil for callers, and without keys.
    var gatekeeper: (any Gatekeeper)? {
      switch self {
      case .keys(let doorkeeper): doorkeeper
      case .door(let door): door
      case .none, .key: nil
      }
    }
  }

  /// Messages that wait for one peer inside the library. 1000 frames of 1 MiB would be 1 GiB a peer.
  public var highWater: Int32 = 64
  /// The largest frame: a raw frame and some room. Checked before the library allocates.
  public var largestFrame: Int64 = (1 << 20) + (64 << 10)
  /// Milliseconds to finish a handshake; the default of 30 s lets idlers hold sockets.
  public var handshake: Int32 = 5_000
  /// Milliseconds to connect; by default a lost packet costs two minutes.
  public var connect: Int32 = 5_000
  /// First pause before connecting again, in milliseconds.
  public var reconnectFirst: Int32 = 100
  /// Longest pause before connecting again; the default does not lengthen pauses at all.
  public var reconnectLongest: Int32 = 2_000
  /// Milliseconds that sent data may stay unacknowledged by the other machine.
  public var unacknowledged: Int32 = 15_000
  /// Whether its messages go through the library's threads for bulk: heartbeats must not wait behind them.
  public var isBulk = false
  /// How the socket is protected.
  public var security: Security = .none

  /// ZMQ_ZAP_ENFORCE_DOMAIN: among the drafts of zmq.h, but in every library since 4.3.0.
  static let enforceDomain: Int32 = 93

  /// The options for real runs.
  public init() {}

  /// Sets all options; they take effect at the next bind or connect.
  func apply(to socket: UnsafeMutableRawPointer, isRouter: Bool, address: String) throws {
    func set(_ option: Int32, _ value: Int32) throws {
      var value = value
      try zmq("setting an option of", address) { zmq_setsockopt(socket, option, &value, MemoryLayout<Int32>.size) }
    }
    try set(ZMQ_LINGER, 0)  // the default waits for ever at the end
    try set(ZMQ_SNDHWM, highWater)
    try set(ZMQ_RCVHWM, highWater)
    var threads = isBulk ? ReactorSocket.bulkThreads : ReactorSocket.controlThreads
    try zmq("setting an option of", address) { zmq_setsockopt(socket, ZMQ_AFFINITY, &threads, 8) }
    var largest = largestFrame
    try zmq("setting an option of", address) {
      zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &largest, MemoryLayout<Int64>.size)
    }
    // Not the library's pings (ZMQ_HEARTBEAT_IVL): their timer ends the process with "Assertion failed: !_io_error" when
    // a line broke while its input waited. Our own heartbeats say who lives, TCP's who is gone.
    try set(ZMQ_HANDSHAKE_IVL, handshake)
    try set(ZMQ_CONNECT_TIMEOUT, connect)
    try set(ZMQ_TCP_MAXRT, unacknowledged)
    try set(ZMQ_TCP_KEEPALIVE, 1)
    try set(ZMQ_TCP_KEEPALIVE_IDLE, 10)
    try set(ZMQ_TCP_KEEPALIVE_INTVL, 3)
    try set(ZMQ_TCP_KEEPALIVE_CNT, 3)
    try set(ZMQ_RECONNECT_IVL, reconnectFirst)
    try set(ZMQ_RECONNECT_IVL_MAX, reconnectLongest)
    try set(ZMQ_BACKLOG, 512)
    if isRouter {
      try set(ZMQ_ROUTER_MANDATORY, 1)  // the default drops messages to unknown peers without a word
    } else {
      try set(ZMQ_IMMEDIATE, 1)  // the default keeps messages for the next coordinator, which must not get them
    }
    func text(_ option: Int32, _ value: String) throws {
      try zmq("setting a key of", address) { zmq_setsockopt(socket, option, value, value.utf8.count) }
    }
    if let gatekeeper = security.gatekeeper {
      try set(ZMQ_CURVE_SERVER, 1)
      try text(ZMQ_CURVE_SECRETKEY, gatekeeper.pair.secretKey)
      try text(ZMQ_ZAP_DOMAIN, gatekeeper.domain)
      try set(Self.enforceDomain, 1)  // by default a question that nobody answers lets everybody in
    } else if case .key(let key) = security {
      guard let coordinator = key.coordinator else {
        throw TransportError(
          "the key of \(key.name) does not say which coordinator it is for; make one with: unmask keys new")
      }
      try text(ZMQ_CURVE_SERVERKEY, coordinator)
      try text(ZMQ_CURVE_PUBLICKEY, key.pair.publicKey)
      try text(ZMQ_CURVE_SECRETKEY, key.pair.secretKey)
    }
  }
}
