import Foundation
import Synchronization

/// Decides who may connect to a coordinator: the holders of authorised keys, and of the coordinator's own.
///
/// The list is read again when its file changes. ZeroMQ asks once a connection; whoever reads messages asks
/// `entry(for:)` again for each, so that a key that was revoked counts no more at once.
public final class Doorkeeper: Gatekeeper {
  /// Somebody who knocked with a key that is not authorised.
  public struct Stranger: Sendable, Equatable {
    /// The key.
    public let publicKey: String
    /// Where from.
    public let address: String
  }

  private struct State: Sendable {
    var entries: [String: KeyFolder.Entry] = [:]
    var stamp: [Int] = []
    var strangers: [Stranger] = []
  }

  let pair: KeyPair
  let domain = "unmask-\(UInt64.random(in: 0...UInt64.max))"
  private let folder: KeyFolder
  private let state = Mutex(State())

  /// Reads a folder's coordinator key and its list.
  ///
  /// - Throws: one sentence about keys that are missing or open to others.
  public init(_ folder: KeyFolder) throws {
    self.folder = folder
    pair = try folder.coordinator().pair
    let entries = try folder.entries()
    state.withLock { $0.entries = indexed(entries) }
    state.withLock { $0.stamp = folder.stamp }
  }

  /// The coordinator's public key.
  public var publicKey: String { pair.publicKey }

  /// Who may come in, by key. The holder of the coordinator's own key is its machine's operator.
  private func indexed(_ entries: [KeyFolder.Entry]) -> [String: KeyFolder.Entry] {
    let own = KeyFolder.Entry(role: .operator, name: "coordinator", publicKey: pair.publicKey)
    return Dictionary(([own] + entries).map { ($0.publicKey, $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// Who has this key, if he may still come in.
  public func entry(for publicKey: String) -> KeyFolder.Entry? { state.withLock { $0.entries[publicKey] } }

  /// Reads the list again if it has changed; who was revoked since the last time. A list that cannot be read changes
  /// nothing.
  public func refresh() throws -> [KeyFolder.Entry] {
    let stamp = folder.stamp
    guard state.withLock({ $0.stamp != stamp }) else { return [] }
    let fresh = indexed(try folder.entries())
    return state.withLock { state in
      let lost = state.entries.values.filter { fresh[$0.publicKey] != $0 }
      (state.entries, state.stamp) = (fresh, stamp)
      return lost.sorted { $0.name < $1.name }
    }
  }

  /// Who knocked in vain since the last call; at most a hundred.
  public func takeStrangers() -> [Stranger] {
    state.withLock { state in
      defer { state.strangers = [] }
      return state.strangers
    }
  }

  /// Whether the holder of a key may connect.
  func verdict(on publicKey: String, from address: String) -> Verdict {
    if state.withLock({ $0.entries[publicKey] != nil }) { return .admitted }
    // A key that was authorised a moment ago; what was revoked is for `refresh` to find.
    if let fresh = try? folder.entries().first(where: { $0.publicKey == publicKey }) {
      state.withLock { $0.entries[publicKey] = fresh }
      return .admitted
    }
    return state.withLock { state in
      let stranger = Stranger(publicKey: publicKey, address: address)
      // A local socket's address is user and process behind this word: that is the self-test.
      if !address.hasPrefix("localhost:"), state.strangers.count < 100, !state.strangers.contains(stranger) {
        state.strangers.append(stranger)
      }
      return .refused
    }
  }
}
