import Foundation
import Testing

/// Real processes that do not see the data, each with a cache of its own: they give each other what they have fetched.
@Suite(.serialized) struct `samples from other workers` {
  private let experiment = """
    name: small
    seed: 11
    data: [{name: sample, layout: manifest, path: sample/manifest.csv}]
    folds: {count: 3}
    train: {epochs: 3, warmup_epochs: 0.5, logical_shards: 2}
    models:
      - {name: voice, architecture: audio-cnn}
    cluster: {lease_ms: 4000, heartbeat_ms: 500, checkpoint_every_s: 1}

    """

  @Test func `leave the same bytes when a worker is killed, and when the coordinator's data is gone`() throws {
    let scratch = try Scratch()
    let folder = scratch.url
    _ = try scratch.write(experiment, to: "small.yaml")
    #expect(try Program.run(["sample", "sample", "--clips", "48", "--seed", "5"], in: folder).status == 0)
    let quiet = SmallCluster(folder, run: "quiet")
    try quiet.startCoordinator()
    try quiet.startWorker()
    #expect(try quiet.finish() == 0)
    let expected = try RunDigest.files(of: quiet.run)

    let killed = try start(folder, "killed")
    #expect(killed.wait(seconds: 60) { killed.count("Work/prepared") > 0 })
    kill(killed.workers[0].processIdentifier, SIGKILL)
    try killed.startWorker(withoutData: "64M", cache: "killed-4")
    #expect(try killed.finish() == 0)
    try expectSame(killed, expected)

    let lost = try start(folder, "lost")
    #expect(
      lost.wait(seconds: 60) { lost.tail("coordinator-1.err").contains("train/voice") },
      "\(lost.tail("coordinator-1.err"))")
    let data = folder.appending(path: "sample")
    try FileManager.default.removeItem(at: data)
    #expect(try lost.finish() == 0)
    try expectSame(lost, expected)
    let log = try String(contentsOf: folder.appending(path: "lost-coordinator-1.err"), encoding: .utf8)
    #expect(log.contains("is not there any more as it was when the run began"), "\(log.suffix(3_000))")
  }

  /// A run with keys, whose three workers have no data.
  private func start(_ folder: URL, _ run: String) throws -> SmallCluster {
    let keys = folder.appending(path: "keys")
    if !FileManager.default.fileExists(atPath: keys.path) {
      for number in 1...4 {
        #expect(try Program.run(["keys", "new", "w\(number)", "--keys", keys.path]).status == 0)
      }
    }
    let cluster = SmallCluster(folder, run: run, keys: keys)
    try cluster.startCoordinator()
    for number in 1...3 { try cluster.startWorker(withoutData: "64M", cache: "\(run)-\(number)") }
    return cluster
  }

  private func expectSame(_ cluster: SmallCluster, _ expected: [String: String]) throws {
    let audit = try Program.run(["audit", cluster.run.path], in: cluster.folder)
    #expect(audit.status == 0 && audit.output.contains("used exactly once"), "\(audit.output)\(audit.errors)")
    let found = try RunDigest.files(of: cluster.run)
    let different = Set(found.keys).union(expected.keys).filter { found[$0] != expected[$0] }.sorted()
    #expect(different.isEmpty, "\(cluster.run.lastPathComponent) differs in \(different)")
    let logs = (1...cluster.workers.count).map { cluster.tail("w\($0).err") }
    #expect(logs.contains { $0.contains("from other workers") }, "\(logs)")
  }
}
