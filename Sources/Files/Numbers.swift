/// The number that ASCII text stands for, rounded to the nearest double as strtod does; nil when the text is anything else.
/// Infinities and not-a-number are read by name.
public func parseNumber(_ text: UnsafeBufferPointer<UInt8>) -> Double? {
  #if arch(x86_64)
    if let value = parseShort(text) { return value }
  #endif
  return parseAny(text)
}

/// Any text, by Swift's own parser.
private func parseAny(_ text: UnsafeBufferPointer<UInt8>) -> Double? {
  guard !text.isEmpty, text.count < 512 else { return nil }
  return Double(Substring(decoding: text, as: UTF8.self))
}

#if arch(x86_64)
  private let powers: [Float80] = (0...27).reduce(into: []) { list, _ in list.append(list.last.map { $0 * 10 } ?? 1) }

  /// Up to 19 digits with a point and a power of ten of at most 27: such a whole number and such a power are exact in 80-bit
  /// numbers, so that their product or quotient is rounded once. Rounding that again to a double is right unless it lies
  /// midway between two doubles; then, and for all other text, nil.
  private func parseShort(_ text: UnsafeBufferPointer<UInt8>) -> Double? {
    var position = 0
    let count = text.count
    guard count > 0 else { return nil }
    let isNegative = text[0] == 0x2D
    if isNegative || text[0] == 0x2B { position = 1 }
    var (mantissa, digits, power) = (UInt64(0), 0, 0)
    var seenPoint = false
    var seenDigit = false
    while position < count {
      let byte = text[position]
      if byte >= 0x30, byte <= 0x39 {
        seenDigit = true
        if mantissa != 0 || byte != 0x30 { digits += 1 }
        guard digits <= 19 else { return nil }
        mantissa = mantissa &* 10 &+ UInt64(byte &- 0x30)
        if seenPoint { power -= 1 }
      } else if byte == 0x2E, !seenPoint {
        seenPoint = true
      } else {
        break
      }
      position += 1
    }
    guard seenDigit else { return nil }
    if position < count {
      guard text[position] | 0x20 == 0x65 else { return nil }
      position += 1
      var (value, isSmall) = (0, false)
      if position < count, text[position] == 0x2D || text[position] == 0x2B {
        isSmall = text[position] == 0x2D
        position += 1
      }
      guard position < count, count - position <= 4 else { return nil }
      while position < count {
        guard text[position] >= 0x30, text[position] <= 0x39 else { return nil }
        value = value * 10 + Int(text[position] &- 0x30)
        position += 1
      }
      power += isSmall ? -value : value
    }
    if mantissa == 0 { return isNegative ? -0.0 : 0 }
    guard power >= -27, power <= 27 else { return nil }
    let exact = Float80(mantissa)
    let rounded = power < 0 ? exact / powers[-power] : exact * powers[power]
    guard rounded.significandBitPattern & 0x7FF != 0x400 else { return nil }
    return isNegative ? -Double(rounded) : Double(rounded)
  }
#endif
