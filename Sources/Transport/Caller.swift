/// A connection on which questions are asked and answers awaited, by the thread that wants them: no thread of its own, and
/// nothing kept but what the library keeps within its bounds, however much the other side sends.
///
/// - Thread: one at a time; it may be handed on.
public final class Caller: @unchecked Sendable {
  /// What comes in.
  public enum Incoming: Sendable {
    /// A message's frames.
    case message([[UInt8]])
    /// The other side does not let us in, and trying again is useless.
    case refused
  }

  private let socket: ReactorSocket
  private var isOpen = true

  /// Connects, now or as soon as somebody listens there.
  ///
  /// - Throws: `TransportError` if the address is none.
  public init(to address: String, options: SocketOptions) throws {
    socket = try ReactorSocket(address, isRouter: false, options)
  }

  deinit { close() }

  /// Sends a message, as soon as the connection takes it.
  public func send(_ frames: [[UInt8]]) { socket.send(frames, to: [], isDroppable: false) }

  /// What comes next; nil if nothing does for so many milliseconds.
  public func receive(timeout: Int) -> Incoming? {
    let until = monotonicMilliseconds() + timeout
    while true {
      socket.retry()
      if let (_, frames, _) = socket.receive() { return .message(frames) }
      for event in socket.takeHandshakes() where event == .unknownKey || event == .otherMechanism || event == .nonsense
      {
        return .refused
      }
      let left = until - monotonicMilliseconds()
      guard left > 0 else { return nil }
      _ = socket.wait(atMost: left)
    }
  }

  /// Ends the connection.
  public func close() {
    guard isOpen else { return }
    isOpen = false
    socket.close()
  }
}
