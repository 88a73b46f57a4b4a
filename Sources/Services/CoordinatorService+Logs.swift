import Coordination
import Files
import Foundation
import Glibc
import Wire

// The logs of jobs, for people elsewhere.

extension CoordinatorService {
  /// Sends a piece of a job's log.
  func answer(_ request: LogRequest, _ peer: Peer) {
    func reply(_ bytes: [UInt8], size: Int, isOver: Bool, problem: String = "") {
      let reply = LogReply(job: request.job, offset: request.offset, size: size, isOver: isOver, problem: problem)
      send(.logReply(reply), frames: [bytes], to: peer)
    }
    // Only names of the plan, so that nobody can name a path.
    guard let state = machine.state(of: request.job) else {
      return reply([], size: 0, isOver: true, problem: "there is no job \(request.job); \"unmask status\" lists them")
    }
    let isOver = machine.ended != nil || [.done, .failed, .abandoned].contains(state)
    let path = directory.appendingPathComponent("Logs/\(request.job).log").path
    let handle = open(path, O_RDONLY | O_CLOEXEC)
    guard handle >= 0 else { return reply([], size: 0, isOver: isOver) }  // nothing has been written yet
    defer { close(handle) }
    var facts = stat()
    guard fstat(handle, &facts) == 0, request.offset <= facts.st_size else {
      return reply([], size: 0, isOver: isOver)
    }
    let bytes = [UInt8](unsafeUninitializedCapacity: 1 << 18) { buffer, count in
      count = max(0, pread(handle, buffer.baseAddress, buffer.count, off_t(request.offset)))
    }
    reply(bytes, size: Int(facts.st_size), isOver: isOver)
  }
}
