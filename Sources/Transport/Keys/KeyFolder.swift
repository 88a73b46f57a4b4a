public import Foundation
import Glibc

/// The keys of a machine: its own secret ones, and at the coordinator the list of who may come in.
///
///     coordinator.key   the coordinator's own
///     NAME.key          a worker's or operator's, made here to be copied to its machine
///     own.key           what this machine uses as a worker or operator, if no other file is named
///     authorised        one line a key: ROLE NAME PUBLIC
public struct KeyFolder: Sendable {
  /// What the holder of a key may do.
  public enum Role: String, Sendable, CaseIterable {
    /// Do jobs, and ask how the run is.
    case worker
    /// Ask how the run is, read logs, cancel jobs, send workers away.
    case `operator`
  }

  /// Somebody who may come in.
  public struct Entry: Sendable, Equatable {
    /// What for.
    public let role: Role
    /// Who.
    public let name: String
    /// By which key.
    public let publicKey: String
  }

  /// The folder.
  public let url: URL

  /// A folder that need not be there yet.
  public init(_ url: URL) { self.url = url }

  /// `$XDG_CONFIG_HOME/unmask/keys`, by default `~/.config/unmask/keys`.
  public static var standard: KeyFolder {
    let home = FileManager.default.homeDirectoryForCurrentUser.appendingPathComponent(".config")
    let base = ProcessInfo.processInfo.environment["XDG_CONFIG_HOME"].map { URL(filePath: $0) } ?? home
    return KeyFolder(base.appendingPathComponent("unmask/keys"))
  }

  private var list: URL { url.appendingPathComponent("authorised") }

  /// The file of a name's key.
  public func file(_ name: String) -> URL { url.appendingPathComponent("\(name).key") }

  /// The coordinator's key.
  ///
  /// - Throws: one sentence if there is none.
  public func coordinator() throws -> KeyFile {
    guard FileManager.default.fileExists(atPath: file("coordinator").path) else {
      throw TransportError("there are no keys in \(url.path); make them with: unmask keys new NAME-OF-A-WORKER")
    }
    return try KeyFile(contentsOf: file("coordinator"))
  }

  /// What this machine shows a coordinator when no key file is named: its own, or on the coordinator's machine the
  /// coordinator's.
  ///
  /// - Throws: one sentence if there is neither.
  public func own() throws -> KeyFile {
    if FileManager.default.fileExists(atPath: file("own").path) { return try KeyFile(contentsOf: file("own")) }
    guard FileManager.default.fileExists(atPath: file("coordinator").path) else {
      throw TransportError(
        "this machine has no key \(file("own").path); run \"unmask keys new NAME\" on the coordinator's machine and "
          + "copy the file here, or give --insecure in a private network")
    }
    let key = try coordinator()
    return KeyFile(name: key.name, pair: key.pair, coordinator: key.pair.publicKey)
  }

  /// Makes a key, and lets its holder in. The first time, the coordinator gets one too.
  ///
  /// - Throws: one sentence if the name is taken or no name, or if a file cannot be written.
  public func make(_ name: String, role: Role) throws -> KeyFile {
    try check(name)
    try makePrivateFolder()
    if !FileManager.default.fileExists(atPath: file("coordinator").path) {
      try KeyFile(name: "coordinator", pair: .make(), coordinator: nil).write(to: file("coordinator"))
    }
    guard try !entries().contains(where: { $0.name == name }) else {
      throw TransportError("there is a key named \(name) already; revoke it first, or choose another name")
    }
    let key = KeyFile(name: name, pair: .make(), coordinator: try coordinator().pair.publicKey)
    unlink(file(name).path)  // left over from a key that was revoked
    try key.write(to: file(name))
    try authorise(key.pair.publicKey, name: name, role: role)
    return key
  }

  /// Lets the holder of a key in.
  ///
  /// - Throws: one sentence if name or key are none or known already.
  public func authorise(_ publicKey: String, name: String, role: Role) throws {
    try check(name)
    guard KeyPair.isKey(publicKey) else {
      throw TransportError(
        "\"\(publicKey)\" is not a public key: it has 40 characters, and \"unmask keys list\" shows it")
    }
    var entries = try entries()
    if let known = entries.first(where: { $0.name == name || $0.publicKey == publicKey }) {
      throw TransportError("\(known.name) is authorised already, with the key \(known.publicKey); revoke it first")
    }
    entries.append(Entry(role: role, name: name, publicKey: publicKey))
    try makePrivateFolder()
    try write(entries)
  }

  /// Takes a key's right away; a running coordinator notices within a second.
  ///
  /// - Throws: one sentence if nobody has that name or key.
  public func revoke(_ nameOrKey: String) throws -> Entry {
    let entries = try entries()
    guard let entry = entries.first(where: { $0.name == nameOrKey || $0.publicKey == nameOrKey }) else {
      let known = entries.map(\.name).joined(separator: ", ")
      throw TransportError("no key is named \(nameOrKey)" + (known.isEmpty ? "" : "; there are \(known)"))
    }
    try write(entries.filter { $0 != entry })
    return entry
  }

  /// Everybody who may come in.
  ///
  /// - Throws: one sentence about a list that others can change, or a line that cannot be read.
  public func entries() throws -> [Entry] {
    guard FileManager.default.fileExists(atPath: list.path) else { return [] }
    return try readPrivate(list, forbidden: 0o022).split(separator: "\n").map { line in
      let words = line.split(separator: " ").map(String.init)
      guard words.count == 3, let role = Role(rawValue: words[0]), KeyPair.isKey(words[2]) else {
        throw TransportError("\(list.path) has a line that is not \"ROLE NAME PUBLIC\": \(line.prefix(40))")
      }
      return Entry(role: role, name: words[1], publicKey: words[2])
    }
  }

  /// Changes whenever the list does.
  var stamp: [Int] {
    var facts = stat()
    guard stat(list.path, &facts) == 0 else { return [] }
    return [Int(facts.st_ino), facts.st_mtim.tv_sec, facts.st_mtim.tv_nsec, Int(facts.st_size)]
  }

  private func write(_ entries: [Entry]) throws {
    let text = entries.map { "\($0.role.rawValue) \($0.name) \($0.publicKey)\n" }.joined()
    try writePrivate(text, to: list, replacing: true)
  }

  private func makePrivateFolder() throws {
    do {
      try FileManager.default.createDirectory(
        at: url, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
    } catch {
      throw TransportError("\(url.path) cannot be made: \(error.localizedDescription); choose another --keys folder")
    }
  }

  private func check(_ name: String) throws {
    let isGood = (1...64).contains(name.utf8.count) && name.utf8.allSatisfy { Self.letters.contains($0) }
    guard isGood, !["coordinator", "own"].contains(name), !name.hasPrefix(".") else {
      throw TransportError("\"\(name)\" cannot name a key: use letters, digits, points and hyphens")
    }
  }

  private static let letters = Set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_".utf8)
}
