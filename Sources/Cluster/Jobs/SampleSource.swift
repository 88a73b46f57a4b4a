import Datasets
import Files
import Foundation
import Services
import Synchronization
import Training
import Wire

/// Where a worker's samples come from: from this machine, if the path is there and the file has the content that the run
/// began with; else from another worker that has it or from the coordinator, into the cache folder.
final class SampleSource: Sendable {
  /// Where fetched files and decoded samples are kept.
  let folder: CacheFolder
  private let state = Mutex(State())

  private struct State {
    var counts = Counts()
    /// The local files that this process has checked: whether they are the run's.
    var checked: [String: (FileIdentity, isRight: Bool)] = [:]
    /// The contents that are counted.
    var seen: Set<String> = []
    /// The data sets whose local files were complained of.
    var complained: Set<String> = []
  }

  /// How many files came from where.
  struct Counts: Sendable {
    /// Found on this machine where the data set lies.
    var local = 0
    /// Fetched earlier, and still in the cache.
    var kept = 0
    /// Fetched from the coordinator, and from other workers.
    var fromCoordinator = 0
    var fromWorkers = 0
    /// The bytes of those.
    var bytes = 0

    private var fetched: Int { fromCoordinator + fromWorkers }

    /// Where the fetched ones came from.
    private var origin: String {
      if fromWorkers == 0 { return "from the coordinator" }
      if fromCoordinator == 0 { return "from other workers" }
      return "\(fromCoordinator) from the coordinator and \(fromWorkers) from other workers"
    }

    /// One sentence; nil if none was fetched, now or earlier.
    var sentence: String? {
      guard fetched + kept > 0 else { return nil }
      let all = local + kept + fetched
      return "fetched \(fetched) of \(all) samples, \(ByteSize.text(bytes)), \(origin)"
        + (kept > 0 ? "; \(kept) were in the cache" : "") + (local > 0 ? "; \(local) are on this machine" : "")
    }

    /// A few words for the status, while files are fetched.
    var fetching: String? {
      fetched > 0 ? "fetched \(fetched) samples, \(ByteSize.text(bytes)), \(origin)" : nil
    }
  }

  /// A source that keeps what it fetches in a folder.
  init(_ folder: CacheFolder) { self.folder = folder }

  /// Where the samples of this process came from.
  var counts: Counts { state.withLock { $0.counts } }

  /// The files for one job. What the job uses stays in the cache as long as the value lives.
  func files(for context: any JobContext) throws -> JobFiles { JobFiles(self, try folder.hold(), context) }

  /// Counts a file's origin, once a process.
  fileprivate func count(_ content: String, _ origin: WritableKeyPath<Counts, Int>, bytes: Int = 0) {
    state.withLock { state in
      guard state.seen.insert(content).inserted else { return }
      state.counts[keyPath: origin] += 1
      state.counts.bytes += bytes
    }
  }

  /// Whether the file at a sample's own path is there and is the run's. Its content is hashed once a process.
  fileprivate func isHere(_ item: ModelSample, _ content: String, _ log: (String) -> Void) throws -> Bool {
    let path = item.file.path
    guard let identity = FileIdentity(path: path) else { return false }
    if let known = state.withLock({ $0.checked[path] }), known.0 == identity { return known.isRight }
    guard let found = try? sha256(of: item.file) else { return false }
    let isFirst = state.withLock { state in
      state.checked[path] = (identity, found == content)
      return found != content && state.complained.insert(item.dataset).inserted
    }
    if isFirst {
      log("\(path) has another content here than the run began with: such samples are fetched from the coordinator")
    }
    return found == content
  }
}

/// The files of one job's samples.
final class JobFiles: SampleFiles {
  private let source: SampleSource
  private let hold: CacheHold
  private let context: any JobContext
  private let own = Mutex((counts: SampleSource.Counts(), seen: Set<String>()))

  init(_ source: SampleSource, _ hold: CacheHold, _ context: any JobContext) {
    (self.source, self.hold, self.context) = (source, hold, context)
  }

  /// Where the samples that this job had to look at came from; what was decoded before is not among them.
  var counts: SampleSource.Counts { own.withLock { $0.counts } }

  func with<Result>(_ item: ModelSample, _ body: (URL) throws -> Result) throws -> Result {
    guard let content = item.content else { return try body(item.file) }
    if try source.isHere(item, content.sha256, { context.log($0) }) {
      if count(content.sha256, \.local) { context.holds(content.sha256, at: item.file, isCached: false) }
      return try body(item.file)
    }
    var origin: ContentOrigin?
    // The ending helps the decoders; the content alone says what it is.
    let ending = item.file.pathExtension.lowercased().filter { $0.isASCII && ($0.isLetter || $0.isNumber) }.prefix(8)
    let name = "\(content.sha256.prefix(2))/\(content.sha256)" + (ending.isEmpty ? "" : ".\(ending)")
    let pin = try source.folder.file(
      named: name, size: content.bytes, sha256: content.sha256, isWanted: { try context.check() }
    ) { place in
      let artifact = ArtifactReference(
        name: "sample \(item.id.prefix(200))", sha256: content.sha256, size: content.bytes)
      origin = try context.download(artifact, to: place)
    }
    let counter: any WritableKeyPath<SampleSource.Counts, Int> & Sendable =
      switch origin {
      case .coordinator?: \.fromCoordinator
      case .worker?: \.fromWorkers
      case nil: \.kept
      }
    let isNew = count(content.sha256, counter, bytes: origin == nil ? 0 : content.bytes)
    // One that was removed and fetched again is another file.
    if isNew || origin != nil { context.holds(content.sha256, at: pin.url, isCached: true) }
    return try withExtendedLifetime(pin) { try body(pin.url) }
  }

  /// Counts where a file came from; whether it is the first time in this job.
  private func count(
    _ content: String, _ origin: any WritableKeyPath<SampleSource.Counts, Int> & Sendable, bytes: Int = 0
  ) -> Bool {
    source.count(content, origin, bytes: bytes)
    return own.withLock { own in
      guard own.seen.insert(content).inserted else { return false }
      own.counts[keyPath: origin] += 1
      own.counts.bytes += bytes
      return true
    }
  }

  func mayKeep(_ bytes: Int) throws -> Bool { try source.folder.reserve(bytes) }

  func used(_ kept: URL) { source.folder.touch(kept) }
}
