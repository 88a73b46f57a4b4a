import Wire

// Contents that workers have: who said so, and who is asked for one. The files themselves go elsewhere.

extension CoordinatorMachine {
  /// A worker that has a content.
  public struct ContentHolder: Sendable, Equatable {
    /// Its incarnation.
    public let id: UInt64
    /// Its connection to the coordinator.
    public let peer: Peer
    /// Its name.
    public let name: String
    /// Where other workers reach it; empty if nowhere.
    public let address: String
    /// The key that it shows there; empty without encryption.
    public let key: String
  }

  /// Notes that a worker has contents, which must be the run's.
  public mutating func noteHeld(_ contents: some Sequence<String>, by peer: Peer) {
    guard let id = peers[peer] else { return }
    for content in contents { self.contents.add(content, id) { workers[$0] != nil } }
  }

  /// Notes that a worker did not give a content that it had said it has.
  public mutating func noteFailed(_ content: String, holder name: String) {
    if let id = names[name] { contents.remove(content, id) }
  }

  /// Whom a worker may ask directly for a content, the first one first.
  ///
  /// Nobody who is leaving or silent; and nobody who can be reached on its own machine only, unless the asker is there too.
  public mutating func holders(of content: String, for peer: Peer) -> [ContentHolder] {
    guard let asker = peers[peer] else { return [] }
    let isLocal = Self.isLoopback(workers[asker]!.hello.address)
    let workers = workers
    return contents.choose(DownloadElsewhere.limit, of: content) { id in
      guard id != asker, let worker = workers[id], worker.canBeAsked, !worker.hello.address.isEmpty
      else { return false }
      return isLocal || !Self.isLoopback(worker.hello.address)
    }.map { holder($0) }
  }

  /// Whom the coordinator asks for a content that somebody else wants: always the same one, as long as it is there.
  public func relay(of content: String, except tried: Set<UInt64>) -> ContentHolder? {
    contents.holders(of: content) { id in
      guard !tried.contains(id), let worker = workers[id] else { return false }
      return worker.canBeAsked
    }.first.map { holder($0) }
  }

  /// Where a worker is connected now; nil if it is gone.
  public func peer(ofWorker id: UInt64) -> Peer? { workers[id]?.peer }

  /// The keys by which the workers of one key are known to the others.
  public func contentKeys(of name: String) -> [String] {
    workers.values.filter { isWorker($0.hello.name, of: name) && !$0.hello.key.isEmpty }.map(\.hello.key).sorted()
  }

  /// The key that a worker shows to others; empty without encryption, or if it is gone.
  public func contentKey(of peer: Peer) -> String { peers[peer].flatMap { workers[$0]?.hello.key } ?? "" }

  /// The connections of all workers.
  public var allPeers: [Peer] { index.all.compactMap { workers[$0]?.peer } }

  private func holder(_ id: UInt64) -> ContentHolder {
    let worker = workers[id]!
    return ContentHolder(
      id: id, peer: worker.peer, name: worker.hello.name, address: worker.hello.address, key: worker.hello.key)
  }

  private static func isLoopback(_ address: String) -> Bool {
    address.hasPrefix("tcp://127.") || address.hasPrefix("tcp://[::1]")
  }
}

extension WorkerRecord {
  /// Whether it may be asked for a content: it is there, and not about to leave.
  fileprivate var canBeAsked: Bool { isLive && !isQuiet }
}
