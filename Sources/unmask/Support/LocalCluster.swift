import ArgumentParser
import Files
import Foundation

/// One coordinator and some workers as child processes of this one, talking over a socket file that only this user sees.
///
/// A worker that dies is started again; interrupting `train` stops them all, and the same command goes on later.
final class LocalCluster {
  private let program: URL
  private let coordinatorArguments: [String]
  private let threads: Int
  private let logs: URL
  private let socketFolder: URL
  private var workers: [ChildProcess?]
  private var restarts = 0

  init(coordinatorArguments: [String], workers: Int, threads: Int, logs: URL) throws {
    program = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
    self.coordinatorArguments = coordinatorArguments
    self.threads = threads
    self.logs = logs
    self.workers = Array(repeating: nil, count: workers)
    // A socket path may have 107 bytes at most, so it cannot be in the run's own folder.
    var template = Array("/tmp/unmask-XXXXXX".utf8CString)
    guard template.withUnsafeMutableBufferPointer({ mkdtemp($0.baseAddress!) }) != nil else {
      throw FileProblem(
        path: "/tmp", reason: "no folder for the sockets can be made", advice: "free some space in /tmp")
    }
    socketFolder = URL(filePath: String(decoding: template.dropLast().map(UInt8.init(bitPattern:)), as: UTF8.self))
  }

  deinit { try? FileManager.default.removeItem(at: socketFolder) }

  private var address: String { "ipc://\(socketFolder.path)/coordinator" }

  /// Starts everything and returns when the run is complete.
  ///
  /// - Throws: `ExitCode` with the coordinator's own code; it has said why.
  func runToEnd() throws {
    try makeFolder(logs)
    let stopped = Signals.interrupted([SIGINT, SIGTERM])
    let coordinator = try start(["coordinator"] + coordinatorArguments + ["--listen", address], log: nil)
    for index in workers.indices { workers[index] = try startWorker(index) }
    var asked = false
    while coordinator.ending == nil {
      usleep(100_000)
      if stopped.isSet && !asked {
        asked = true
        FileHandle.standardError.write(Data("unmask: stopping; the same command goes on from here\n".utf8))
        ([coordinator] + workers.compactMap { $0 }).forEach { $0.send(SIGTERM) }
      }
      guard !asked else { continue }
      for (index, worker) in workers.enumerated() {
        guard let ending = worker?.ending, coordinator.ending == nil else { continue }
        workers[index] = try revive(ending, index)
      }
    }
    waitForWorkers()
    switch coordinator.ending {
    case .signal:
      FileHandle.standardError.write(
        Data("unmask: the coordinator was killed; the same command goes on from its ledger\n".utf8))
      throw ExitCode(1)
    case .exit(let status) where status != 0: throw ExitCode(status)
    default: break
    }
  }

  /// A worker that ended by itself has done its part; one that died is replaced, within reason.
  private func revive(_ ending: ChildProcess.Ending, _ index: Int) throws -> ChildProcess? {
    guard ending != .exit(0) else { return nil }
    restarts += 1
    guard restarts <= 100 else { return nil }
    if case .signal(let signal) = ending {
      let why =
        signal == SIGKILL
        ? "was killed (exit 137): out of memory, if the kernel's log says so; fewer threads or a smaller batch need less"
        : "died of signal \(signal)"
      FileHandle.standardError.write(Data("unmask: worker-\(index + 1) \(why); it is started again\n".utf8))
    }
    usleep(300_000)
    return try startWorker(index)
  }

  private func startWorker(_ index: Int) throws -> ChildProcess {
    let name = "worker-\(index + 1)"
    return try start(
      ["worker", "--coordinator", address, "--threads", "\(threads)", "--name", name],
      log: logs.appending(path: "\(name).log"))
  }

  private func start(_ arguments: [String], log: URL?) throws -> ChildProcess {
    guard let log else { return try ChildProcess(program, arguments, output: nil) }
    if !FileManager.default.fileExists(atPath: log.path) { try writeAtomically("", to: log) }
    let handle = try FileHandle(forWritingTo: log)
    try handle.seekToEnd()
    return try ChildProcess(program, arguments, output: handle)
  }

  /// Workers leave by themselves when the run is complete. One that had not joined by then, as when there was nothing
  /// left to do, would wait for the coordinator to come back: it is asked to leave, and made to after 20 seconds.
  private func waitForWorkers() {
    let start = ContinuousClock.now
    for (patience, signal) in [(1, SIGTERM), (20, SIGKILL), (25, SIGKILL)] {
      for worker in workers.compactMap({ $0 }) {
        while worker.ending == nil && ContinuousClock.now < start + .seconds(patience) { usleep(20_000) }
        worker.send(signal)
      }
    }
  }
}
