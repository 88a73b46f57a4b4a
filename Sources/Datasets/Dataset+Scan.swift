internal import Files
internal import Foundation
internal import Synchronization

/// What a scan does with each file.
public struct ScanOptions: Sendable {
  /// Whether to compute the SHA-256 of every file, which the cache and the leak report need.
  public var hashesContent = true
  /// Whether to open every file and ask which streams it has; otherwise the name's extension decides.
  public var probesContent = true
  /// Whether to decode every file to its end, which finds damage that headers do not show.
  public var decodesContent = false
  /// Files at a time.
  public var threads = max(1, ProcessInfo.processInfo.activeProcessorCount)

  /// Everything switched on.
  public init() {}
}

extension Dataset {
  /// The data set with size, hash, modalities and problems of every sample's files. A file that cannot be used makes
  /// its sample a problem with a reason; it stays in the list.
  ///
  /// - Parameter progress: called now and then, from any thread, with the samples done and all samples.
  /// - Thread: blocks; uses `options.threads` threads.
  public func scanned(
    _ roots: DataRoots, _ options: ScanOptions = ScanOptions(),
    progress: @escaping @Sendable (_ done: Int, _ all: Int) -> Void = { _, _ in }
  ) -> Dataset {
    let all = samples.count
    let chunk = 64  // enough samples to forget the lock, few enough to share the work out evenly
    let chunks = (all + chunk - 1) / chunk
    let state = Mutex((next: 0, done: 0, results: [[Sample]](repeating: [], count: chunks)))
    let source = samples
    DispatchQueue.concurrentPerform(iterations: max(1, min(options.threads, chunks))) { _ in
      while true {
        let mine = state.withLock { state in
          defer { state.next += 1 }
          return state.next
        }
        guard mine < chunks else { return }
        let found = source[mine * chunk..<min(all, (mine + 1) * chunk)].map { SampleProbe.examine($0, roots, options) }
        let done = state.withLock { state in
          state.results[mine] = found
          state.done += found.count
          return state.done
        }
        progress(done, all)
      }
    }
    var result = self
    result.samples = state.withLock { $0.results.flatMap { $0 } }
    return result
  }
}
