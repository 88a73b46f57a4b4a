import Datasets
import Evaluation
import Faces
import Foundation
import Testing
import Training

@testable import Cluster

@Suite struct `experiments` {
  private static let folder = URL(filePath: #filePath).deletingLastPathComponent()
    .appending(path: "../../cluster/experiments").standardizedFileURL

  static let files = try! FileManager.default.contentsOfDirectory(atPath: folder.path)
    .filter { $0.hasSuffix(".yaml") }.sorted()

  private func parse(_ models: String, _ rest: String = "") throws -> Experiment {
    try ExperimentFile.parse("name: t\ndata: [{name: d, path: p}]\nmodels: [\(models)]\n\(rest)", name: "t.yaml")
  }

  private func problem(_ models: String, _ rest: String = "") -> String {
    do {
      _ = try parse(models, rest)
      return "none"
    } catch { return "\(error)" }
  }

  @Test(arguments: files) func `of the project are valid`(file: String) throws {
    let experiment = try ExperimentFile.load(Self.folder.appending(path: file))
    #expect(file == "\(experiment.name).yaml")
    #expect(try Experiment(json: experiment.json()).resultHash() == experiment.resultHash())
  }

  @Test func `name weights folders that say where to get them when they are missing`() throws {
    for name in ["image-baselines", "audio-baselines", "video-baselines"] {
      let experiment = try ExperimentFile.load(Self.folder.appending(path: "\(name).yaml"))
      #expect(experiment.models.contains { !$0.weights.isEmpty })
      let error = #expect(throws: TrainingError.self) { try experiment.withWeightHashes() }
      let text = error?.description ?? ""
      #expect(
        text.contains("there are no weights at") && text.contains("https://") && text.contains("--weights "), "\(text)")
    }
  }

  @Test func `take a balance of one word, for all models or one`() throws {
    let all = try parse(
      "{name: a, architecture: audio-cnn}, {name: b, architecture: audio-cnn, balance: {target_ratio: 2}}",
      "balance: auto")
    #expect(all.balance.strategy == .auto && all.models.map(\.balance.strategy) == [.auto, .auto])
    #expect(all.models.map(\.balance.targetRatio) == [1, 2])
    let one = try parse("{name: a, architecture: audio-cnn, balance: undersample}, {name: b, architecture: audio-cnn}")
    #expect(one.models.map(\.balance.strategy) == [.undersample, .given] && one.balance.strategy == .given)
    #expect(
      problem("{name: a, architecture: audio-cnn, balance: {strategie: auto}}").contains("did you mean \"strategy\"?"))
    #expect(
      problem("{name: a, architecture: audio-cnn, balance: {target_ratio: 0.5}}").contains("larger class to smaller"))
  }

  @Test func `take preparation for all models or one, and hash what the detector is`() throws {
    let experiment = try parse(
      "{name: a, architecture: convnext-atto}, {name: b, architecture: convnext-atto, prepare: {faces: none}}",
      "prepare: {faces: detect, margin: 0.5}")
    #expect(experiment.models.map(\.prepare.faces) == [.detect, .none] && experiment.models[0].prepare.margin == 0.5)
    #expect(experiment.trained.last?.prepare.faces == .detect)
    let hashed = try experiment.withDetectorHashes()
    #expect(hashed.models[0].prepare.detectorHash?.count == 64 && hashed.models[1].prepare.detectorHash == nil)
    #expect(try Experiment(json: hashed.json()).resultHash() == hashed.resultHash())
    #expect(try parse("{name: a, architecture: convnext-atto}").prepare.faces == .none)
    #expect(
      problem("{name: a, architecture: audio-cnn}", "prepare: {face: detect}").contains("did you mean \"faces\"?"))
    #expect(
      problem("{name: a, architecture: audio-cnn, prepare: {marginn: 1}}").contains("did you mean \"margin\"?"))
    #expect(problem("{name: a, architecture: audio-cnn, prepare: {size: 5}}").contains("model a: prepare.size"))
    #expect(problem("{name: a, architecture: audio-cnn}", "prepare: {faces: find}").contains("prepare.faces"))

    // A network is known by its content, wherever it lies.
    let fixtures = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Fixtures/faces")
      .standardizedFileURL
    let folder = FileManager.default.temporaryDirectory.appending(path: "unmask-detector-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: folder) }
    let files = [fixtures.appending(path: "green_2022.onnx"), folder.appending(path: "moved.onnx")]
    try FileManager.default.copyItem(at: files[0], to: files[1])
    let runs = try files.map {
      try parse("{name: a, architecture: convnext-atto}", "prepare: {faces: detect, detector: \($0.path)}")
        .withDetectorHashes()
    }
    #expect(try runs[0].resultHash() == runs[1].resultHash() && runs[0].resultHash() != hashed.resultHash())
    #expect(try runs[1].detectorFiles().values.map(\.lastPathComponent) == ["moved.onnx"])
    let missing = try parse("{name: a, architecture: convnext-atto}", "prepare: {faces: detect, detector: no.onnx}")
    #expect(throws: FaceError.self) { try missing.withDetectorHashes() }
  }

  @Test func `refuse weights and tuning where they make no sense`() {
    #expect(problem("{name: a, architecture: audio-cnn, weights: w}").contains("reads no weights"))
    #expect(problem("{name: a, architecture: dinov2-small, tune: frozen}").contains("needs outside weights"))
    #expect(problem("{name: a, architecture: dinov2-small, weights: w, tune: half}").contains("\"half\" is unknown"))
    #expect(problem("{name: a, architecture: audio-cnn, train: {dropout: much}}").contains("auto or a number"))
    #expect(
      problem("{name: a, architecture: audio-cnn, train: {ema: 1}}").contains("train.ema is 1.0, but must be 0 (off)"))
  }

  @Test func `count weights by content and not by place`() throws {
    let fixtures = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Fixtures/models")
    func experiment(_ fixture: String, at path: String) throws -> Experiment {
      let url = FileManager.default.temporaryDirectory.appending(path: "unmask-experiment-\(UUID().uuidString)/\(path)")
      try FileManager.default.createDirectory(at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
      defer { try? FileManager.default.removeItem(at: url.deletingLastPathComponent()) }
      try FileManager.default.copyItem(at: fixtures.appending(path: fixture).standardizedFileURL, to: url)
      return try parse("{name: a, architecture: dinov2-small, weights: w, tune: last-1}")
        .with(weights: ["a": url.path]).withWeightHashes()
    }
    let first = try experiment("dinov2", at: "one")
    #expect(try first.resultHash() == experiment("dinov2", at: "two").resultHash())
    #expect(try first.resultHash() != experiment("dinov2_registers", at: "one").resultHash())
    #expect(first.models[0].weightsHash?.count == 64)
    #expect(throws: (any Error).self) { try experiment("convnext", at: "one") }
    #expect(throws: ExperimentError.self) { try first.with(weights: ["b": "x"]) }
  }

  @Test func `refuse weights that do not fit before a run begins, all of them at once`() throws {
    let fixtures = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Fixtures/models")
    let folder = FileManager.default.temporaryDirectory.appending(path: "unmask-experiment-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    func weights(_ name: String, _ change: (inout [String: Any]) -> Void) throws -> URL {
      let url = folder.appending(path: name)
      try FileManager.default.copyItem(at: fixtures.appending(path: "dinov2").standardizedFileURL, to: url)
      let file = url.appending(path: "config.json")
      var json = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
      change(&json)
      try JSONSerialization.data(withJSONObject: json).write(to: file)
      return url
    }
    let paths = [
      "deeper": try weights("deeper") { $0["num_hidden_layers"] = 40 }, "good": try weights("good") { _ in },
      "colours": try weights("colours") { $0["num_channels"] = 4 },
    ]
    let models = ["deeper", "good", "colours"].map {
      "{name: \($0), architecture: dinov2-small, weights: w, tune: full}"
    }
    let last = "{name: last, architecture: dinov2-small, weights: w, tune: last-99}"
    let experiment = try parse((models + [last]).joined(separator: ", "))
      .with(weights: paths.mapValues(\.path).merging(["last": paths["good"]!.path]) { $1 })
    let error = #expect(throws: TrainingError.self) { try experiment.withWeightHashes() }
    let text = error?.description ?? ""
    for words in [
      "model deeper, weights", "layer.2.", "model colours: ", "pictures have 3", "model last: tune: last-99",
    ] {
      #expect(text.contains(words), "\(words) is not in \(text)")
    }
    #expect(!text.contains("model good"))
  }

  @Test(arguments: [
    ("f1", "f1"), ("youden", "youden"), ("balanced-accuracy", "balanced-accuracy"), ("eer", "eer"), ("0.5", "0.5"),
    ("cost", "cost:5.0:1.0:0.1"), ("fpr", "fpr:0.05"), ("cost:2:1", "cost:2.0:1.0:0.5"), ("\"fpr:0.2\"", "fpr:0.2"),
  ])
  func `take every rule of a threshold`(_ rule: String, _ text: String) throws {
    let found = try parse(
      "{name: a, architecture: audio-cnn}",
      "threshold: {rule: \(rule), cost_miss: 5, prevalence: 0.1, fpr: 0.05, undecided: 0.1, calibration: isotonic}")
    let settings = try found.threshold.settings
    #expect(settings.rule.text == text && settings.undecided == 0.1 && settings.calibration == .isotonic)
    #expect(try parse("{name: a, architecture: audio-cnn}").threshold.settings == DecisionSettings())
  }

  @Test(arguments: [
    ("{rule: f2}", "threshold.rule: threshold rule \"f2\" is unknown; did you mean \"f1\"?"),
    ("{calibration: plat}", "did you mean \"platt\"?"),
    ("{rule: cost, cost_miss: 0}", "threshold.cost_miss"), ("{undecided: 0.6}", "threshold.undecided"),
    ("{rule: fpr, fpr: 2}", "threshold.fpr"), ("{prevalance: 0.1}", "\"prevalence\""),
  ])
  func `refuse thresholds that mean nothing`(_ section: String, _ words: String) {
    let found = problem("{name: a, architecture: audio-cnn}", "threshold: \(section)")
    #expect(found.contains(words), "\(found)")
  }

  @Test func `written with every default filled in are read as the same ones`() throws {
    let file = try ExperimentFile.load(Self.folder.appending(path: "quickstart.yaml"))
    let text = try file.yaml()
    #expect(text.contains("learning_rate: 0.001") && text.contains("augment: true") && text.contains("count: 5\n"))
    #expect(try ExperimentFile.parse(text, name: "experiment.yaml").resultHash() == file.resultHash())
  }
}
