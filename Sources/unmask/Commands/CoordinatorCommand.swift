import ArgumentParser
import Cluster
import Foundation

/// The process that owns a run.
struct CoordinatorCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "coordinator",
    abstract: "Own a run: hand out its jobs to workers and merge their results.",
    discussion: """
      Of several experiments, each begins when the one before it is over, in a folder of its own, and the workers stay.
      Workers may join and leave at any time. If the coordinator is killed, the same command goes on where it was.
      Where other machines can reach it, only holders of keys get in (unmask keys), and everything is encrypted.

      EXAMPLE
        unmask coordinator cluster/experiments/quickstart.yaml --listen tcp://0.0.0.0:5555 --output runs/quickstart
        unmask coordinator first.yaml second.yaml --listen tcp://0.0.0.0:5555 --output runs
      """)

  @Argument(help: "The experiment files (YAML).")
  var experiments: [String]

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
    let settings = try experiments.map { try place.load($0) }
    let names = settings.map(\.name)
    if let twice = names.first(where: { name in names.count { $0 == name } > 1 }) {
      throw ValidationError("two of the experiments are called \(twice); give each its own name")
    }
    let entries = settings.map {
      CoordinatorQueue.Entry(experiment: $0, directory: place.directory(for: $0, isOneOfMany: settings.count > 1))
    }
    let security = try Access.listening(at: listen, keys: keys, isInsecure: insecure)
    let queue = CoordinatorQueue(entries, listen: listen, security: security)
    _ = Signals.interrupted([SIGINT, SIGTERM]) { queue.stop() }
    let isWhole = try queue.run { table, entry in
      print(table)
      print("report: \(entry.directory.appending(path: "report.html").path)")
    }
    guard isWhole else {
      FileHandle.standardError.write(Data("unmask: stopped; the same command goes on from here\n".utf8))
      throw ExitCode(1)
    }
  }
}
