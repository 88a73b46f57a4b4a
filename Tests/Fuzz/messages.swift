// A fuzzer of the message decoder. Scripts/fuzz compiles it together with Sources/Wire as one module, with libFuzzer's
// coverage feedback; it is no target of the package.

/// libFuzzer's entry point.
@_cdecl("LLVMFuzzerTestOneInput")
public func decodeOne(_ pointer: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
  decodeMessage(Array(UnsafeBufferPointer(start: pointer, count: size)))
  return 0
}

/// Frames, each after two bytes of its length. Header checksums are made right, so that bodies are reached.
private func decodeMessage(_ bytes: [UInt8]) {
  var frames: [[UInt8]] = []
  var rest = bytes[...]
  while rest.count >= 2 {
    let count = Int(rest[rest.startIndex]) | Int(rest[rest.startIndex + 1]) << 8
    rest = rest.dropFirst(2)
    frames.append(Array(rest.prefix(count)))
    rest = rest.dropFirst(count)
  }
  guard frames.count >= 2, frames[0].count == Header.size else { return }
  func put(_ value: UInt32, _ offset: Int) {
    for index in 0..<4 { frames[0][offset + index] = UInt8(truncatingIfNeeded: value >> (8 * index)) }
  }
  put(0x4B4D_4E55, 0)
  put(UInt32(frames[1].count), 32)
  put(crc32c(frames[1]), 36)
  put(UInt32(frames.count - 2), 40)
  put(crc32c(Array(frames[0][..<52])), 52)
  guard let packet = try? Packet.decoded(frames) else { return }
  // What was accepted can be said again, and means the same. (Bytes, since a metric may be no number.)
  let said = packet.encoded()
  guard let again = try? Packet.decoded(said) else { fatalError("not readable again: \(packet.message)") }
  guard again.encoded() == said else { fatalError("changed on its way: \(packet.message)") }
}
