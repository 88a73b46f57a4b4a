import ArgumentParser
import Cluster
import Foundation

/// What training takes without a cluster.
struct BenchmarkPlain: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plain",
    abstract: "Measure a whole experiment in this process alone, without coordinator and workers.",
    discussion: """
      Does the same jobs with the same results as `unmask train --workers 1 --threads 1`, one after the other. Prints one
      JSON line: the seconds of each kind of job, and of all. `Scripts/bench/cluster` compares.

      EXAMPLE
        unmask benchmark plain cluster/experiments/quickstart.yaml --output /tmp/plain --cache /tmp/plain-cache
      """)

  @Argument(help: "The experiment file (YAML).")
  var experiment: String

  @Option(help: "Folder for decoded samples.")
  var cache: String

  @OptionGroup var place: RunOptions

  func run() throws {
    let settings = try place.load(experiment)
    let start = DispatchTime.now().uptimeNanoseconds
    let seconds = try PlainRun(
      experiment: settings, directory: place.directory(for: settings), cache: URL(filePath: cache)
    ).run()
    let all = Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9
    let object: [String: Any] = ["benchmark": "plain", "seconds": all, "jobs_s": seconds]
    let data = try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys])
    print(String(decoding: data, as: UTF8.self))
  }
}
