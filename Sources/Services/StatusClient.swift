import Transport
public import Wire

/// Asks a coordinator how its run is.
public enum StatusClient {
  /// The answer, as values.
  ///
  /// - Throws: one sentence if nobody answers in time, or somebody of another version does.
  public static func ask(_ coordinator: String, timeout: Int = 5_000, version: String = "") throws -> StatusReply {
    let endpoint = try Endpoint.caller(to: coordinator)
    defer { endpoint.close() }
    let sender = UInt64.random(in: 1...UInt64.max)
    let until = monotonicMilliseconds() + timeout
    var sequence: UInt64 = 0
    var nextAsk = 0
    while monotonicMilliseconds() < until {
      if monotonicMilliseconds() >= nextAsk {
        nextAsk = monotonicMilliseconds() + 500
        sequence += 1
        let ask = Packet(
          .statusRequest(StatusRequest(version: version)), sender: sender, session: 0, sequence: sequence)
        endpoint.send(ask.encoded(), isDroppable: true)
      }
      guard case .message(_, let frames, _)? = endpoint.inbox.take(timeout: 100) else { continue }
      do {
        if case .statusReply(let reply) = try Packet.decoded(frames).message { return reply }
      } catch let foreign as ForeignVersion {
        throw ServiceError("\(coordinator): \(foreign)")
      }
    }
    throw ServiceError(
      "no coordinator answers at \(coordinator) within \(timeout / 1000) s; is it running, and is the address right?")
  }
}
