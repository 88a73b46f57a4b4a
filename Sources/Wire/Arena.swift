import CWire

// The bridge between message values and protobuf-c's structs. `Arena` owns the C memory of one message being encoded;
// `WireBody` is what every message value can do; the free functions below check what was decoded.

/// A value with a protobuf-c body.
protocol WireBody: Sendable, Equatable {
  associatedtype Raw
  /// protobuf-c's description of `Raw`.
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { get }
  /// Writes the fields into an initialised `Raw`; memory comes from the arena.
  func fill(_ raw: inout Raw, _ arena: Arena)
  /// Reads and checks the fields.
  init(reading raw: Raw) throws
}

/// What a decoder may allocate for one body: four times the largest frame.
let decodeLimit = 4 << 20

extension WireBody {
  /// The body's bytes.
  func encoded() -> [UInt8] {
    let arena = Arena()
    return arena.construct(self).withMemoryRebound(to: ProtobufCMessage.self, capacity: 1) { message in
      let count = protobuf_c_message_get_packed_size(message)
      return [UInt8](unsafeUninitializedCapacity: count) { buffer, written in
        written = protobuf_c_message_pack(message, buffer.baseAddress)
      }
    }
  }

  /// Reads a body.
  ///
  /// - Throws: `WireError`.
  static func decoded(_ bytes: UnsafeBufferPointer<UInt8>) throws -> Self {
    guard let message = unmask_unpack(type, bytes.baseAddress, bytes.count, decodeLimit) else {
      throw WireError("a \(Self.self) body of \(bytes.count) bytes cannot be decoded")
    }
    defer { unmask_release(message) }
    return try Self(reading: UnsafeRawPointer(message).load(as: Raw.self))
  }
}

/// Owns the C memory of one message until it is packed.
final class Arena {
  private var owned: [UnsafeMutableRawPointer] = []

  deinit { for pointer in owned { pointer.deallocate() } }

  private func allocate<T>(_ type: T.Type, _ count: Int) -> UnsafeMutablePointer<T> {
    let pointer = UnsafeMutableRawPointer.allocate(
      byteCount: max(1, count * MemoryLayout<T>.stride), alignment: MemoryLayout<T>.alignment)
    owned.append(pointer)
    return pointer.bindMemory(to: type, capacity: count)
  }

  /// A C struct with the value's fields.
  func construct<Body: WireBody>(_ body: Body) -> UnsafeMutablePointer<Body.Raw> {
    let pointer = allocate(Body.Raw.self, 1)
    protobuf_c_message_init(Body.type, pointer)
    body.fill(&pointer.pointee, self)
    return pointer
  }

  /// A part of another message, if there is one.
  func make<Body: WireBody>(_ body: Body?) -> UnsafeMutablePointer<Body.Raw>? { body.map { construct($0) } }

  /// A repeated part.
  func make<Body: WireBody>(
    _ bodies: [Body]
  ) -> (count: Int, pointers: UnsafeMutablePointer<UnsafeMutablePointer<Body.Raw>?>?) {
    let pointers = allocate(UnsafeMutablePointer<Body.Raw>?.self, bodies.count)
    for (index, body) in bodies.enumerated() { (pointers + index).initialize(to: construct(body)) }
    return (bodies.count, pointers)
  }

  /// A text. Longer ones are cut at a character, so that a long error never makes a message undecodable.
  func text(_ text: String, limit: Int = Limits.name) -> ProtobufCBinaryData {
    var utf8 = Array(text.utf8)
    if utf8.count > limit {
      var end = limit
      while end > 0, utf8[end] & 0xC0 == 0x80 { end -= 1 }
      utf8.removeSubrange(end...)
    }
    let pointer = allocate(UInt8.self, utf8.count)
    pointer.initialize(from: utf8, count: utf8.count)
    return ProtobufCBinaryData(len: utf8.count, data: pointer)
  }

  /// Repeated texts.
  func texts(_ texts: [String]) -> (count: Int, data: UnsafeMutablePointer<ProtobufCBinaryData>?) {
    let pointer = allocate(ProtobufCBinaryData.self, texts.count)
    for (index, text) in texts.enumerated() { (pointer + index).initialize(to: self.text(text)) }
    return (texts.count, pointer)
  }
}

/// Bounds of what a message may say, in bytes and counts.
enum Limits {
  static let name = 512
  static let sentence = 8_192
  static let argument = 65_536
  static let jobs = 10_000
  static let leases = 4_096
  static let artifacts = 10_000
  static let members = 256
  static let shards = 4_096
  static let views = 1 << 20
}

/// A decoded text: valid UTF-8 of bounded length.
func text(_ data: ProtobufCBinaryData, _ field: String, limit: Int = Limits.name) throws -> String {
  guard data.len <= limit else { throw WireError("\(field) has \(data.len) bytes, more than \(limit)") }
  guard let text = String(validating: UnsafeBufferPointer(start: data.data, count: data.len), as: UTF8.self) else {
    throw WireError("\(field) is not UTF-8")
  }
  return text
}

/// A text that must say something.
func word(_ data: ProtobufCBinaryData, _ field: String) throws -> String {
  let word = try text(data, field)
  guard !word.isEmpty else { throw WireError("\(field) is empty") }
  return word
}

/// Decoded repeated texts.
func texts(
  _ count: Int, _ data: UnsafeMutablePointer<ProtobufCBinaryData>?, _ field: String, limit: Int
) throws -> [String] {
  guard count <= limit else { throw WireError("\(field) has \(count) entries, more than \(limit)") }
  return try UnsafeBufferPointer(start: data, count: count).map { try text($0, field) }
}

/// Decoded repeated parts.
func parts<Body: WireBody>(
  _ count: Int, _ pointers: UnsafeMutablePointer<UnsafeMutablePointer<Body.Raw>?>?, _ field: String, limit: Int
) throws -> [Body] {
  guard count <= limit else { throw WireError("\(field) has \(count) entries, more than \(limit)") }
  return try UnsafeBufferPointer(start: pointers, count: count).map { try part($0, field) }
}

/// A decoded part that must be there.
func part<Body: WireBody>(_ pointer: UnsafeMutablePointer<Body.Raw>?, _ field: String) throws -> Body {
  guard let pointer else { throw WireError("\(field) is missing") }
  return try Body(reading: pointer.pointee)
}

/// A decoded number inside a range.
func number(_ value: some BinaryInteger, _ field: String, in range: ClosedRange<Int>) throws -> Int {
  guard let value = Int(exactly: value), range.contains(value) else {
    throw WireError("\(field) is \(value), outside \(range.lowerBound)...\(range.upperBound)")
  }
  return value
}

/// A decoded case of an enumeration.
func choice<Choice: RawRepresentable>(_ value: UInt32, _ field: String) throws -> Choice
where Choice.RawValue == UInt32 {
  guard let choice = Choice(rawValue: value) else { throw WireError("\(field) is \(value), which nobody knows") }
  return choice
}

/// The largest number that a count or an offset may have on the wire.
let largeNumber = 1 << 53
