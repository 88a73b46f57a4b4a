/// The fields of one row of a table, as bytes where they lie: nothing is copied until it is asked for. Valid only during
/// the call that it was handed to.
public struct CSVFields {
  let bytes: UnsafeBufferPointer<UInt8>
  var bounds: [Bound] = []

  struct Bound {
    let start: UInt32, end: UInt32
    // The field was quoted and has doubled quotes in it.
    let isEscaped: Bool
  }

  init(_ bytes: UnsafeBufferPointer<UInt8>) { self.bytes = bytes }

  /// How many fields there are.
  public var count: Int { bounds.count }

  /// Whether a field is empty.
  public func isEmpty(_ index: Int) -> Bool { bounds[index].start == bounds[index].end }

  /// A field as text.
  public subscript(_ index: Int) -> String {
    let field = raw(index)
    guard bounds[index].isEscaped else { return String(decoding: field, as: UTF8.self) }
    return String(decoding: field, as: UTF8.self).replacing("\"\"", with: "\"")
  }

  /// Whether a field is this text. An escaped field is compared unescaped.
  public func equals(_ index: Int, _ text: String) -> Bool {
    if bounds[index].isEscaped { return self[index] == text }
    let field = raw(index)
    var text = text
    return text.withUTF8 { other in
      guard other.count == field.count else { return false }
      for place in 0..<other.count where other[place] != field[place] { return false }
      return true
    }
  }

  /// A field as a number; nil when it is none.
  public func number(_ index: Int) -> Double? { parseNumber(raw(index)) }

  /// A field as a whole number of at most 18 digits; nil when it is none.
  public func integer(_ index: Int) -> Int? {
    let field = raw(index)
    let isNegative = field.first == UInt8(ascii: "-")
    let digits = field.dropFirst(isNegative || field.first == UInt8(ascii: "+") ? 1 : 0)
    guard (1...18).contains(digits.count) else { return nil }
    var value = 0
    for byte in digits {
      guard byte >= 0x30, byte <= 0x39 else { return nil }
      value = value * 10 + Int(byte &- 0x30)
    }
    return isNegative ? -value : value
  }

  private func raw(_ index: Int) -> UnsafeBufferPointer<UInt8> {
    let bound = bounds[index]
    return UnsafeBufferPointer(rebasing: bytes[Int(bound.start)..<Int(bound.end)])
  }
}
