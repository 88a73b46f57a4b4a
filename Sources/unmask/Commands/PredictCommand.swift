import ArgumentParser
import Cluster
import Evaluation
import Files
import Foundation

/// Scores files with a finished run or one model.
struct PredictCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "predict",
    abstract: "Say for files how probably they are fake, by which modalities, and where.",
    discussion: """
      A file of the run gets the score that the evaluation gave it. Any other file is scored by the models of all folds.

      EXAMPLE
        unmask predict runs/quickstart clip.mp4
        unmask predict runs/quickstart/Models/best_voice.safetensors voices/ --csv
      """)

  @Argument(help: "A run directory or a model file (.safetensors).")
  var source: String

  @Argument(help: "Files, or folders that are searched for files.")
  var files: [String]

  @Option(help: "The fusion or model of the run that decides; by default the fusion with the best validation score.")
  var by: String?

  @Option(
    help: ArgumentHelp(
      "The face detector's ONNX file, where a model file needs one and has left its run directory.", valueName: "path"))
  var detector: String?

  @Flag(help: "Print a JSON array.")
  var json = false

  @Flag(help: "Print CSV.")
  var csv = false

  func validate() throws {
    if json && csv { throw ValidationError("--json and --csv exclude each other") }
  }

  func run() throws {
    let predictor = try predictor(
      at: URL(filePath: source), fusion: by, detectors: detector.map { [URL(filePath: $0)] } ?? [])
    for warning in predictor.warnings { printWarning("unmask: \(warning)") }
    let files = try files.flatMap(Self.files(at:))
    var predictions: [Prediction] = []
    for file in files {
      let prediction = try predictor.predict(file)
      predictions.append(prediction)
      if !json && !csv { print(Self.text(prediction)) }
    }
    if json {
      let encoder = JSONEncoder()
      encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
      print(String(decoding: try encoder.encode(predictions), as: UTF8.self))
    }
    if csv { print(Self.table(predictions), terminator: "") }
    if predictions.allSatisfy({ $0.probability == nil }) { throw ExitCode(1) }
  }

  /// The file itself, or all files of a folder in the order of their names.
  private static func files(at path: String) throws -> [URL] {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path, isDirectory: &isFolder) else {
      throw FileProblem(path: path, reason: "there is no such file or folder", advice: "check the path")
    }
    guard isFolder.boolValue else { return [URL(filePath: path)] }
    let names = FileManager.default.enumerator(atPath: path)?.compactMap { $0 as? String }.sorted() ?? []
    let found = names.map { URL(filePath: path).appending(path: $0) }.filter {
      (try? $0.resourceValues(forKeys: [.isRegularFileKey]))?.isRegularFile == true
    }
    guard !found.isEmpty else { throw FileProblem(path: path, reason: "the folder holds no files") }
    return found
  }

  private static func percent(_ value: Double) -> String { "\((value * 1000).rounded() / 10)%" }

  private static func text(_ prediction: Prediction) -> String {
    guard let probability = prediction.probability, let verdict = prediction.verdict else {
      return "\(prediction.file): no score: \(prediction.reason ?? "")"
    }
    let calibrated = prediction.calibrated.map { $0 == probability ? "" : " (calibrated \(percent($0)))" } ?? ""
    let band = prediction.band.map { ", undecided from \(percent($0.lower)) to \(percent($0.upper))" } ?? ""
    let fold = prediction.fold.map { "; a file of the run, scored by fold \($0), which had it as test" } ?? ""
    var lines = [
      "\(prediction.file): \(verdict.uppercased())  P(fake) \(percent(probability))\(calibrated), threshold "
        + "\(percent(prediction.threshold)) (\(prediction.thresholdRule))\(band), by \(prediction.decidedBy) on "
        + "\(prediction.modalities.joined(separator: ", "))\(fold)"
    ]
    for model in prediction.models {
      var line = "  \(model.model) (\(model.modality)): "
      line += model.probability.map(percent) ?? "not used: \(model.reason ?? "")"
      if let place = model.where_, let highest = model.parts.max() {
        line += ", highest \(percent(highest)) at \(percent(place)) of the length"
      }
      lines.append(line)
    }
    return lines.joined(separator: "\n")
  }

  private static func table(_ predictions: [Prediction]) -> String {
    var writer = CSVWriter(
      header: [
        "file", "probability", "calibrated", "verdict", "threshold", "undecided_low", "undecided_high", "decided_by",
        "fold",
        "modalities", "reason",
      ])
    for prediction in predictions {
      writer.append([
        prediction.file, prediction.probability.map { "\($0)" } ?? "", prediction.calibrated.map { "\($0)" } ?? "",
        prediction.verdict ?? "", "\(prediction.threshold)", prediction.band.map { "\($0.lower)" } ?? "",
        prediction.band.map { "\($0.upper)" } ?? "", prediction.decidedBy, prediction.fold.map { "\($0)" } ?? "",
        prediction.modalities.joined(separator: ";"), prediction.reason ?? "",
      ])
    }
    return writer.text
  }
}
