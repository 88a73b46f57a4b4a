import Dispatch
import Foundation

/// Makes values in the background, a bounded number ahead, and hands them out in order: compute threads do not wait for
/// decoding, and memory stays bounded when they are the slower side.
///
///     let batches = Prefetcher(count: plan.count, threads: 1, ahead: 3) { index in try makeBatch(plan[index]) }
///     while let batch = try batches.next() { step(batch) }
///
/// Each value depends on its index alone, so the number of threads never changes what comes out.
final class Prefetcher<Value: Sendable>: @unchecked Sendable {
  // Every mutable member is protected by `lock`.
  private let lock = NSCondition()
  private var made: [Int: Result<Value, any Error>] = [:]
  private var nextToMake = 0
  private var nextToTake = 0
  private var running = 0
  private var waitedNanoseconds: UInt64 = 0
  private var isStopped = false

  private let count: Int
  private let ahead: Int
  private let make: @Sendable (Int) throws -> Value

  /// Starts `threads` threads that make the values `0..<count`.
  init(count: Int, threads: Int, ahead: Int, make: @escaping @Sendable (Int) throws -> Value) {
    (self.count, self.ahead, self.make) = (count, max(1, ahead), make)
    running = max(1, threads)
    for index in 0..<running {
      let thread = Thread { self.work() }
      thread.name = "loader-\(index)"
      thread.stackSize = 4 << 20
      thread.start()
    }
  }

  /// The next value, or nil behind the last; waits until it is made.
  ///
  /// - Throws: what making it threw.
  func next() throws -> Value? {
    lock.lock()
    defer { lock.unlock() }
    guard nextToTake < count else { return nil }
    if made[nextToTake] == nil {
      let start = DispatchTime.now().uptimeNanoseconds
      while made[nextToTake] == nil { lock.wait() }
      waitedNanoseconds += DispatchTime.now().uptimeNanoseconds - start
    }
    let value = made.removeValue(forKey: nextToTake)!
    nextToTake += 1
    lock.broadcast()
    return try value.get()
  }

  /// Seconds that `next` has waited for values altogether.
  var secondsWaited: Double {
    lock.lock()
    defer { lock.unlock() }
    return Double(waitedNanoseconds) / 1e9
  }

  /// Ends the threads and waits for them; values not yet taken are dropped.
  func stop() {
    lock.lock()
    defer { lock.unlock() }
    isStopped = true
    lock.broadcast()
    while running > 0 { lock.wait() }
  }

  private func work() {
    lock.lock()
    defer {
      running -= 1
      lock.broadcast()
      lock.unlock()
    }
    while true {
      while !isStopped && nextToMake < count && nextToMake >= nextToTake + ahead { lock.wait() }
      guard !isStopped && nextToMake < count else { return }
      let index = nextToMake
      nextToMake += 1
      lock.unlock()
      let value = Result { try make(index) }
      lock.lock()
      made[index] = value
      lock.broadcast()
    }
  }
}
