import ArgumentParser
import Cluster
import Foundation
import Services
import Wire

/// Ends a run or a job.
struct CancelCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cancel",
    abstract: "Cancel a run, one job and what needs it, or an experiment that waits.",
    discussion: """
      Workers of a cancelled run leave, and its coordinator ends. What is done is kept: the same command goes on.

      EXAMPLE
        unmask cancel tcp://10.0.0.5:5555
        unmask cancel tcp://10.0.0.5:5555 train/frames/3
        unmask cancel tcp://10.0.0.5:5555 second-experiment
      """)

  @Argument(help: "The coordinator's address, e.g. tcp://HOST:5555.")
  var coordinator: String

  @Argument(help: "A job or a waiting experiment as `unmask status` shows it; the whole run if there is none.")
  var job: String?

  @OptionGroup var access: AccessOptions

  func run() throws { print(try access.client(for: coordinator).operate(.cancel, job ?? "")) }
}

/// Sends a worker away.
struct DrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "drain",
    abstract: "Send a worker away: it saves its checkpoints and leaves, and its jobs go on elsewhere.",
    discussion: """
      EXAMPLE
        unmask drain tcp://10.0.0.5:5555 machine-2/gpu2-4711
      """)

  @Argument(help: "The coordinator's address, e.g. tcp://HOST:5555.")
  var coordinator: String

  @Argument(help: "The worker's name as `unmask status` shows it.")
  var worker: String

  @OptionGroup var access: AccessOptions

  func run() throws { print(try access.client(for: coordinator).operate(.drain, worker)) }
}

/// Shows a job's log.
struct LogsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "logs",
    abstract: "Show the log of a job, from all workers that had it.",
    discussion: """
      EXAMPLE
        unmask logs tcp://10.0.0.5:5555 train/frames/0 --follow
      """)

  @Argument(help: "The coordinator's address, e.g. tcp://HOST:5555.")
  var coordinator: String

  @Argument(help: "The job's name as `unmask status` shows it.")
  var job: String

  @Flag(help: "Go on until the job is over.")
  var follow = false

  @OptionGroup var access: AccessOptions

  func run() throws {
    let client = try access.client(for: coordinator)
    var offset = 0
    while true {
      let piece = try client.log(of: job, from: offset)
      FileHandle.standardOutput.write(Data(piece.bytes))
      offset += piece.bytes.count
      guard offset >= piece.size || piece.bytes.isEmpty else { continue }
      guard follow, !piece.isOver else { return }
      usleep(500_000)
    }
  }
}
