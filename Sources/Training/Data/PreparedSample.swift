/// One sample decoded and resized for one kind of model, as the cache keeps it: ready to be cut into parts, not yet
/// augmented and not yet normalised.
///
/// - Shapes: frames `[F, H, W, 3]` bytes; clips `[K, T, H, W, 3]` bytes; log-mel `[mels, T]` floats; cepstra
///   `[features]` floats; a waveform `[samples]` floats.
public struct PreparedSample: Sendable, Equatable {
  /// The elements, row by row.
  public enum Content: Sendable, Equatable {
    case bytes([UInt8])
    case floats([Float])
  }

  /// Lengths of the axes.
  public let shape: [Int]
  /// The elements.
  public let content: Content
  /// What was remarkable, in words that many samples share; usually empty. 1000 bytes at most are kept.
  public private(set) var note = ""

  /// Makes a sample of bytes.
  public init(_ bytes: [UInt8], shape: [Int], note: String = "") {
    precondition(bytes.count == shape.reduce(1, *), "PreparedSample: \(bytes.count) elements for \(shape)")
    (self.shape, content, self.note) = (shape, .bytes(bytes), note)
  }

  /// Makes a sample of floats.
  public init(_ floats: [Float], shape: [Int]) {
    precondition(floats.count == shape.reduce(1, *), "PreparedSample: \(floats.count) elements for \(shape)")
    (self.shape, content) = (shape, .floats(floats))
  }

  /// The same with a note.
  func noting(_ note: String) -> PreparedSample {
    var noted = self
    noted.note = note
    return noted
  }

  var bytes: [UInt8] {
    guard case .bytes(let bytes) = content else { preconditionFailure("PreparedSample: floats where bytes belong") }
    return bytes
  }

  var floats: [Float] {
    guard case .floats(let floats) = content else { preconditionFailure("PreparedSample: bytes where floats belong") }
    return floats
  }
}

extension PreparedSample {
  private static let magic = Array("UNMASKS1".utf8)
  private static let headerSize = 64
  private static let longestNote = 1000

  /// The cache file: magic, checksum of everything behind it, kind, rank, up to five lengths, the elements, the note.
  func encoded() -> [UInt8] {
    let elements: [UInt8]
    switch content {
    case .bytes(let bytes): elements = bytes
    case .floats(let floats): elements = floats.withUnsafeBytes { Array($0) }
    }
    var words = [UInt64](repeating: 0, count: 6)
    if case .floats = content { words[0] = 1 }
    let note = note.utf8.count <= Self.longestNote ? Array(note.utf8) : []
    words[0] |= UInt64(shape.count) << 8 | UInt64(note.count) << 16
    for (axis, length) in shape.prefix(5).enumerated() { words[axis + 1] = UInt64(length) }
    var body = words.withUnsafeBytes { Array($0) }
    body += elements
    body += note
    let sum = Self.checksum(body[...])
    return Self.magic + withUnsafeBytes(of: sum.littleEndian) { Array($0) } + body
  }

  /// Reads a cache file; nil when it is damaged in any way.
  init?(encoded file: [UInt8]) {
    guard file.count >= Self.headerSize, file.starts(with: Self.magic) else { return nil }
    func word(_ index: Int) -> UInt64 {
      file.withUnsafeBytes { UInt64(littleEndian: $0.loadUnaligned(fromByteOffset: 8 * index, as: UInt64.self)) }
    }
    guard Self.checksum(file[16...]) == word(1) else { return nil }
    let (isFloat, rank, noteSize) = (word(2) & 0xFF == 1, Int(word(2) >> 8 & 0xFF), Int(word(2) >> 16 & 0xFFFF))
    guard rank <= 5, noteSize <= min(Self.longestNote, file.count - Self.headerSize) else { return nil }
    let shape = (0..<rank).map { Int(truncatingIfNeeded: word(3 + $0)) }
    var count = 1
    for length in shape {
      let (product, overflow) = count.multipliedReportingOverflow(by: length)
      guard length >= 0, !overflow else { return nil }
      count = product
    }
    let end = file.count - noteSize
    let elements = end - Self.headerSize
    guard count <= elements, elements == count * (isFloat ? 4 : 1) else { return nil }
    if isFloat {
      let floats = [Float](unsafeUninitializedCapacity: count) { buffer, initialized in
        file.withUnsafeBytes { UnsafeMutableRawBufferPointer(buffer).copyBytes(from: $0[Self.headerSize..<end]) }
        initialized = count
      }
      self.init(floats, shape: shape)
    } else {
      self.init(Array(file[Self.headerSize..<end]), shape: shape)
    }
    note = String(decoding: file[end...], as: UTF8.self)
  }

  /// A 64-bit sum that any flipped, lost or moved word changes. It finds accidents, not attacks.
  private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.withUnsafeBytes { bytes in
      var sum: UInt64 = 0xCBF2_9CE4_8422_2325 ^ UInt64(bytes.count)
      let words = bytes.count / 8
      for index in 0..<words {
        let word = bytes.loadUnaligned(fromByteOffset: 8 &* index, as: UInt64.self)
        sum = (sum ^ word) &* 0x9E37_79B9_7F4A_7C15
        sum ^= sum >> 29
      }
      for index in (8 * words)..<bytes.count { sum = (sum ^ UInt64(bytes[index])) &* 0x100_0000_01B3 }
      return sum
    }
  }
}
