import ArgumentParser
import Cluster
import Foundation

/// The process that owns a run.
struct CoordinatorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "coordinator",
    abstract: "Own a run: hand out its jobs to workers and merge their results.",
    discussion: """
      Workers may join and leave at any time. If the coordinator is killed, the same command goes on where it was.
      Where other machines can reach it, only holders of keys get in (unmask keys), and everything is encrypted.

      EXAMPLE
        unmask coordinator cluster/experiments/quickstart.yaml --listen tcp://0.0.0.0:5555 --output runs/quickstart
      """)

  @Argument(help: "The experiment file (YAML).")
  var experiment: String

  @Option(help: "The address to listen at, e.g. tcp://0.0.0.0:5555.")
  var listen = "tcp://127.0.0.1:5555"

  @OptionGroup var place: RunOptions

  @Option(
    help: ArgumentHelp(
      "The folder of keys; by default ~/.config/unmask/keys, and none for addresses that only this machine can reach.",
      valueName: "folder"))
  var keys: String?

  @Flag(help: "Let everybody in and encrypt nothing: only in a private network.")
  var insecure = false

  func validate() throws {
    if insecure && keys != nil { throw ValidationError("--insecure and --keys exclude each other") }
  }

  func run() throws {
    let settings = try place.load(experiment)
    let directory = place.directory(for: settings)
    let security = try Access.listening(at: listen, keys: keys, isInsecure: insecure)
    let process = CoordinatorProcess(
      experiment: settings, directory: directory, listen: listen, security: security)
    _ = Signals.interrupted([SIGINT, SIGTERM]) { process.stop() }
    guard let table = try process.run() else {
      FileHandle.standardError.write(Data("unmask: stopped; the same command goes on from here\n".utf8))
      throw ExitCode(1)
    }
    print(table)
    print("report: \(directory.appending(path: "report.html").path)")
  }
}
