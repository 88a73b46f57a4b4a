import ArgumentParser
import Cluster
import Files
import Foundation

/// A process that does jobs for a coordinator.
struct WorkerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "worker",
    abstract: "Do jobs for a coordinator until its run is complete.",
    discussion: """
      Waits for a coordinator that is not there yet. SIGTERM hands over what it is doing and leaves within ten seconds.
      Samples that this machine does not have, or has with another content, are fetched from other workers that have them,
      at a port that each opens for that, or from the coordinator.

      EXAMPLE
        unmask worker --coordinator tcp://10.0.0.5:5555 --key machine-2.key --threads 4 --data sample=/mnt/copy/manifest.csv
      """)

  @Option(help: "The coordinator's address, e.g. tcp://HOST:5555.")
  var coordinator: String

  @Option(help: "Threads that compute; by default one a processor.")
  var threads: Int?

  @Option(help: "This worker's name in logs and status; by default host and process number.")
  var name: String?

  @OptionGroup var places: DataOptions

  @Option(help: "Folder for fetched and decoded samples; workers of one machine may share it.")
  var cache: String?

  @Option(
    help: ArgumentHelp(
      "How large that folder may grow, e.g. 20G; by default four fifths of what it has and of what the disk has free.",
      valueName: "size"))
  var cacheLimit: String?

  @OptionGroup var access: AccessOptions

  func validate() throws {
    if let cacheLimit, (ByteSize.parse(cacheLimit) ?? 0) < 1_000_000 {
      throw ValidationError("--cache-limit \(cacheLimit): write a size of at least 1M, e.g. 20G")
    }
    if let threads, !(1...1024).contains(threads) { throw ValidationError("--threads must be between 1 and 1024") }
  }

  func run() throws {
    let process = WorkerProcess(
      coordinator: coordinator, name: name, threads: threads ?? ProcessInfo.processInfo.activeProcessorCount,
      data: places.paths, weights: places.weightPaths, cache: cache.map { URL(filePath: $0) },
      cacheLimit: cacheLimit.flatMap(ByteSize.parse),
      security: try access.security(for: coordinator))
    _ = Signals.interrupted([SIGINT, SIGTERM, SIGHUP]) { process.drain() }
    try process.run()
  }
}
