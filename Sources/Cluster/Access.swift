import Foundation
public import Transport

/// How connections are protected, from what the command line says: with keys wherever another machine could reach the
/// address, unless that was refused explicitly.
public enum Access {
  /// For a coordinator. Keys that are named hold on this machine's own addresses too.
  ///
  /// - Throws: one sentence if there should be keys and are none.
  public static func listening(at address: String, keys: String?, isInsecure: Bool) throws -> SocketOptions.Security {
    guard !isInsecure, keys != nil || !Address.isLocal(address) else { return .none }
    let folder = keys.map { KeyFolder(URL(filePath: $0)) } ?? .standard
    do {
      return .keys(try Doorkeeper(folder))
    } catch let error as TransportError where keys == nil && !FileManager.default.fileExists(atPath: folder.url.path) {
      throw AccessProblem(
        description:
          "\(address) can be reached from other machines, so that it needs keys: \(error), or give --insecure "
          + "in a private network")
    }
  }

  /// For a worker or an operator.
  ///
  /// - Throws: one sentence if there should be a key and is none, or if others may read it.
  public static func calling(_ address: String, key: String?, isInsecure: Bool) throws -> SocketOptions.Security {
    guard !isInsecure, key != nil || !Address.isLocal(address) else { return .none }
    return .key(try key.map { try own(KeyFile(contentsOf: URL(filePath: $0))) } ?? KeyFolder.standard.own())
  }

  /// The coordinator's own file serves its machine's operator too.
  private static func own(_ key: KeyFile) -> KeyFile {
    key.coordinator == nil ? KeyFile(name: key.name, pair: key.pair, coordinator: key.pair.publicKey) : key
  }
}

/// Keys that should be there and are not.
struct AccessProblem: Error, CustomStringConvertible { let description: String }
