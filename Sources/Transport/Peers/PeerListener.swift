import CZeroMQ
import Foundation
import Synchronization

/// Where one member of a group awaits the others, for one attempt: a socket of its own, and a key made for it.
public final class PeerListener: @unchecked Sendable {
  // The socket is handed from the thread that makes it to the one that makes a `PeerSocket` of it.
  let socket: UnsafeMutableRawPointer
  private let keys: PeerKeys?
  private var isTaken = false
  /// Where to connect: `tcp://ADDRESS:PORT`.
  public let address: String
  /// The key to expect there; empty without encryption.
  public var publicKey: String { keys?.pair.publicKey ?? "" }

  /// Listens at a free port.
  ///
  /// - Parameters:
  ///   - interface: the address of this machine that the others reach; see `LocalInterface`.
  ///   - isEncrypted: whether a key is made, and shown by everybody who connects.
  /// - Throws: `TransportError`.
  public convenience init(interface: String, isEncrypted: Bool) throws {
    if isEncrypted { try Self.refusal.get() }
    try self.init(at: interface, isEncrypted: isEncrypted)
  }

  /// Whether such a listener refuses who is no member, tried once a process before any address is given away.
  private static let refusal = Result {
    let listener = try PeerListener(at: "127.0.0.1", isEncrypted: true)
    listener.keys?.expected.withLock { $0 = [KeyPair.make().publicKey] }
    try SelfTest.run(on: listener.socket, address: listener.address, publicKey: listener.publicKey)
  }

  private init(at interface: String, isEncrypted: Bool) throws {
    let place = "tcp://\(interface):*"
    keys = isEncrypted ? PeerKeys() : nil
    guard let socket = zmq_socket(ReactorSocket.context, ZMQ_ROUTER) else {
      throw TransportError("opening a socket for", place, code: zmq_errno())
    }
    self.socket = socket
    do {
      try PeerSocket.setOptions(of: socket, place)
      var one: Int32 = 1
      try zmq("setting an option of", place) { zmq_setsockopt(socket, ZMQ_ROUTER_MANDATORY, &one, 4) }
      if let keys {
        Authentication.begin(keys)
        try zmq("setting a key of", place) { zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &one, 4) }
        try zmq("setting a key of", place) { zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, keys.pair.secretKey, 40) }
        try zmq("setting a key of", place) {
          zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, keys.domain, keys.domain.utf8.count)
        }
        try zmq("setting a key of", place) { zmq_setsockopt(socket, SocketOptions.enforceDomain, &one, 4) }
      }
      try zmq("listening on", place) { zmq_bind(socket, place) }
      address = ReactorSocket.boundAddress(of: socket) ?? place
    } catch {
      zmq_close(socket)
      if let keys { Authentication.end(keys) }
      throw error
    }
  }

  deinit {
    if !isTaken { zmq_close(socket) }
    if let keys { Authentication.end(keys) }
  }

  /// Lets the holders of these keys in from now on, and refuses all others.
  func admit(_ publicKeys: Set<String>) {
    isTaken = true
    keys?.expected.withLock { $0 = publicKeys }
  }

  /// The key pair that this member shows to others.
  var pair: KeyPair? { keys?.pair }
}

/// The keys of one attempt's members. Until they are known everybody is put off.
private final class PeerKeys: Gatekeeper {
  let pair = KeyPair.make()
  let domain = "unmask-\(UInt64.random(in: 0...UInt64.max))"
  let expected = Mutex<Set<String>?>(nil)

  func verdict(on publicKey: String, from address: String) -> Verdict {
    guard let known = expected.withLock({ $0 }) else { return .tryAgain }
    return known.contains(publicKey) ? .admitted : .refused
  }
}

/// Which address of this machine others reach it at.
public enum LocalInterface {
  /// The address that this machine uses towards a coordinator; the loopback for one on this machine.
  ///
  /// The system's routes decide, as they do for the connection itself, so that no name has to be resolved elsewhere.
  public static func address(towards coordinator: String) -> String {
    let loopback = "127.0.0.1"
    guard coordinator.hasPrefix("tcp://"), let colon = coordinator.lastIndex(of: ":") else { return loopback }
    let host = coordinator[..<colon].dropFirst(6).trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, "9", &hints, &found) == 0, let first = found else { return loopback }
    defer { freeaddrinfo(found) }
    let handle = socket(first.pointee.ai_family, Int32(SOCK_DGRAM.rawValue), 0)
    guard handle >= 0 else { return loopback }
    defer { close(handle) }
    // Connecting a datagram socket sends nothing: it only asks for the route.
    guard connect(handle, first.pointee.ai_addr, first.pointee.ai_addrlen) == 0 else { return loopback }
    var own = sockaddr_storage()
    var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
    var name = [CChar](repeating: 0, count: 64)
    let isKnown = withUnsafeMutablePointer(to: &own) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        getsockname(handle, address, &size) == 0
          && getnameinfo(address, size, &name, 64, nil, 0, NI_NUMERICHOST) == 0
      }
    }
    guard isKnown else { return loopback }
    let text = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return text.contains(":") ? "[\(text)]" : text
  }
}
