import Synchronization

/// Decides who may connect to a worker that gives others what it has: the holders of keys that the coordinator has named.
///
/// The pair is made for this process; the worker shows it to others too when it asks them.
public final class PeerDoor: Gatekeeper {
  let pair = KeyPair.make()
  let domain = "unmask-\(UInt64.random(in: 0...UInt64.max))"
  private let admitted = Mutex<Set<String>>([])

  /// Lets nobody in yet.
  public init() {}

  /// The key by which others know this worker.
  public var publicKey: String { pair.publicKey }

  /// The key to show to another worker whose own key is this.
  public func key(for listener: String) -> KeyFile { KeyFile(name: "worker", pair: pair, coordinator: listener) }

  /// Lets the holders of these keys in from now on, and nobody else.
  public func admit(_ publicKeys: Set<String>) { admitted.withLock { $0 = publicKeys } }

  /// Somebody unknown is put off rather than refused: the coordinator's word may come later than he does. The self-test,
  /// which knocks at a local socket, is refused.
  func verdict(on publicKey: String, from address: String) -> Verdict {
    if admitted.withLock({ $0.contains(publicKey) }) { return .admitted }
    return address.hasPrefix("localhost:") ? .refused : .tryAgain
  }
}
