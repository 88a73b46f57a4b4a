import Foundation
import Glibc

/// Runs a job's work on a thread of its own: blocking work never runs on Swift's shared pool. The thread has the first 15
/// bytes of the name, for debuggers and backtraces; Foundation's own names stay inside the process.
func startComputeThread(named name: String, _ body: @escaping @Sendable () -> Void) {
  let thread = Thread {
    if let file = fopen("/proc/thread-self/comm", "w") {
      fputs(String(decoding: name.utf8.prefix(15), as: UTF8.self), file)
      fclose(file)
    }
    body()
  }
  thread.stackSize = 8 << 20  // deep models recurse; the default of a thread is 512 KiB
  thread.start()
}
