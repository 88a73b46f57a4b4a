import Tensor

/// What a safetensors header says about one tensor.
struct HeaderEntry: Equatable {
  var name: String
  var type: String
  var shape: [Int]
  var range: Range<Int>
}

/// The header of a safetensors file: strict JSON of two fixed levels, from bytes that nobody vouches for. It allocates in
/// proportion to the bytes that are really there, whatever numbers they state.
struct Header: Equatable {
  var metadata: [String: String] = [:]
  var entries: [HeaderEntry] = []

  /// - Throws: `HeaderProblem` for anything but a header whose tensors fill `dataLength` bytes one after the other.
  init(_ bytes: UnsafeRawBufferPointer, dataLength: Int) throws(HeaderProblem) {
    var scanner = Scanner(bytes)
    var seen: Set<String> = []
    try scanner.object { (scanner, name) throws(HeaderProblem) in
      guard seen.insert(name).inserted else { throw HeaderProblem("tensor \(quoted(name)) is listed twice") }
      if name == "__metadata__" {
        try scanner.object { (scanner, key) throws(HeaderProblem) in metadata[key] = try scanner.string() }
      } else {
        entries.append(try Header.entry(named: name, &scanner))
      }
    }
    guard scanner.isAtEnd else { throw HeaderProblem("the header goes on after its closing brace") }
    entries.sort { ($0.range.lowerBound, $0.range.upperBound) < ($1.range.lowerBound, $1.range.upperBound) }
    var end = 0
    for entry in entries {
      guard entry.range.lowerBound == end else {
        throw HeaderProblem("tensor \(quoted(entry.name)) begins at byte \(entry.range.lowerBound), expected \(end)")
      }
      end = entry.range.upperBound
    }
    guard end == dataLength else { throw HeaderProblem("tensors take \(end) bytes but the file has \(dataLength)") }
  }

  private static func entry(named name: String, _ scanner: inout Scanner) throws(HeaderProblem) -> HeaderEntry {
    var type: String?
    var shape: [Int]?
    var offsets: [Int]?
    try scanner.object { (scanner, key) throws(HeaderProblem) in
      switch key {
      case "dtype": type = try scanner.string()
      case "shape": shape = try scanner.integers(atMost: 8)
      case "data_offsets": offsets = try scanner.integers(atMost: 2)
      default: throw HeaderProblem("tensor \(quoted(name)) has an unknown field \(quoted(key))")
      }
    }
    guard let type, let shape, let offsets, offsets.count == 2, offsets[0] <= offsets[1] else {
      throw HeaderProblem("tensor \(quoted(name)) lacks a dtype, a shape or two ordered data_offsets")
    }
    guard let size = elementSizes[type] else { throw HeaderProblem("tensor \(quoted(name)) has unknown dtype \(type)") }
    // An empty tensor may have other axes whose product no number holds; strides are made of them.
    var extent = size
    for length in shape {
      let (product, overflow) = extent.multipliedReportingOverflow(by: max(1, length))
      guard !overflow else { throw HeaderProblem("tensor \(quoted(name)) has an impossible shape \(shape)") }
      extent = product
    }
    let bytes = shape.contains(0) ? 0 : extent
    guard bytes == offsets[1] - offsets[0] else {
      throw HeaderProblem(
        "tensor \(quoted(name)) of \(type) \(shape) needs \(bytes) bytes but has \(offsets[1] - offsets[0])")
    }
    return HeaderEntry(name: name, type: type, shape: shape, range: offsets[0]..<offsets[1])
  }
}

/// Bytes of an element of every type of the format, those that we cannot compute with included.
private let elementSizes = [
  "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1, "U64": 8, "U32": 4, "U16": 2, "U8": 1,
  "BOOL": 1, "F8_E4M3": 1, "F8_E5M2": 1,
]

/// What is wrong with a header.
struct HeaderProblem: Error {
  let reason: String
  init(_ reason: String) { self.reason = reason }
}

/// A name from the file, shortened and safe to print.
func quoted(_ name: String) -> String {
  let visible = String(
    name.unicodeScalars.prefix(80).map { $0.properties.generalCategory == .control ? "?" : Character($0) })
  return "\"\(visible)\(name.unicodeScalars.count > 80 ? "…" : "")\""
}

/// Reads the subset of JSON that headers use: objects, strings, and lists of whole numbers.
private struct Scanner {
  private let bytes: UnsafeRawBufferPointer
  private var at = 0

  init(_ bytes: UnsafeRawBufferPointer) { self.bytes = bytes }

  var isAtEnd: Bool {
    mutating get {
      skipSpace()
      return at == bytes.count
    }
  }

  private mutating func skipSpace() {
    while at < bytes.count, [0x20, 0x0a, 0x0d, 0x09].contains(bytes[at]) { at += 1 }
  }

  private mutating func take(_ character: Character) -> Bool {
    skipSpace()
    guard at < bytes.count, bytes[at] == character.asciiValue! else { return false }
    at += 1
    return true
  }

  private mutating func expect(_ character: Character) throws(HeaderProblem) {
    guard take(character) else { throw HeaderProblem("expected \"\(character)\" at byte \(at) of the header") }
  }

  mutating func object(
    _ member: (inout Scanner, String) throws(HeaderProblem) -> Void
  ) throws(HeaderProblem) {
    try expect("{")
    if take("}") { return }
    repeat {
      let key = try string()
      try expect(":")
      try member(&self, key)
    } while take(",")
    try expect("}")
  }

  mutating func integers(atMost limit: Int) throws(HeaderProblem) -> [Int] {
    try expect("[")
    var values: [Int] = []
    if take("]") { return values }
    repeat {
      skipSpace()
      let start = at
      var value = 0
      while at < bytes.count, (0x30...0x39).contains(bytes[at]) {
        let digit = Int(bytes[at] - 0x30)
        let (tens, overflow) = value.multipliedReportingOverflow(by: 10)
        let (sum, carry) = tens.addingReportingOverflow(digit)
        guard !overflow && !carry else { throw HeaderProblem("a number at byte \(start) of the header is too large") }
        value = sum
        at += 1
      }
      guard at > start else { throw HeaderProblem("expected a whole number at byte \(at) of the header") }
      guard values.count < limit else { throw HeaderProblem("more than \(limit) numbers at byte \(at) of the header") }
      values.append(value)
    } while take(",")
    try expect("]")
    return values
  }

  mutating func string() throws(HeaderProblem) -> String {
    try expect("\"")
    var text: [UInt8] = []
    while at < bytes.count, bytes[at] != 0x22 {
      let byte = bytes[at]
      at += 1
      if byte != 0x5c {
        text.append(byte)
        continue
      }
      guard at < bytes.count else { break }
      let escape = bytes[at]
      at += 1
      switch escape {
      case 0x22, 0x5c, 0x2f: text.append(escape)
      case 0x62: text.append(0x08)
      case 0x66: text.append(0x0c)
      case 0x6e: text.append(0x0a)
      case 0x72: text.append(0x0d)
      case 0x74: text.append(0x09)
      case 0x75: try text.append(contentsOf: String(unicodeEscape()).utf8)
      default: throw HeaderProblem("an unknown escape at byte \(at) of the header")
      }
    }
    guard at < bytes.count else { throw HeaderProblem("a string has no end") }
    at += 1
    guard let string = String(validating: text, as: UTF8.self) else {
      throw HeaderProblem("a string before byte \(at) of the header is not UTF-8")
    }
    return string
  }

  private mutating func unicodeEscape() throws(HeaderProblem) -> Character {
    var unit = try fourDigits()
    if (0xd800..<0xdc00).contains(unit), at + 1 < bytes.count, bytes[at] == 0x5c, bytes[at + 1] == 0x75 {
      at += 2
      let low = try fourDigits()
      guard (0xdc00..<0xe000).contains(low) else { throw HeaderProblem("half a surrogate pair at byte \(at)") }
      unit = 0x10000 + (unit - 0xd800) << 10 + (low - 0xdc00)
    }
    guard let scalar = Unicode.Scalar(unit) else { throw HeaderProblem("half a surrogate pair at byte \(at)") }
    return Character(scalar)
  }

  private mutating func fourDigits() throws(HeaderProblem) -> UInt32 {
    guard at + 4 <= bytes.count, let value = UInt32(String(decoding: bytes[at..<at + 4], as: UTF8.self), radix: 16)
    else {
      throw HeaderProblem("an incomplete escape at byte \(at) of the header")
    }
    at += 4
    return value
  }
}
