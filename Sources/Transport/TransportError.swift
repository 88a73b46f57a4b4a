import CZeroMQ
import Glibc

/// What went wrong with a socket: one sentence that says what, where, and what to do.
public struct TransportError: Error, Sendable, CustomStringConvertible {
  /// The errno; 0 if it is not the system's error.
  public let code: Int32
  /// The sentence.
  public let description: String

  init(_ sentence: String) {
    code = 0
    description = sentence
  }

  init(_ action: String, _ address: String, code: Int32) {
    self.code = code
    switch code {
    case EADDRINUSE:
      description =
        "\(address) is in use by another program; listen on another port, or end the program that has this one"
    case EADDRNOTAVAIL, ENODEV:
      description = "\(address) is not an address of this machine; listen on tcp://0.0.0.0:PORT or on one that is"
    case EACCES:
      description = "\(address) may not be used by this user; choose a port above 1023, or a folder of your own"
    case ENAMETOOLONG:
      description = "\(address) is too long for a local socket; choose a path of less than 100 characters"
    case EINVAL, EPROTONOSUPPORT:
      description = "\(address) is not an address; write tcp://HOST:PORT, or ipc://PATH on one machine"
    default:
      description = "\(action) \(address) failed: \(String(cString: zmq_strerror(code)))"
    }
  }
}

/// Runs one ZeroMQ call: repeats it when a signal interrupted it, and turns its failure into a `TransportError`.
@discardableResult
func zmq(_ action: String, _ address: String, _ body: () -> Int32) throws -> Int32 {
  while true {
    let result = body()
    if result != -1 { return result }
    let code = zmq_errno()
    if code == EINTR { continue }
    throw TransportError(action, address, code: code)
  }
}
