import Foundation
import Testing

/// Every mistake gives one clear sentence and a non-zero exit, and leaves no half-written file under a final name.
@Suite struct `mistakes` {
  let scratch: Scratch

  /// Real media, made once: 36 clips of three groups, and a manifest of the real ones alone.
  static let sample: URL = {
    let folder = FileManager.default.temporaryDirectory.appending(path: "unmask-mistakes-\(getpid())/sample")
    let made = try? Program.run(["sample", folder.path, "--clips", "36", "--seed", "5"])
    precondition(made?.status == 0, "the sample could not be made: \(made?.errors ?? "")")
    let manifest = folder.appending(path: "manifest.csv")
    let lines = try! String(contentsOf: manifest, encoding: .utf8).split(separator: "\n")
    let real = lines.prefix(1) + lines.filter { $0.contains(",real,,") }
    try! real.joined(separator: "\n").write(
      to: folder.appending(path: "one-class.csv"), atomically: true, encoding: .utf8)
    return folder
  }()

  init() throws { scratch = try Scratch() }

  func experiment(_ body: String) -> String {
    """
    name: mistake
    data: [{name: d, layout: manifest, path: \(Self.sample.path)/one-class.csv}]
    models: [{name: frames, architecture: convnext-atto}]
    \(body)
    """
  }

  func coordinate(_ text: String, listen: String = "tcp://127.0.0.1:21777") throws -> Program.Outcome {
    let file = try scratch.write(text, to: "e.yaml")
    return try Program.run(
      ["coordinator", file.path, "--listen", listen, "--output", scratch.url.appending(path: "run").path],
      in: scratch.url)
  }

  /// One sentence on standard error that has all the words, and a status of its own.
  func expect(_ outcome: Program.Outcome, status: Int32, _ words: String...) {
    #expect(outcome.status == status, "\(outcome.errors)")
    for word in words { #expect(outcome.errors.contains(word), "\"\(word)\" is not in: \(outcome.errors)") }
    let last = outcome.errors.split(separator: "\n").last.map(String.init) ?? ""
    #expect(last.hasPrefix("unmask: "), "not a sentence of the program: \(outcome.errors)")
  }

  @Test func `a misspelt key names its line and the nearest one`() throws {
    expect(try coordinate(experiment("train: {epcohs: 3}")), status: 2, "e.yaml:4", "train.epcohs", "\"epochs\"")
  }

  @Test func `a misspelt key of a model's own training section too`() throws {
    let text = experiment("").replacing("convnext-atto}", with: "convnext-atto, train: {bacth: 3}}")
    expect(try coordinate(text), status: 2, "bacth", "\"batch\"")
  }

  @Test func `a value of the wrong kind names its key`() throws {
    expect(try coordinate(experiment("train: {epochs: many}")), status: 2, "train.epochs", "whole number")
  }

  @Test func `an unknown model names the nearest one`() throws {
    let text = experiment("").replacing("convnext-atto", with: "convnext-ato")
    expect(try coordinate(text), status: 2, "convnext-ato", "convnext-atto")
  }

  @Test func `a missing data set names the path`() throws {
    let text = experiment("").replacing("one-class.csv", with: "nowhere/manifest.csv")
    expect(try coordinate(text), status: 1, "nowhere/manifest.csv")
  }

  @Test func `a data set with one class says which`() throws {
    expect(try coordinate(experiment("")), status: 1, "label real", "add samples of the other class")
    #expect(!FileManager.default.fileExists(atPath: scratch.url.appending(path: "run/folds.csv").path))
  }

  @Test func `fewer groups than folds says how many there are`() throws {
    let text = experiment("").replacing("one-class.csv", with: "manifest.csv")
    expect(try coordinate(text), status: 1, "3 groups", "5 folds")
  }

  /// Needs root, to mount a small file system; elsewhere it is skipped.
  @Test(.enabled(if: getuid() == 0))
  func `a full disk is said in one sentence, and the run goes on once there is room`() throws {
    let disk = scratch.url.appending(path: "disk")
    try FileManager.default.createDirectory(at: disk, withIntermediateDirectories: true)
    func mount(_ options: String) -> Bool {
      let process = Process()
      process.executableURL = URL(filePath: "/bin/mount")
      process.arguments = ["-t", "tmpfs", "-o", options, "none", disk.path]
      return (try? process.run()) != nil
        && {
          process.waitUntilExit(); return process.terminationStatus == 0
        }()
    }
    guard mount("size=12k") else { return }
    defer { umount2(disk.path, Int32(MNT_DETACH)) }
    let folder = scratch.url
    let text = experiment("folds: {count: 2}").replacing("one-class.csv", with: "manifest.csv")
    let file = try scratch.write(text, to: "e.yaml")
    let arguments = [
      "coordinator", file.path, "--listen", "tcp://127.0.0.1:21778", "--output", disk.appending(path: "run").path,
    ]
    expect(try Program.run(arguments, in: folder), status: 1, "No space left on device", "free some space")
    let left = try FileManager.default.contentsOfDirectory(atPath: disk.appending(path: "run").path)
    #expect(!left.contains { $0.contains(".tmp-") }, "half-written files: \(left)")
    #expect(mount("remount,size=8m"))
    let again = try Program.start(
      arguments, in: folder, output: folder.appending(path: "o"), errors: folder.appending(path: "e"))
    defer { kill(again.processIdentifier, SIGKILL) }
    let deadline = Date(timeIntervalSinceNow: 30)
    var said = ""
    while Date() < deadline && again.isRunning && !said.contains("listening") {
      usleep(50_000)
      said = (try? String(contentsOf: folder.appending(path: "e"), encoding: .utf8)) ?? ""
    }
    #expect(said.contains("listening"), "it did not go on: \(said)")
  }

  @Test func `misspelt words name the nearest one wherever they stand`() throws {
    let score = try scratch.write("label,score\nreal,0.1\nfake,0.9\n", to: "s.csv").path
    for (arguments, near) in [
      (["datasets", "describe", "asvspof5"], "\"asvspoof5\""),
      (["datasets", "verify", "celebdf", "/"], "\"celeb-df\""),
      (["datasets", "stats", "--layout", "manifst", "/"], "\"manifest\""),
      (["datasets", "folds", "--protocol", "k-fld", "/"], "\"k-fold\""),
      (["datasets", "subset", "/", "--modality", "adio", "--output", "/x.csv"], "\"audio\""),
      (["evaluate", score, "--threshold", "yuden"], "\"youden\""),
      (["evaluate", score, "--threshold", "fpr"], "fpr:0.01"),
      (["evaluate", score, "--aggregate", "men"], "\"mean\""),
      (["evaluate", score, "--column", "lable=y"], "\"label\""),
      (["sample", "/nowhere", "--plant", "identity-leek"], "\"identity-leak\""),
    ] {
      let outcome = try Program.run(arguments)
      #expect(
        outcome.status != 0 && outcome.errors.contains("did you mean") != near.contains(":")
          && outcome.errors.contains(near), "\(arguments): \(outcome.errors)")
    }
    for (body, near) in [
      ("folds: {protocol: k-fld}", "\"k-fold\""), ("threshold: {rule: yuden}", "\"youden\""),
      ("fusion: [{name: f, rule: men}]", "\"mean\""), ("balance: {class_weights: balancd}", "\"balanced\""),
      ("balance: ato", "\"auto\""),
    ] {
      expect(try coordinate(experiment(body)), status: 2, "did you mean", near)
    }
    let layout = experiment("").replacing("layout: manifest", with: "layout: asvspof5")
    expect(try coordinate(layout), status: 2, "did you mean", "\"asvspoof5\"")
  }

  @Test func `verify tells complete, partial and faulty copies apart by its status`() throws {
    let folder = scratch.url.appending(path: "copy")
    try FileManager.default.copyItem(at: Self.sample, to: folder)
    #expect(try Program.run(["datasets", "verify", folder.path]).status == 0)
    let clips = try FileManager.default.contentsOfDirectory(atPath: folder.appending(path: "clips").path).sorted()
    try FileManager.default.removeItem(at: folder.appending(path: "clips/\(clips[0])"))
    let partial = try Program.run(["datasets", "verify", folder.path, "--json"])
    expect(partial, status: 3, "a partial copy: 1 listed sample missing; the rest can be trained on")
    #expect(partial.output.contains("\"verdict\" : \"partial\""))
    try Data("no video".utf8).write(to: folder.appending(path: "clips/\(clips[1])"))
    expect(
      try Program.run(["datasets", "verify", folder.path]), status: 1,
      "1 sample cannot be read, 1 listed sample missing")
  }

  @Test func `a wrong option is bad usage`() throws {
    let outcome = try Program.run(["worker", "--coordinater", "tcp://127.0.0.1:1"])
    #expect(outcome.status == 2)
    #expect(outcome.errors.contains("--coordinator"))
  }

  @Test func `a run folder that belongs to another experiment is refused`() throws {
    let run = scratch.url.appending(path: "run")
    _ = try scratch.write("someone's notes", to: "run/experiment.yaml")
    let outcome = try coordinate(experiment("").replacing("one-class.csv", with: "elsewhere.csv"))
    #expect(outcome.status != 0)
    #expect(try String(contentsOf: run.appending(path: "experiment.yaml"), encoding: .utf8) == "someone's notes")
  }
}
