import Glibc

/// Advice about the port that a coordinator listens on.
public enum Ports {
  /// A sentence if a TCP port lies where the system takes ports for outgoing connections: a worker on the same machine
  /// that waits there for its coordinator may then connect to itself and block the port.
  public static func advice(for address: String) -> String? {
    guard address.hasPrefix("tcp://"), let colon = address.lastIndex(of: ":"),
      let port = Int(address[address.index(after: colon)...]), let range = ephemeral, range.contains(port)
    else { return nil }
    return "port \(port) is one that the system gives to outgoing connections (\(range.lowerBound) to "
      + "\(range.upperBound)); choose one below \(range.lowerBound), or a worker on this machine may block it"
  }

  private static var ephemeral: ClosedRange<Int>? {
    guard let file = fopen("/proc/sys/net/ipv4/ip_local_port_range", "r") else { return nil }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 64)
    guard fgets(&line, 64, file) != nil else { return nil }
    let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let parts = text.split { $0 == " " || $0 == "\t" || $0 == "\n" }.compactMap { Int($0) }
    return parts.count == 2 && parts[0] <= parts[1] ? parts[0]...parts[1] : nil
  }
}
