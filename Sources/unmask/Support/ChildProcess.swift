import Foundation

/// This program once more, as a process of its own.
///
/// Whether it has ended is asked of the system. Foundation hears of it by a socket that whatever the process leaves behind
/// holds open: a backtracer that hangs on the dead process made it look alive for ever.
final class ChildProcess {
  /// How a process ended.
  enum Ending: Equatable {
    case exit(Int32)
    case signal(Int32)
  }

  private let process = Process()

  /// Starts it, with what it says at the end of a file, or on this process's own streams.
  ///
  /// - Throws: what keeps it from starting.
  init(_ program: URL, _ arguments: [String], output: FileHandle?) throws {
    process.executableURL = program
    process.arguments = arguments
    process.standardInput = FileHandle.nullDevice
    if let output {
      process.standardOutput = output
      process.standardError = output
    }
    try process.run()
  }

  /// How it ended; nil as long as it runs.
  var ending: Ending? {
    guard process.isRunning else {
      let status = process.terminationStatus
      return process.terminationReason == .uncaughtSignal ? .signal(status) : .exit(status)
    }
    var facts = siginfo_t()
    guard waitid(P_PID, id_t(process.processIdentifier), &facts, WEXITED | WNOHANG | WNOWAIT) == 0,
      facts.si_signo == SIGCHLD
    else { return nil }
    let status = facts._sifields._sigchld.si_status
    return facts.si_code == CLD_EXITED ? .exit(status) : .signal(status)
  }

  /// Sends a signal, if it still runs.
  func send(_ signal: Int32) {
    if ending == nil { kill(process.processIdentifier, signal) }
  }
}
