/// How often a reason was given.
public struct ReasonCount: Codable, Sendable, Hashable {
  /// The reason in words.
  public let reason: String
  /// How many samples have it.
  public let count: Int

  /// Counts reasons, the most frequent first.
  public static func of(_ reasons: [String]) -> [ReasonCount] {
    Dictionary(grouping: reasons) { $0 }.map { ReasonCount(reason: $0.key, count: $0.value.count) }
      .sorted { ($1.count, $0.reason) < ($0.count, $1.reason) }
  }
}
