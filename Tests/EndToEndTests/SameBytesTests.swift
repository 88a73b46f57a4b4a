import Files
import Foundation
import Testing

/// A small run: the three kinds of model and a frozen backbone, two folds, one or two epochs.
let smallExperiment = """
  name: small
  seed: 11
  data: [{name: sample, layout: manifest, path: sample/manifest.csv}]
  folds: {count: 2}
  train: {epochs: 2, warmup_epochs: 0.5, logical_shards: 2}
  models:
    - {name: frames, architecture: convnext-atto, train: {epochs: 1}}
    - {name: voice, architecture: audio-cnn}
    - {name: motion, architecture: temporal-difference, train: {epochs: 1}}
    - {name: backbone, architecture: dinov2-small, weights: weights, tune: frozen, balance: smote}
  fusion: [{name: mean, rule: mean}, {name: logistic, rule: logistic}]
  cluster: {lease_ms: 4000, heartbeat_ms: 500, checkpoint_every_s: 1}

  """

/// One coordinator and some workers, each a real process that can be killed.
final class SmallCluster {
  let folder: URL
  let run: URL
  let port = Int.random(in: 20_000..<32_000)
  private(set) var coordinator: Process?
  private(set) var workers: [Process] = []
  private var started = 0
  private let options: [String]
  private let keys: URL?

  init(_ folder: URL, run: String, options: [String] = [], keys: URL? = nil) {
    self.keys = keys
    self.folder = folder
    self.run = folder.appending(path: run)
    self.options = options
  }

  deinit {
    ([coordinator].compactMap { $0 } + workers).filter(\.isRunning).forEach { kill($0.processIdentifier, SIGKILL) }
  }

  var address: String { "tcp://127.0.0.1:\(port)" }

  func startCoordinator() throws {
    started += 1
    coordinator = try Program.start(
      ["coordinator", "small.yaml", "--listen", address, "--output", run.path] + options
        + (keys.map { ["--keys", $0.path] } ?? []), in: folder, output: log("coordinator-\(started).out"),
      errors: log("coordinator-\(started).err"))
  }

  /// Starts a worker where the data is, or in a folder without any, with a cache there of so many bytes.
  func startWorker(withoutData limit: String? = nil, cache: String = "cache", _ more: [String] = []) throws {
    let name = "w\(workers.count + 1)"
    let place = limit == nil ? folder : folder.appending(path: "elsewhere")
    try FileManager.default.createDirectory(at: place, withIntermediateDirectories: true)
    var options = limit.map { ["--cache-limit", $0] } ?? []
    let weights = folder.appending(path: "weights").path
    if limit != nil, FileManager.default.fileExists(atPath: weights) {
      options += ["--weights", "backbone=\(weights)"]
    }
    workers.append(
      try Program.start(
        [
          "worker", "--coordinator", address, "--threads", "1", "--name", name, "--cache",
          place.appending(path: cache).path,
        ] + options + more + (keys.map { ["--key", $0.appending(path: "\(name).key").path] } ?? []),
        in: place, output: log("\(name).out"), errors: log("\(name).err")))
  }

  private func log(_ name: String) -> URL { folder.appending(path: "\(run.lastPathComponent)-\(name)") }

  /// Waits until `condition` holds; false when the time is up or the coordinator ended first.
  func wait(seconds: Double, until condition: () -> Bool) -> Bool {
    let deadline = Date(timeIntervalSinceNow: seconds)
    while Date() < deadline {
      if condition() { return true }
      if coordinator?.isRunning == false { return condition() }
      usleep(20_000)
    }
    return false
  }

  /// How many files there are below a folder of the run.
  func count(_ path: String) -> Int {
    FileManager.default.enumerator(atPath: run.appending(path: path).path)?.compactMap { $0 as? String }
      .filter { $0.contains(".") && !$0.contains(".tmp") }.count ?? 0
  }

  /// Waits for the end of all; the coordinator's exit status.
  func finish(seconds: Double = 300) throws -> Int32 {
    guard let coordinator, wait(seconds: seconds, until: { !coordinator.isRunning }) else {
      Issue.record("the coordinator did not end within \(seconds) s: \(tail("coordinator-\(started).err"))")
      return -1
    }
    for (number, worker) in workers.enumerated() {
      let deadline = Date(timeIntervalSinceNow: 15)
      while worker.isRunning && Date() < deadline { usleep(20_000) }
      #expect(!worker.isRunning, "worker w\(number + 1) outlived the run: \(tail("w\(number + 1).err"))")
    }
    if coordinator.terminationStatus != 0 { Issue.record("coordinator: \(tail("coordinator-\(started).err"))") }
    return coordinator.terminationStatus
  }

  func tail(_ name: String) -> String {
    String(((try? String(contentsOf: log(name), encoding: .utf8)) ?? "").suffix(800))
  }
}

@Suite(.serialized) struct `same bytes` {
  @Test func `for one to eight workers, a shared job, and after kills of workers and coordinator`() throws {
    let scratch = try Scratch()
    let folder = scratch.url
    _ = try scratch.write(smallExperiment, to: "small.yaml")
    let fixture = URL(filePath: #filePath).deletingLastPathComponent()
      .appending(path: "../Fixtures/models/dinov2").standardizedFileURL
    try FileManager.default.copyItem(at: fixture, to: folder.appending(path: "weights"))
    let made = try Program.run(["sample", "sample", "--clips", "48", "--seed", "5"], in: folder)
    #expect(made.status == 0, "\(made.errors)")

    let quiet = SmallCluster(folder, run: "quiet")
    try quiet.startCoordinator()
    try quiet.startWorker()
    #expect(try quiet.finish() == 0)
    let expected = try RunDigest.files(of: quiet.run)
    #expect(expected.keys.contains("folds.csv") && expected.keys.contains("Models/voice/fold-1.safetensors"))

    try expectPredictions(quiet)

    let killed = SmallCluster(folder, run: "killed")
    try killed.startCoordinator()
    try killed.startWorker()
    try killed.startWorker()
    #expect(killed.wait(seconds: 120) { killed.count("Work/training") >= 1 })
    kill(killed.workers[0].processIdentifier, SIGKILL)
    try killed.startWorker()
    #expect(killed.wait(seconds: 120) { killed.count("Work/training") >= 2 })
    kill(killed.workers[1].processIdentifier, SIGKILL)
    kill(killed.coordinator!.processIdentifier, SIGKILL)
    try killed.startWorker()
    usleep(500_000)
    try killed.startCoordinator()
    #expect(try killed.finish() == 0)
    try expectSame(killed, expected)

    for workers in [5, 8] {
      let many = SmallCluster(folder, run: "many-\(workers)")
      try many.startCoordinator()
      for _ in 0..<workers { try many.startWorker() }
      #expect(try many.finish() == 0)
      try expectSame(many, expected)
    }

    let shared = SmallCluster(folder, run: "shared", options: ["--set", "cluster.workers_per_job=2"])
    try shared.startCoordinator()
    for _ in 0..<3 { try shared.startWorker() }
    #expect(try shared.finish() == 0)
    try expectSame(shared, expected)

    try expectSame(withKeys(folder), expected)
    try expectSame(withoutData(folder), expected)

    let report = try String(contentsOf: shared.run.appending(path: "report.html"), encoding: .utf8)
    #expect(report.contains("</html>"))
  }

  /// `predict RUN FILE` on files of the run gives the score file's values, for every model and for the fusion.
  private func expectPredictions(_ cluster: SmallCluster) throws {
    var expected: [String: [String: Double]] = [:]
    for model in ["frames", "voice", "motion", "backbone", "mean"] {
      let reader = try CSVReader(contentsOf: cluster.run.appending(path: "Scores/\(model).csv"))
      let column = { (name: String) in reader.header.firstIndex(of: name)! }
      let (sample, part, score) = (column("sample"), column("part"), column("score"))
      try reader.forEachRow { _, fields in
        if fields[part] == "test" { expected[fields[sample], default: [:]][model] = Double(fields[score]) }
      }
    }
    let names = expected.keys.sorted()
    let chosen = stride(from: 0, to: names.count, by: 7).map { names[$0] }
    #expect(chosen.count == 7)
    let result = try Program.run(
      ["predict", cluster.run.path, "--by", "mean", "--json"] + chosen.map { "sample/\($0)" }, in: cluster.folder)
    #expect(result.status == 0, "\(result.errors)")
    let predictions = try #require(
      JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [[String: Any]])
    for (name, prediction) in zip(chosen, predictions) {
      var found = ["mean": prediction["probability"] as? Double]
      for model in prediction["models"] as? [[String: Any]] ?? [] {
        found[model["model"] as? String ?? ""] = model["probability"] as? Double
      }
      for (model, score) in expected[name]! {
        let value = try #require(found[model] ?? nil)
        #expect(abs(value - score) < 1e-6, "\(model) of \(name)")
      }
    }
  }

  /// A run with keys: one worker is stopped for longer than its lease, another asked to leave, and strangers knock.
  private func withKeys(_ folder: URL) throws -> SmallCluster {
    let keys = folder.appending(path: "keys")
    for name in ["w1", "w2", "w3"] {
      #expect(try Program.run(["keys", "new", name, "--keys", keys.path]).status == 0)
    }
    let cluster = SmallCluster(folder, run: "keyed", keys: keys)
    try cluster.startCoordinator()
    try cluster.startWorker()
    try cluster.startWorker()
    #expect(cluster.wait(seconds: 120) { cluster.count("Work/training") >= 1 })
    kill(cluster.workers[0].processIdentifier, SIGSTOP)
    defer { kill(cluster.workers[0].processIdentifier, SIGCONT) }
    let stranger = try Program.run(["worker", "--coordinator", cluster.address])
    #expect(stranger.status == 1 && stranger.errors.contains("--key"), "\(stranger.errors)")
    let status = try Program.run(
      ["status", cluster.address, "--json", "--key", keys.appending(path: "coordinator.key").path])
    #expect(status.status == 0 && status.output.contains("\"w2\""), "\(status.errors)")
    let leaver = cluster.workers[1]
    kill(leaver.processIdentifier, SIGTERM)
    #expect(cluster.wait(seconds: 20) { !leaver.isRunning }, "it has not left")
    if !leaver.isRunning { #expect(leaver.terminationStatus == 0) }
    usleep(5_000_000)  // longer than a lease: the stopped worker's job is somebody else's
    try cluster.startWorker()
    // Then at once: whoever comes back when all is over finds nobody, and waits.
    #expect(cluster.wait(seconds: 60) { cluster.tail("coordinator-1.err").contains("goes to worker w3") })
    kill(cluster.workers[0].processIdentifier, SIGCONT)
    #expect(try cluster.finish() == 0)
    return cluster
  }

  /// A run whose workers do not see the data, or see other files in its place: they fetch it into a cache that they share
  /// and that is too small for everything.
  private func withoutData(_ folder: URL) throws -> SmallCluster {
    let cluster = SmallCluster(folder, run: "fetched")
    let other = folder.appending(path: "elsewhere")
    try cluster.startCoordinator()
    for _ in 0..<2 { try cluster.startWorker(withoutData: "8M") }
    let changed = folder.appending(path: "changed")
    try FileManager.default.copyItem(at: folder.appending(path: "sample"), to: changed)
    let names = try FileManager.default.subpathsOfDirectory(atPath: changed.path).filter { $0.hasSuffix(".mp4") }
    for name in names { try Data("something else".utf8).write(to: changed.appending(path: name)) }
    try cluster.startWorker(withoutData: "8M", ["--data", "sample=\(changed.appending(path: "manifest.csv").path)"])
    #expect(try cluster.finish() == 0)
    for name in ["w1", "w2", "w3"] {
      let text = cluster.tail("\(name).err")
      #expect(text.contains("samples: fetched ") && text.contains("from "), "\(text)")
    }
    let kept = FileManager.default.enumerator(at: other.appending(path: "cache"), includingPropertiesForKeys: nil)!
      .compactMap { try? ($0 as? URL)?.resourceValues(forKeys: [.fileSizeKey, .isRegularFileKey]) }
      .filter { $0.isRegularFile == true }.compactMap(\.fileSize)
    #expect(kept.count > 48 && kept.reduce(0, +) <= 8_100_000, "\(kept.count) files, \(kept.reduce(0, +)) bytes")
    return cluster
  }

  /// Compares a run's files with the undisturbed run's, and names those that differ; every sample was used as planned.
  private func expectSame(_ cluster: SmallCluster, _ expected: [String: String]) throws {
    let audit = try Program.run(["audit", cluster.run.path], in: cluster.folder)
    #expect(audit.status == 0 && audit.output.contains("used exactly once"), "\(audit.output)\(audit.errors)")
    let found = try RunDigest.files(of: cluster.run)
    let different = Set(found.keys).union(expected.keys).filter { found[$0] != expected[$0] }.sorted()
    #expect(different.isEmpty, "\(cluster.run.lastPathComponent) differs in \(different)")
  }
}
