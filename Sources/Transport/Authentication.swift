import CZeroMQ
import Foundation
import Synchronization

/// Answers ZeroMQ's questions whether a key may connect (its protocol is called ZAP), for all sockets of the process,
/// on a thread of its own.
enum Authentication {
  private static let gatekeepers = Mutex<[String: any Gatekeeper]>([:])
  private static let place = "inproc://zeromq.zap.01"

  /// Answers for a gatekeeper's sockets from now on. Must come before their bind: until somebody answers, ZeroMQ would
  /// let nobody in, but without an enforced domain everybody.
  static func begin(_ gatekeeper: any Gatekeeper) {
    _ = isRunning
    gatekeepers.withLock { $0[gatekeeper.domain] = gatekeeper }
  }

  /// Refuses everybody from now on.
  static func end(_ gatekeeper: any Gatekeeper) { gatekeepers.withLock { $0[gatekeeper.domain] = nil } }

  /// The thread lives as long as the process, as the context does.
  private static let isRunning: Bool = {
    guard let socket = zmq_socket(ReactorSocket.context, ZMQ_REP), zmq_bind(socket, place) == 0 else {
      preconditionFailure("Authentication: nobody can answer for keys: \(String(cString: zmq_strerror(zmq_errno())))")
    }
    let handle = UInt(bitPattern: socket)
    let thread = Thread {
      let socket = UnsafeMutableRawPointer(bitPattern: handle)!
      while true { serve(socket) }
    }
    thread.name = "keys"
    thread.start()
    return true
  }()

  /// Answers one question. Frames: version, request, domain, address, routing id, mechanism, the key's 32 bytes.
  private static func serve(_ socket: UnsafeMutableRawPointer) {
    guard let frames = receiveAll(socket), frames.count >= 6 else { return }
    var status = "400"
    var user = ""
    if frames[0] == Array("1.0".utf8), frames[5] == Array("CURVE".utf8), frames.count == 7,
      let key = KeyPair.text(ofKey: frames[6])
    {
      let domain = String(decoding: frames[2], as: UTF8.self)
      let address = String(decoding: frames[3], as: UTF8.self)
      if let gatekeeper = gatekeepers.withLock({ $0[domain] }) {
        let verdict = gatekeeper.verdict(on: key, from: address)
        status = verdict.rawValue
        if verdict == .admitted { user = key }  // a message's sender is known by this from now on
      }
    }
    let answer = [Array("1.0".utf8), frames[1], Array(status.utf8), [], Array(user.utf8), []]
    for (index, frame) in answer.enumerated() {
      let flags = index + 1 < answer.count ? ZMQ_SNDMORE : 0
      while frame.withUnsafeBytes({ zmq_send(socket, $0.baseAddress, $0.count, flags) }) < 0, zmq_errno() == EINTR {}
    }
  }

  /// A message of a socket, waiting for it.
  private static func receiveAll(_ socket: UnsafeMutableRawPointer) -> [[UInt8]]? {
    var frames: [[UInt8]] = []
    var buffer = [UInt8](repeating: 0, count: 512)  // longer than any question's frame of ours
    while true {
      let count = zmq_recv(socket, &buffer, buffer.count, 0)
      if count < 0 && zmq_errno() == EINTR { continue }
      guard count >= 0 else { return nil }
      frames.append(Array(buffer[..<min(Int(count), buffer.count)]))
      var more: Int32 = 0
      var size = MemoryLayout<Int32>.size
      zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size)
      if more == 0 { return frames }
    }
  }
}
