public import ArgumentParser
import Foundation
public import Transport

/// Keys of a cluster.
struct KeysCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "keys",
    abstract: "Make, authorise, list and revoke the keys of workers and operators.",
    discussion: """
      Wherever other machines can reach a coordinator, everything is encrypted, and only holders of authorised keys get
      in. Make a key on the coordinator's machine and copy its file to the machine that is to have it.

      EXAMPLE
        unmask keys new machine-2
        scp -p ~/.config/unmask/keys/machine-2.key machine-2:
      """,
    subcommands: [New.self, Authorise.self, List.self, Revoke.self])

  /// Where keys are.
  struct Place: ParsableArguments {
    @Option(help: "The folder of keys; by default ~/.config/unmask/keys.")
    var keys: String?

    var folder: KeyFolder { keys.map { KeyFolder(URL(filePath: $0)) } ?? .standard }
  }

  struct New: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Make a key and authorise it; the first time, the coordinator gets one too.",
      discussion: "EXAMPLE\n  unmask keys new machine-2")

    @Argument(help: "Whose key: a machine's or a person's name.")
    var name: String

    @Option(help: "worker: do jobs and ask for the status. operator: also read logs, cancel, drain.")
    var role = KeyFolder.Role.worker

    @OptionGroup var place: Place

    func run() throws {
      _ = try place.folder.make(name, role: role)
      print(place.folder.file(name).path)
    }
  }

  struct Authorise: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Let the holder of a public key in.",
      discussion: "EXAMPLE\n  unmask keys authorise 'PUBLIC-KEY' machine-3")

    @Argument(help: "The public key: 40 characters, in quotes.")
    var publicKey: String

    @Argument(help: "Whose key it is.")
    var name: String

    @Option(help: "worker or operator.")
    var role = KeyFolder.Role.worker

    @OptionGroup var place: Place

    func run() throws { try place.folder.authorise(publicKey, name: name, role: role) }
  }

  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show the coordinator's public key and all that are authorised.",
      discussion: "EXAMPLE\n  unmask keys list")

    @OptionGroup var place: Place

    @Flag(help: "Print one JSON object.")
    var json = false

    func run() throws {
      let coordinator = try place.folder.coordinator().pair.publicKey
      let entries = try place.folder.entries()
      if json {
        let object: [String: Any] = [
          "coordinator": coordinator,
          "authorised": entries.map { ["role": $0.role.rawValue, "name": $0.name, "public": $0.publicKey] },
        ]
        let data = try JSONSerialization.data(
          withJSONObject: object, options: [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes])
        return print(String(decoding: data, as: UTF8.self))
      }
      print("coordinator \(coordinator)")
      for entry in entries { print("\(entry.role.rawValue) \(entry.name) \(entry.publicKey)") }
    }
  }

  struct Revoke: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Take a key's right away; a running coordinator disconnects its holder within a second.",
      discussion: "EXAMPLE\n  unmask keys revoke machine-2")

    @Argument(help: "Whose key, or the public key.")
    var name: String

    @OptionGroup var place: Place

    func run() throws {
      let entry = try place.folder.revoke(name)
      print("revoked \(entry.role.rawValue) \(entry.name) \(entry.publicKey)")
    }
  }
}

extension KeyFolder.Role: ExpressibleByArgument {}
