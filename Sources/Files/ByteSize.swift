/// Sizes of files and memory as people write them: `20G`, `512 MB`. Units are decimal, as those of disks are.
public enum ByteSize {
  private static let units = ["KB", "MB", "GB", "TB"]

  /// `41 MB`, `1.6 GB`, `812 bytes`: two digits at least.
  public static func text(_ bytes: Int) -> String {
    guard bytes >= 1000 else { return "\(bytes) bytes" }
    var value = Double(bytes)
    var unit = -1
    // 999.5 would be shown as 1000.
    while value >= 999.5, unit + 1 < units.count { (value, unit) = (value / 1000, unit + 1) }
    let tenths = (value * 10).rounded() / 10
    return (tenths < 10 ? "\(tenths)" : "\(Int(value.rounded()))") + " \(units[unit])"
  }

  /// Reads a whole number with one of K, M, G, T behind it, also as KB, MB, …; nil for anything else, or too large a one.
  public static func parse(_ text: String) -> Int? {
    var text = Substring(text.uppercased())
    if text.hasSuffix("B") { text.removeLast() }
    var factor = 1
    if let unit = text.last.flatMap({ "KMGT".firstIndex(of: $0) }) {
      for _ in 0...("KMGT".distance(from: "KMGT".startIndex, to: unit)) { factor *= 1000 }
      text.removeLast()
    }
    while text.last == " " { text.removeLast() }
    guard let number = Int(text), number >= 0 else { return nil }
    let (product, isTooLarge) = number.multipliedReportingOverflow(by: factor)
    return isTooLarge ? nil : product
  }
}
