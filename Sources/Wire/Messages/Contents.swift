import CWire

// Messages about contents that workers have and give to each other.

/// Worker: "I have these contents: others may ask me for them." Said again on every connection.
public struct ContentsHeld: Sendable, Equatable {
  /// The most contents in one message.
  public static let limit = 2_048
  /// The SHA-256 of each.
  public var contents: [String]

  /// Makes the message.
  public init(contents: [String]) { self.contents = contents }
}

extension ContentsHeld: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_contents_held() }

  func fill(_ raw: inout Unmask__ContentsHeld, _ arena: Arena) {
    (raw.n_contents, raw.contents) = arena.texts(contents)
  }

  init(reading raw: Unmask__ContentsHeld) throws {
    contents = try texts(raw.n_contents, raw.contents, "ContentsHeld.contents", limit: Self.limit)
    guard contents.allSatisfy({ ArtifactReference.isContent($0) }) else {
      throw WireError("ContentsHeld.contents has an entry that is no SHA-256")
    }
  }
}

/// A worker that has a content, for one that wants it.
public struct Holder: Sendable, Equatable {
  /// Its name.
  public var name: String
  /// Where it listens.
  public var address: String
  /// The key to expect there; empty without encryption.
  public var key: String
  /// What it lets the asker in for.
  public var ticket: UInt64

  /// Makes the part.
  public init(name: String, address: String, key: String, ticket: UInt64) {
    (self.name, self.address, self.key, self.ticket) = (name, address, key, ticket)
  }
}

extension Holder: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_holder() }

  func fill(_ raw: inout Unmask__Holder, _ arena: Arena) {
    raw.name = arena.text(name)
    raw.address = arena.text(address)
    raw.key = arena.text(key)
    raw.ticket = ticket
  }

  init(reading raw: Unmask__Holder) throws {
    name = try word(raw.name, "Holder.name")
    address = try word(raw.address, "Holder.address")
    key = try text(raw.key, "Holder.key")
    ticket = raw.ticket
  }
}

/// Coordinator: "Ask these." Answers a `DownloadWant` that allows it.
public struct DownloadElsewhere: Sendable, Equatable {
  /// The most workers that are named at once.
  public static let limit = 3
  /// The transfer.
  public var transfer: UInt64
  /// Whom to ask, in this order.
  public var holders: [Holder]

  /// Makes the message.
  public init(transfer: UInt64, holders: [Holder]) { (self.transfer, self.holders) = (transfer, holders) }
}

extension DownloadElsewhere: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_download_elsewhere() }

  func fill(_ raw: inout Unmask__DownloadElsewhere, _ arena: Arena) {
    raw.transfer = transfer
    (raw.n_holders, raw.holders) = arena.make(holders)
  }

  init(reading raw: Unmask__DownloadElsewhere) throws {
    transfer = raw.transfer
    holders = try parts(raw.n_holders, raw.holders, "DownloadElsewhere.holders", limit: Self.limit)
  }
}

/// Worker: "This worker did not give me the content."
public struct HolderFailed: Sendable, Equatable {
  /// The content's SHA-256.
  public var content: String
  /// The worker's name.
  public var holder: String
  /// What was wrong with it.
  public var trouble: HolderTrouble
  /// More about it, for people.
  public var sentence: String

  /// Makes the message.
  public init(content: String, holder: String, trouble: HolderTrouble, sentence: String) {
    (self.content, self.holder, self.trouble, self.sentence) = (content, holder, trouble, sentence)
  }
}

extension HolderFailed: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_holder_failed() }

  func fill(_ raw: inout Unmask__HolderFailed, _ arena: Arena) {
    raw.content = arena.text(content)
    raw.holder = arena.text(holder)
    raw.trouble = trouble.rawValue
    raw.sentence = arena.text(sentence, limit: Limits.sentence)
  }

  init(reading raw: Unmask__HolderFailed) throws {
    content = try word(raw.content, "HolderFailed.content")
    guard ArtifactReference.isContent(content) else { throw WireError("HolderFailed.content is no SHA-256") }
    holder = try word(raw.holder, "HolderFailed.holder")
    trouble = try choice(raw.trouble, "HolderFailed.trouble")
    sentence = try text(raw.sentence, "HolderFailed.sentence", limit: Limits.sentence)
  }
}

/// Coordinator: "Whoever shows this key and ticket may ask you for contents."
public struct PeerAdmitted: Sendable, Equatable {
  /// The ticket.
  public var ticket: UInt64
  /// The key; empty without encryption.
  public var key: String
  /// For how long, in milliseconds.
  public var validity: Int

  /// Makes the message.
  public init(ticket: UInt64, key: String, validity: Int) {
    (self.ticket, self.key, self.validity) = (ticket, key, validity)
  }
}

extension PeerAdmitted: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_peer_admitted() }

  func fill(_ raw: inout Unmask__PeerAdmitted, _ arena: Arena) {
    raw.ticket = ticket
    raw.key = arena.text(key)
    raw.valid_ms = UInt64(validity)
  }

  init(reading raw: Unmask__PeerAdmitted) throws {
    ticket = raw.ticket
    key = try text(raw.key, "PeerAdmitted.key")
    validity = try number(raw.valid_ms, "PeerAdmitted.validity", in: 1...86_400_000)
  }
}

/// Coordinator: "The holder of this key may ask you for nothing any more: cut it off."
public struct PeerRevoked: Sendable, Equatable {
  /// The key.
  public var key: String

  /// Makes the message.
  public init(key: String) { self.key = key }
}

extension PeerRevoked: WireBody {
  static var type: UnsafePointer<ProtobufCMessageDescriptor> { unmask_type_peer_revoked() }

  func fill(_ raw: inout Unmask__PeerRevoked, _ arena: Arena) { raw.key = arena.text(key) }

  init(reading raw: Unmask__PeerRevoked) throws { key = try text(raw.key, "PeerRevoked.key") }
}
