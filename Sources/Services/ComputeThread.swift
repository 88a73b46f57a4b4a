import Foundation

/// Runs a job's work on a thread of its own: blocking work never runs on Swift's shared pool.
func startComputeThread(named name: String, _ body: @escaping @Sendable () -> Void) {
  let thread = Thread(block: body)
  thread.name = name
  thread.stackSize = 8 << 20  // deep models recurse; the default of a thread is 512 KiB
  thread.start()
}
