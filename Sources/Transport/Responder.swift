import CZeroMQ
import Foundation
import Glibc
import Synchronization

/// A listening socket that answers each message before it reads the next, on a thread of its own. Nothing queues up here:
/// what is not read yet waits in the library, within its bounds, and an answer that its asker does not take is thrown away.
public final class Responder: Sendable {
  /// What to answer: the frames for a message's frames and its sender's public key (empty without keys); nil for nothing.
  public typealias Answering = @Sendable (_ frames: [[UInt8]], _ key: String) -> [[UInt8]]?

  private struct State: Sendable {
    var mustCut = false
    var isClosed = false
  }

  /// The address as the socket has it.
  public let address: String
  private let answer: Answering
  private let security: SocketOptions.Security
  private let state = Mutex(State())
  private let wakeHandle: Int32
  private let finished = DispatchSemaphore(value: 0)

  /// Listens on `tcp://HOST:PORT`; port `*` takes a free one.
  ///
  /// - Throws: `TransportError`.
  /// - Thread: `answer` is called on the responder's own.
  public init(at address: String, options: SocketOptions, answer: @escaping Answering) throws {
    let socket = try ReactorSocket(address, isRouter: true, options)
    self.address = socket.boundAddress()
    (self.answer, security) = (answer, options.security)
    wakeHandle = eventfd(0, Int32(EFD_CLOEXEC | EFD_NONBLOCK))
    precondition(wakeHandle >= 0, "Responder: no event handle")
    let thread = Thread { self.run(socket) }
    thread.name = "responder"
    thread.start()
  }

  /// Cuts all connections and listens again at once. Who may still come does so by himself.
  public func disconnectAll() { tell { $0.mustCut = true } }

  /// Ends it; its thread has ended on return.
  public func close() { if tell({ $0.isClosed = true }) { finished.wait() } }

  @discardableResult
  private func tell(_ change: (inout State) -> Void) -> Bool {
    state.withLock { state in
      guard !state.isClosed else { return false }
      change(&state)
      var one: UInt64 = 1
      _ = write(wakeHandle, &one, 8)
      return true
    }
  }

  private func run(_ socket: ReactorSocket) {
    while true {
      if socket.wait(alsoFor: wakeHandle) {
        var count: UInt64 = 0
        _ = read(wakeHandle, &count, 8)
      }
      let (mustCut, isClosed) = state.withLock { state in
        defer { state.mustCut = false }
        return (state.mustCut, state.isClosed)
      }
      if isClosed { break }
      if mustCut { socket.reopen() }
      for _ in 0..<64 {  // then look whether it is to end, or to cut somebody off
        guard let (peer, frames, key) = socket.receive() else { break }
        if let reply = answer(frames, key) { socket.send(reply, to: peer, isDroppable: true) }
      }
      _ = socket.takeUnreachable()
      _ = socket.takeHandshakes()
    }
    socket.close()
    if let gatekeeper = security.gatekeeper { Authentication.end(gatekeeper) }
    Glibc.close(wakeHandle)
    finished.signal()
  }
}
