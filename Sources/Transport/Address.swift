/// What can be told from an address.
public enum Address {
  /// Whether only this machine can reach it: a socket file, or the loopback. Everything else wants keys.
  public static func isLocal(_ address: String) -> Bool {
    if address.hasPrefix("ipc://") || address.hasPrefix("inproc://") { return true }
    let rest = address.dropFirst(6)
    guard address.hasPrefix("tcp://"), let colon = rest.lastIndex(of: ":") else { return false }
    let host = rest[..<colon]
    return host == "localhost" || host == "[::1]" || isLoopback(host)
  }

  /// 127.0.0.0/8, written in full: a name like 127.evil.example is none.
  private static func isLoopback(_ host: Substring) -> Bool {
    let parts = host.split(separator: ".", omittingEmptySubsequences: false).map { UInt8($0) }
    return parts.count == 4 && parts[0] == 127 && !parts.contains(nil)
  }
}
