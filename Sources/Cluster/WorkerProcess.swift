import Files
public import Foundation
import Logging
import NN
import Services
import Synchronization
import Training
public import Transport

/// A worker: does jobs until the run is complete or it is asked to leave.
public final class WorkerProcess: Sendable {
  private let coordinator: String
  private let name: String
  private let threads: Int
  private let data: [String: String]
  private let weights: [String: String]
  private let cache: URL
  private let cacheLimit: Int?
  private let security: SocketOptions.Security
  private let state = Mutex(State())

  private struct State: Sendable {
    var service: WorkerService?
    var isLeaving = false
  }

  /// For a coordinator's address; `data` and `weights` say where data sets and weights folders lie here, `cache` where
  /// fetched and decoded samples are kept, `cacheLimit` how many bytes they may have (`CacheFolder` has a default).
  public init(
    coordinator: String, name: String?, threads: Int, data: [String: String], weights: [String: String] = [:],
    cache: URL?, cacheLimit: Int? = nil, security: SocketOptions.Security = .none
  ) {
    self.cacheLimit = cacheLimit
    (self.coordinator, self.threads, self.data, self.weights) = (coordinator, threads, data, weights)
    self.security = security
    // The host belongs to it: in containers every process may have the number 1.
    let name = name ?? "\(ProcessInfo.processInfo.hostName)-\(getpid())"
    if case .key(let key) = security {
      // Names belong to keys: whoever holds one may only add to its name.
      self.name = name == key.name ? key.name : "\(key.name)/\(name)"
    } else {
      self.name = name
    }
    self.cache = cache ?? Self.defaultCache
  }

  /// `$XDG_CACHE_HOME/unmask`, by default `~/.cache/unmask`.
  private static var defaultCache: URL {
    let home = FileManager.default.homeDirectoryForCurrentUser.appending(path: ".cache")
    return (ProcessInfo.processInfo.environment["XDG_CACHE_HOME"].map { URL(filePath: $0) } ?? home)
      .appending(path: "unmask")
  }

  /// Works until there is nothing left to do, for one run after the other if more follow at the same address.
  ///
  /// - Throws: one sentence: who refused it and why, or that there is no coordinator.
  public func run() throws {
    let logger = Logger(label: "worker", factory: LineLog.init(label:))
    var options = ServiceOptions(version: programVersion, logger: logger)
    options.security = security
    options.fingerprint = NumericsFingerprint.computeAll()
    let scratch = FileManager.default.temporaryDirectory.appending(path: "unmask-worker-\(getpid())")
    defer { try? FileManager.default.removeItem(at: scratch) }
    let (data, weights, threads) = (data, weights, threads)
    let cache = try CacheFolder(cache, limit: cacheLimit)
    while true {
      let jobs = Mutex<WorkerJobs?>(nil)
      let worker = try WorkerService(
        coordinator: coordinator, name: name, threads: threads, directory: scratch, options: options
      ) { shared in
        let made = try WorkerJobs(shared: shared, data: data, weights: weights, cache: cache, jobsAtOnce: threads)
        jobs.withLock { $0 = made }
        return made
      }
      state.withLock { state in
        state.service = worker
        if state.isLeaving { worker.drain() }
      }
      defer { if let sentence = jobs.withLock({ $0?.counts.sentence }) { logger.info("samples: \(sentence)") } }
      switch try worker.serve() {
      case .drained: return logger.info("left as asked")
      case .runEnded(_, let sentence): return logger.info("\(sentence)")
      case .runFollows(let next, let sentence):
        logger.info("\(sentence); \(next) follows")
        if state.withLock({ $0.isLeaving }) { return }
      }
    }
  }

  /// Hands over what it is doing and leaves. Safe from any thread.
  public func drain() {
    state.withLock { state in
      state.isLeaving = true
      state.service?.drain()
    }
  }
}
