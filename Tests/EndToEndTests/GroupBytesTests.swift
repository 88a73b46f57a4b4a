import Foundation
import Testing

/// One model that several workers may share.
private let sharedExperiment = """
  name: shared
  seed: 3
  data: [{name: sample, layout: manifest, path: sample/manifest.csv}]
  folds: {count: 2}
  train: {epochs: 2, warmup_epochs: 0.5, batch: 16, logical_shards: 4}
  models: [{name: voice, architecture: audio-cnn}]
  baselines: []
  cluster: {lease_ms: 4000, heartbeat_ms: 500, checkpoint_every_s: 60}

  """

@Suite(.serialized) struct `groups of workers` {
  @Test func `of one to four give the same bytes on every route, whoever is lost`() throws {
    let scratch = try Scratch()
    let folder = scratch.url
    _ = try scratch.write(sharedExperiment, to: "small.yaml")
    let made = try Program.run(["sample", "sample", "--clips", "96", "--seed", "5"], in: folder)
    #expect(made.status == 0, "\(made.errors)")
    for mode in ["exact", "fixed16"] {
      var expected: [String: String]?
      let routes =
        mode == "exact"
        ? [(1, "auto"), (2, "shared-memory"), (3, "direct"), (4, "coordinator")] : [(1, "auto"), (3, "auto")]
      for (members, route) in routes {
        let cluster = SmallCluster(
          folder, run: "\(mode)-\(members)",
          options: [
            "--set", "cluster.workers_per_job=\(members)", "--set", "cluster.route=\(route)", "--set",
            "train.reduce=\(mode)",
          ])
        try cluster.startCoordinator()
        for _ in 0..<members { try cluster.startWorker() }
        if mode == "exact", members > 1 {
          // In the middle of a step, most likely: the others make it again, or all of them wait for the coordinator.
          #expect(cluster.wait(seconds: 120) { cluster.logs.contains("shared with \(members - 1) others") })
          usleep(700_000)
          if members < 4 { kill(cluster.workers[1].processIdentifier, SIGKILL) }
          if members != 3 {
            kill(cluster.coordinator!.processIdentifier, SIGKILL)
            usleep(300_000)
            try cluster.startCoordinator()
          }
        }
        #expect(try cluster.finish() == 0)
        let audit = try Program.run(["audit", cluster.run.path], in: folder)
        #expect(audit.status == 0 && audit.output.contains("used exactly once"), "\(audit.output)\(audit.errors)")
        let found = try RunDigest.files(of: cluster.run)
        let wanted = expected ?? found
        expected = wanted
        let different = Set(found.keys).union(wanted.keys).filter { found[$0] != wanted[$0] }.sorted()
        #expect(different.isEmpty, "\(mode), \(members) workers, \(route): \(different)")
        if members > 1, route != "auto" {
          #expect(cluster.logs.contains("after step 0: \(route), bound: "), "\(cluster.logs.suffix(2_000))")
        }
      }
    }
  }
}

extension SmallCluster {
  /// What all jobs have logged.
  fileprivate var logs: String {
    let folder = run.appending(path: "Logs")
    let names = FileManager.default.enumerator(atPath: folder.path)?.compactMap { $0 as? String } ?? []
    return names.filter { $0.hasSuffix(".log") }
      .map { (try? String(contentsOf: folder.appending(path: $0), encoding: .utf8)) ?? "" }.joined()
  }
}
