import ArgumentParser
import Cluster
import Services
import Transport

/// How a worker or operator reaches a coordinator.
struct AccessOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "The file of the key to show; by default own.key in ~/.config/unmask/keys, and none on this machine.",
      valueName: "file"))
  var key: String?

  @Flag(help: "Use no keys and no encryption: only in a private network.")
  var insecure = false

  func validate() throws {
    if insecure && key != nil { throw ValidationError("--insecure and --key exclude each other") }
  }

  /// What the socket needs.
  func security(for coordinator: String) throws -> SocketOptions.Security {
    try Access.calling(coordinator, key: key, isInsecure: insecure)
  }

  /// Somebody to ask the coordinator.
  func client(for coordinator: String) throws -> OperatorClient {
    OperatorClient(coordinator, security: try security(for: coordinator), version: programVersion)
  }
}
