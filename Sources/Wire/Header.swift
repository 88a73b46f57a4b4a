import CWire

/// The first frame of every message: 56 bytes, little-endian, the same layout in every version.
///
///     0 magic "UNMK"   4 version u16   6 kind u16   8 sender u64   16 session u64   24 sequence u64
///     32 body bytes u32   36 body CRC-32C u32   40 raw frames u32   44 reserved u64   52 CRC-32C of the 52 bytes before
public struct Header: Sendable, Equatable {
  /// The version of this protocol. Both sides must have the same one; only `Refuse` is read across versions.
  public static let protocolVersion: UInt16 = 6
  /// Bytes of the frame.
  public static let size = 56
  static let magic: UInt32 = 0x4B4D_4E55  // "UNMK" in memory

  /// The sender's protocol version.
  public var version: UInt16
  /// What the body is; nil if this version does not know it.
  public var kind: MessageKind?
  /// The sender's incarnation: a number drawn at the start of its process.
  public var sender: UInt64
  /// The receiver's incarnation, as the sender knows it; 0 before it does. A message meant for an earlier process is
  /// told by it.
  public var session: UInt64
  /// Counts the sender's messages, so that a repeated one is told.
  public var sequence: UInt64

  /// Describes a message to be sent.
  public init(kind: MessageKind, sender: UInt64, session: UInt64, sequence: UInt64) {
    version = Self.protocolVersion
    self.kind = kind
    self.sender = sender
    self.session = session
    self.sequence = sequence
  }

  func encoded(body: [UInt8], frames: Int) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.size)
    func put<T: FixedWidthInteger>(_ value: T) {
      withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }
    put(Self.magic)
    put(version)
    put(kind?.rawValue ?? 0)
    put(sender)
    put(session)
    put(sequence)
    put(UInt32(body.count))
    put(crc32c(body))
    put(UInt32(frames))
    put(UInt64(0))
    put(crc32c(bytes))
    return bytes
  }

  /// Reads and checks a header and the body's length and sum.
  static func decoded(_ bytes: [UInt8], body: [UInt8], frames: Int) throws -> Header {
    guard bytes.count == size else { throw WireError("a header has \(bytes.count) bytes instead of \(size)") }
    func get<T: FixedWidthInteger>(_ offset: Int, _ type: T.Type) -> T {
      T(littleEndian: bytes.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: T.self) })
    }
    guard get(0, UInt32.self) == magic else { throw WireError("the message is not one of Unmask's") }
    guard get(52, UInt32.self) == crc32c(Array(bytes[..<52])) else { throw WireError("a header is damaged") }
    guard get(32, UInt32.self) == body.count, get(36, UInt32.self) == crc32c(body) else {
      throw WireError("a body is damaged")
    }
    guard get(40, UInt32.self) == frames else { throw WireError("a message has lost raw frames") }
    var header = Header(
      kind: .reset, sender: get(8, UInt64.self), session: get(16, UInt64.self), sequence: get(24, UInt64.self))
    header.version = get(4, UInt16.self)
    header.kind = MessageKind(rawValue: get(6, UInt16.self))
    return header
  }
}

/// CRC-32C (Castagnoli) of bytes: guards frames against damage, not against malice.
public func crc32c(_ bytes: [UInt8]) -> UInt32 {
  bytes.withUnsafeBytes { unmask_crc32c(0, $0.baseAddress, $0.count) }
}
