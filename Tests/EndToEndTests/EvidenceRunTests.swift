import Files
import Foundation
import Testing

/// Runs that are more than one cross-validation: several data sets, seeds and protocols.
@Suite(.serialized) struct `runs of other protocols` {
  /// Two data sets whose manifests call both `sample`, made once.
  private static let data: URL = {
    let folder = FileManager.default.temporaryDirectory.appending(path: "unmask-evidence-\(getpid())")
    for (name, seed) in [("a", "5"), ("b", "6")] {
      let made = try? Program.run(["sample", folder.appending(path: name).path, "--clips", "36", "--seed", seed])
      precondition(made?.status == 0, "the sample could not be made: \(made?.errors ?? "")")
    }
    return folder
  }()

  private func run(_ scratch: Scratch, folds: String) throws -> URL {
    let file = try scratch.write(
      """
      name: evidence
      seed: 3
      data:
        - {name: a, layout: manifest, path: \(Self.data.path)/a/manifest.csv}
        - {name: b, layout: manifest, path: \(Self.data.path)/b/manifest.csv}
      folds: \(folds)
      threshold: {rule: fpr, fpr: 0.2, undecided: 0.1, calibration: isotonic}
      models: [{name: tone, architecture: mfcc-logistic}, {name: look, architecture: thumbnail-logistic}]
      fusion: [{name: mean, rule: mean}]
      baselines: []

      """, to: "evidence.yaml")
    let run = scratch.url.appending(path: "run")
    let done = try Program.run(["train", file.path, "--workers", "1", "--threads", "1", "--output", run.path])
    #expect(done.status == 0, "\(done.errors.suffix(600))")
    return run
  }

  private func rows(_ run: URL, _ table: String) throws -> [[String: String]] {
    let reader = try CSVReader(contentsOf: run.appending(path: "Results/\(table).csv"))
    var rows: [[String: String]] = []
    try reader.forEachRow { _, fields in rows.append(Dictionary(uniqueKeysWithValues: zip(reader.header, fields))) }
    return rows
  }

  @Test func `train on each data set and test on all, for two seeds, and count later looks at test files`() throws {
    let scratch = try Scratch()
    let run = try run(scratch, folds: "{protocol: cross-dataset, repeats: 2, validation: 0.3}")
    let cross = try rows(run, "cross_evaluation").filter { $0["model"] == "tone" }
    #expect(
      Set(cross.map { "\($0["trained_on"]!) \($0["tested_on"]!)" }) == ["a a", "a b", "b a", "b b"] && cross.count == 4)
    // A test part of one group has no interval over groups; DeLong's is there.
    #expect(cross.allSatisfy { Double($0["auc"]!) != nil && Double($0["delong_low"]!) != nil })
    #expect(try rows(run, "seeds").filter { $0["model"] == "tone" }.map { $0["seed"] } == ["3", "4", "mean", "sd"])
    #expect(try !rows(run, "undecided").isEmpty && !rows(run, "reliability").isEmpty)
    for name in ["image_models_comparison", "roc_curves_all_models", "cross_evaluation", "reliability_diagrams"] {
      for ending in ["png", "svg"] {
        let file = run.appending(path: "Figures/\(name).\(ending)")
        #expect(FileManager.default.fileExists(atPath: file.path), "\(file.lastPathComponent)")
      }
    }
    let clip = Self.data.appending(path: "a/clips/clip-0003.mp4").path
    let said = try Program.run(["predict", run.path, clip, "--by", "tone", "--json"])
    #expect(said.status == 0, "\(said.errors)")
    let found = try #require(
      (JSONSerialization.jsonObject(with: Data(said.output.utf8)) as? [[String: Any]])?.first)
    #expect(found["fold"] is Int && found["calibrated"] is Double && found["threshold_rule"] as? String == "fpr:0.2")
    #expect((found["undecided"] as? [String: Double])?.keys.sorted() == ["lower", "upper"])
    #expect(["real", "fake", "undecided"].contains(found["verdict"] as? String))
    let page = run.appending(path: "report.html")
    #expect(try String(contentsOf: page, encoding: .utf8).contains("were computed once"))
    #expect(try Program.run(["report", run.path]).status == 0)
    #expect(try String(contentsOf: page, encoding: .utf8).contains("computed more than once"))
    #expect(try rows(run, "test_scorings").first { $0["model"] == "tone" }?["time_predicted"] == "1")
  }

  @Test func `leave each kind of fake out once`() throws {
    let scratch = try Scratch()
    let run = try run(scratch, folds: "{protocol: leave-one-type-out, validation: 0.3}")
    let left = try rows(run, "cross_evaluation").filter { $0["model"] == "mean" }
    #expect(Set(left.map { $0["name"]! }).count == 4)
    #expect(
      try String(contentsOf: run.appending(path: "report.html"), encoding: .utf8).contains("left out of training"))
  }

  @Test func `that fail leave a report of what did end, and of what did not`() throws {
    let scratch = try Scratch()
    // In fold 1 nobody's voice is fake in training: that job fails, and no other.
    let manifest = try CSVReader(contentsOf: Self.data.appending(path: "a/manifest.csv"))
    let columns = try ["path", "audio_label", "group"].map(manifest.column)
    var (lines, groups) = (["sample,fold_0,fold_1"], [String]())
    try manifest.forEachRow { _, fields in
      let (path, voice, group) = (fields[columns[0]], fields[columns[1]], fields[columns[2]])
      if !groups.contains(group) { groups.append(group) }
      let place = groups.firstIndex(of: group)!
      let second = ["test", "train", "validation"][place]
      lines.append(
        "\(path),\(["train", "validation", "test"][place]),\(second == "train" && voice == "fake" ? "unused" : second)")
    }
    #expect(groups.count == 3)
    let folds = try scratch.write(lines.joined(separator: "\n") + "\n", to: "parts.csv")
    let file = try scratch.write(
      """
      name: failing
      data: [{name: a, layout: manifest, path: \(Self.data.path)/a/manifest.csv}]
      folds: {protocol: given, file: \(folds.path)}
      models: [{name: tone, architecture: mfcc-logistic}, {name: look, architecture: thumbnail-logistic}]
      fusion: [{name: mean, rule: mean}]
      baselines: []

      """, to: "failing.yaml")
    let run = scratch.url.appending(path: "run")
    let done = try Program.run(["train", file.path, "--workers", "1", "--threads", "1", "--output", run.path])
    #expect(done.status == 4, "\(done.errors.suffix(600))")
    for words in ["job train/tone/1: ", "the report of what did end is \(run.path)/report.html", "the same command"] {
      #expect(done.errors.contains(words), "\(words) is not in \(done.errors.suffix(600))")
    }
    for attempt in 0..<2 {
      let page = String(decoding: try readFile(run.appending(path: "report.html")), as: UTF8.self)
      #expect(page.contains("This run failed.") && page.contains("<b>train/tone/1</b>"))
      #expect(page.contains("Without scores: tone: fold 1 of 2; mean: fold 1 of 2."))
      #expect(
        try Set(rows(run, "thresholds").map { "\($0["model"]!) \($0["fold"]!)" })
          == ["tone 0", "look 0", "look 1", "mean 0"])
      guard attempt == 0 else { continue }
      let again = try Program.run(["report", run.path])
      #expect(again.status == 0 && again.output.contains("tone"), "\(again.errors)")
    }
    let nothing = try Program.run(["report", scratch.url.path])
    #expect(nothing.status == 1 && nothing.errors.contains("there is no run here"))
  }
}
