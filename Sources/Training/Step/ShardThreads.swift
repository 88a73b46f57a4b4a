import Foundation
import Tensor

/// A few threads that stay alive between steps and compute shards, or score samples, side by side. Each call of a kernel
/// uses `computeThreads` threads, whoever runs it: so the bits are the same for any number of threads here.
///
///     let threads = ShardThreads(count: 2, computeThreads: 1)
///     let sums = threads.map(4) { shard in compute(shard) }
final class ShardThreads: Sendable {
  private let crew: Crew
  private let count: Int
  private let computeThreads: Int

  /// Starts `count - 1` threads; the calling thread is the last one.
  init(count: Int, computeThreads: Int) {
    (self.count, self.computeThreads) = (max(1, count), computeThreads)
    crew = Crew()
    for index in 1..<max(1, count) + 1 where index < count {
      let thread = Thread { [crew] in ComputeThreads.with(computeThreads) { crew.work() } }
      thread.name = "shard-\(index)"
      thread.stackSize = 8 << 20
      thread.start()
    }
  }

  deinit { crew.stop() }

  /// Results of `body` for 0..<count, in order. Returns when all are there.
  func map<Result>(_ count: Int, _ body: (Int) -> Result) -> [Result] {
    guard count > 0 else { return [] }
    var results = [Result?](repeating: nil, count: count)
    results.withUnsafeMutableBufferPointer { results in
      // Each index is written by the one thread that took it, and read after the crew's lock was passed on.
      nonisolated(unsafe) let results = results
      withoutActuallyEscaping(body) { body in
        nonisolated(unsafe) let body = body
        crew.run(count) { index in results[index] = body(index) }
        ComputeThreads.with(computeThreads) { crew.help() }
        crew.wait()
      }
    }
    return results.map { $0! }
  }

  /// Runs `body`, whose kernels use all of these threads together. OpenMP's pool would stay awake for a while afterwards
  /// and take the next shards' time.
  func together<R>(_ body: () throws -> R) rethrows -> R {
    guard count > 1, computeThreads == 1 else { return try ComputeThreads.with(count * computeThreads, body) }
    return try ComputeThreads.with(count, team: { pieces, piece in _ = self.map(pieces, piece) }, body)
  }
}

/// The threads' shared state.
private final class Crew: @unchecked Sendable {
  // Every member is protected by `lock`.
  private let lock = NSCondition()
  private var task: (@Sendable (Int) -> Void)?
  private var next = 0
  private var count = 0
  private var finished = 0
  private var isStopped = false

  func run(_ count: Int, _ task: @escaping @Sendable (Int) -> Void) {
    lock.lock()
    defer { lock.unlock() }
    (self.task, self.count, next, finished) = (task, count, 0, 0)
    lock.broadcast()
  }

  /// Takes indices until none is left.
  func help() {
    lock.lock()
    defer { lock.unlock() }
    while next < count, let task {
      let index = next
      next += 1
      lock.unlock()
      task(index)
      lock.lock()
      finished += 1
      if finished == count { lock.broadcast() }
    }
  }

  /// Waits until every index is done, and forgets the task.
  func wait() {
    lock.lock()
    defer { lock.unlock() }
    while finished < count { lock.wait() }
    (task, count, next) = (nil, 0, 0)
  }

  func work() {
    while true {
      lock.lock()
      while next >= count && !isStopped { lock.wait() }
      let ends = isStopped
      lock.unlock()
      if ends { return }
      help()
    }
  }

  func stop() {
    lock.lock()
    defer { lock.unlock() }
    isStopped = true
    lock.broadcast()
  }
}
