import Files
import Foundation
import Synchronization
import Testing
import Transport
import Wire

@testable import Services

/// A worker that has joined a run and says that it has a content, and then does not behave: the real one's place is taken by
/// the protocol's own messages.
final class FakeHolder: Sendable {
  /// What it does when somebody wants the content.
  enum Manner: String, CaseIterable, CustomTestStringConvertible {
    case givesAnother, sendsTooMuch, sendsTooLittle, talksNonsense, saysNothing, refuses, diesInTheMiddle, isGone

    var testDescription: String { rawValue }
  }

  private let manner: Manner
  private let bytes: [UInt8]
  private let isReachable: Bool
  private let count = Atomic(0)
  private let isOver = Atomic(false)
  private let incarnation = UInt64.random(in: 1...UInt64.max)

  init(_ manner: Manner, _ bytes: [UInt8], isReachable: Bool = true) {
    (self.manner, self.bytes, self.isReachable) = (manner, bytes, isReachable)
  }

  /// How often it was asked.
  var asked: Int { count.load(ordering: .acquiring) }

  /// Ends it.
  func stop() { isOver.store(true, ordering: .releasing) }

  /// The answer to a question: a message of the protocol, or anything else.
  private func answer(_ frames: [[UInt8]]) -> [[UInt8]]? {
    guard let packet = try? Packet.decoded(frames), case .downloadWant(let want) = packet.message else { return nil }
    let number = count.add(1, ordering: .acquiringAndReleasing).newValue
    var piece = Array(bytes[want.offset..<want.offset + want.count])
    switch manner {
    case .givesAnother: piece[0] ^= 1
    case .sendsTooMuch: piece.append(0)
    case .sendsTooLittle: piece.removeLast()
    case .talksNonsense: return [[1, 2, 3], [4]]
    case .saysNothing: return nil
    case .refuses:
      return packet.reply(.downloadFailed(DownloadFailed(transfer: want.transfer, reason: "no")), [], incarnation)
    case .diesInTheMiddle: if number > 2 { return nil }
    case .isGone: return nil
    }
    let chunk = DownloadChunk(transfer: want.transfer, offset: want.offset, crc: crc32c(piece))
    return packet.reply(.downloadChunk(chunk), [piece], incarnation)
  }

  /// Joins a run, keeps the job that it is given, and stays until `stop`.
  func join(_ coordinator: String) throws -> Background<Void> {
    let responder = try Responder(at: "tcp://127.0.0.1:*", options: SocketOptions()) { frames, _ in
      self.answer(frames)
    }
    if manner == .isGone {
      // Its port is nobody's.
      count.store(1, ordering: .releasing)
      responder.close()
    }
    let hasSaid = Mailbox<Bool>()
    let (address, content) = (isReachable ? responder.address : "", sha256(bytes))
    let joined = background { () throws -> Void in
      let endpoint = try Endpoint.caller(to: coordinator)
      defer {
        endpoint.close()
        responder.close()
      }
      var sequence: UInt64 = 0
      func send(_ message: Message, _ session: UInt64, _ frames: [[UInt8]] = []) {
        sequence += 1
        endpoint.send(
          Packet(message, frames: frames, sender: self.incarnation, session: session, sequence: sequence).encoded())
      }
      var held: [HeldLease] = []
      send(
        .hello(
          Hello(
            name: "fake", version: "1.0", fingerprint: "", host: "h", process: 1, slots: 1, held: [], address: address)),
        0)
      let until = monotonicMilliseconds() + 60_000
      while !self.isOver.load(ordering: .acquiring), monotonicMilliseconds() < until {
        guard case .message(_, let frames, _)? = endpoint.inbox.take(timeout: 100),
          let packet = try? Packet.decoded(frames)
        else { continue }
        let session = packet.header.sender
        switch packet.message {
        case .welcome:
          send(.contentsHeld(ContentsHeld(contents: [content])), session)
          send(.heartbeat(Heartbeat(held: held, draining: false)), session)
        case .heartbeatSeen:
          hasSaid.put(true)
          usleep(100_000)
          send(.heartbeat(Heartbeat(held: held, draining: false)), session)
        case .assign(let assign):
          held = [HeldLease(job: assign.job.id, token: assign.token, progress: JobProgress(phase: "waits"))]
        case .downloadWant:
          if let reply = self.answer(frames), let answer = try? Packet.decoded(reply) {
            send(answer.message, session, answer.frames)
          }
        default: break
        }
      }
    }
    _ = hasSaid.take(timeout: 10_000)
    return joined
  }
}

extension Packet {
  /// An answer to its sender.
  fileprivate func reply(_ message: Message, _ frames: [[UInt8]], _ incarnation: UInt64) -> [[UInt8]] {
    Packet(message, frames: frames, sender: incarnation, session: header.sender, sequence: 1).encoded()
  }
}
