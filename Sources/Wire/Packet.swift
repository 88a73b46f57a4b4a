/// A whole message as it travels: header, body, and raw frames (parts of files, float32 sums).
///
/// The frames on the wire are: [0] header, [1] body, [2…] raw, each raw frame at most 1 MiB.
public struct Packet: Sendable, Equatable {
  /// The largest raw frame: measured best on loopback, and small enough not to hold up a heartbeat.
  public static let frameLimit = 1 << 20
  /// The largest body.
  public static let bodyLimit = 1 << 20
  /// The most raw frames in one message: as many as a member of a group can have nodes for one piece of a sum.
  public static let framesLimit = 32

  /// Who sent it, to whom, and when.
  public var header: Header
  /// What it says.
  public var message: Message
  /// What it carries.
  public var frames: [[UInt8]]

  /// Makes a packet to be sent.
  ///
  /// - Traps: if there are more or larger raw frames than the limits say.
  public init(
    _ message: Message, frames: [[UInt8]] = [], sender: UInt64, session: UInt64, sequence: UInt64
  ) {
    precondition(
      frames.count <= Self.framesLimit && frames.allSatisfy { $0.count <= Self.frameLimit },
      "Packet: \(frames.count) raw frames are too many or too large")
    header = Header(kind: message.kind, sender: sender, session: session, sequence: sequence)
    self.message = message
    self.frames = frames
  }

  /// The frames for the socket.
  ///
  /// - Traps: if the body is larger than its limit, which is our own mistake.
  public func encoded() -> [[UInt8]] {
    let body = message.body.encoded()
    precondition(body.count <= Self.bodyLimit, "Packet: a \(message.kind) body has \(body.count) bytes")
    return [header.encoded(body: body, frames: frames.count), body] + frames
  }

  /// Reads and checks a message.
  ///
  /// - Throws: `WireError`; `ForeignVersion` for one of another protocol version, unless it is a `Refuse`.
  public static func decoded(_ raw: [[UInt8]]) throws -> Packet {
    guard raw.count >= 2, raw.count <= framesLimit + 2 else {
      throw WireError("a message has \(raw.count) frames instead of 2 to \(framesLimit + 2)")
    }
    guard raw[1].count <= bodyLimit, raw[2...].allSatisfy({ $0.count <= frameLimit }) else {
      throw WireError("a message has a frame of more than \(frameLimit) bytes")
    }
    let header = try Header.decoded(raw[0], body: raw[1], frames: raw.count - 2)
    guard header.version == Header.protocolVersion || header.kind == .refuse else {
      throw ForeignVersion(version: header.version, isHello: header.kind == .hello)
    }
    guard let kind = header.kind else { throw WireError("a message is of a kind that nobody knows") }
    guard header.sender != 0 else { throw WireError("a message does not say who sent it") }
    let message = try raw[1].withUnsafeBufferPointer { try Message(kind, $0) }
    guard raw.count - 2 == message.expectedFrames else {
      throw WireError("a \(kind) message has \(raw.count - 2) raw frames instead of \(message.expectedFrames)")
    }
    return Packet(decodedHeader: header, message: message, frames: Array(raw[2...]))
  }

  private init(decodedHeader: Header, message: Message, frames: [[UInt8]]) {
    header = decodedHeader
    self.message = message
    self.frames = frames
  }
}

/// A message of another protocol version.
public struct ForeignVersion: Error, Sendable, CustomStringConvertible {
  /// Its version.
  public let version: UInt16
  /// Whether somebody wants to join with it, and so deserves an answer.
  public let isHello: Bool
  /// One sentence.
  public var description: String { Self.sentence(version) }

  /// What to do about another protocol version.
  public static func sentence(_ version: UInt16) -> String {
    "the other side speaks protocol version \(version), this one \(Header.protocolVersion); "
      + "install the same version of unmask on both"
  }
}
