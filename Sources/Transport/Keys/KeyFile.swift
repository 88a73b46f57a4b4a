public import Foundation
import Glibc

/// A secret key on the disk, readable by its owner alone. A worker's or operator's also names the coordinator that it
/// trusts, so that copying one file to a machine is all that joining takes.
///
///     unmask-key 1
///     name machine-2
///     public …
///     secret …
///     coordinator …
public struct KeyFile: Sendable, Equatable {
  /// Whose key it is: the name that it was authorised under.
  public let name: String
  /// The keys.
  public let pair: KeyPair
  /// The public key of the coordinator that its holder talks to; nil in the coordinator's own file.
  public let coordinator: String?

  /// Describes a file.
  public init(name: String, pair: KeyPair, coordinator: String?) {
    (self.name, self.pair, self.coordinator) = (name, pair, coordinator)
  }

  /// Reads a file.
  ///
  /// - Throws: one sentence if it is not there, is no key file, or may be read by others than its owner.
  public init(contentsOf file: URL) throws {
    let text = try readPrivate(file, forbidden: 0o077)
    var fields: [String: String] = [:]
    for line in text.split(separator: "\n") {
      let words = line.split(separator: " ", maxSplits: 1).map(String.init)
      if words.count == 2 { fields[words[0]] = words[1] }
    }
    guard fields["unmask-key"] == "1", let name = fields["name"], let open = fields["public"],
      let secret = fields["secret"], KeyPair.isKey(open), KeyPair.isKey(secret),
      fields["coordinator"].map(KeyPair.isKey) ?? true
    else { throw TransportError("\(file.path) is not a key of Unmask; make one with: unmask keys new NAME") }
    self.init(name: name, pair: KeyPair(publicKey: open, secretKey: secret), coordinator: fields["coordinator"])
  }

  /// Writes a new file that only its owner can read.
  ///
  /// - Throws: one sentence if it is there already or cannot be made.
  public func write(to file: URL) throws {
    var text = "unmask-key 1\nname \(name)\npublic \(pair.publicKey)\nsecret \(pair.secretKey)\n"
    if let coordinator { text += "coordinator \(coordinator)\n" }
    try writePrivate(text, to: file, replacing: false)
  }
}

/// The text of a file that nobody but its owner may touch in the forbidden ways.
func readPrivate(_ file: URL, forbidden: mode_t) throws -> String {
  let handle = open(file.path, O_RDONLY | O_CLOEXEC)
  guard handle >= 0 else {
    throw TransportError("\(file.path) cannot be read: \(String(cString: strerror(errno)))")
  }
  defer { close(handle) }
  var facts = stat()
  guard fstat(handle, &facts) == 0, facts.st_mode & S_IFMT == S_IFREG, facts.st_size <= 1 << 20 else {
    throw TransportError("\(file.path) is not a small plain file; give the path of a key file")
  }
  guard facts.st_uid == geteuid() || facts.st_uid == 0 else {
    throw TransportError("\(file.path) belongs to another user; copy it to a file of your own")
  }
  guard facts.st_mode & forbidden == 0 else {
    let mode = String(facts.st_mode & 0o777, radix: 8)
    throw TransportError("\(file.path) is open to other users (mode \(mode)); run: chmod 600 \(file.path)")
  }
  let bytes = [UInt8](unsafeUninitializedCapacity: Int(facts.st_size)) { buffer, count in
    count = max(0, read(handle, buffer.baseAddress, buffer.count))
  }
  return String(decoding: bytes, as: UTF8.self)
}

/// Writes a file of mode 0600 that appears complete.
func writePrivate(_ text: String, to file: URL, replacing: Bool) throws {
  func problem(_ action: String) -> TransportError {
    TransportError("\(file.path) cannot be \(action): \(String(cString: strerror(errno)))")
  }
  let temporary = "\(file.path).tmp-\(getpid())"
  unlink(temporary)
  let handle = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
  guard handle >= 0 else { throw problem("made") }
  defer {
    close(handle)
    unlink(temporary)
  }
  let bytes = Array(text.utf8)
  guard fchmod(handle, 0o600) == 0, write(handle, bytes, bytes.count) == bytes.count, fsync(handle) == 0 else {
    throw problem("written")
  }
  // A link fails if the name is taken: a key that others rely on is never written over.
  guard (replacing ? rename(temporary, file.path) : link(temporary, file.path)) == 0 else { throw problem("made") }
}
