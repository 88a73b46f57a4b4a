import Foundation
import Media
import Testing

/// Faces from the data to a prediction, by the program itself: cascades for one model, a network for the other.
@Suite struct `faces end to end` {
  private static let fixtures = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Fixtures/faces")

  /// 24 pictures of the portrait, each moved and shaded in its own way, with a green square for the fixture's network; one
  /// picture without either; a manifest.
  private func makeData(_ scratch: Scratch) throws {
    let portrait = try Media.image(at: Self.fixtures.appending(path: "collins.jpg"))
    var lines = ["path,label,identity"]
    for index in 0..<24 {
      let isFake = index % 2 == 1
      var pixels = portrait.square(centre: (150 + Double(index), 150), side: 300, size: 224).pixels
      for place in 0..<224 * 224 {
        let (x, y) = (place % 224, place / 224)
        if x >= 192 && y < 32 {  // a cell of the network's grid
          (pixels[3 * place], pixels[3 * place + 1], pixels[3 * place + 2]) = (0, 255, 0)
        } else if isFake {
          pixels[3 * place + 2] = UInt8(min(255, Int(pixels[3 * place + 2]) + 40 + index))
        }
      }
      let picture = ImagePixels(width: 224, height: 224, pixels: pixels)
      try write(picture, to: scratch.url.appending(path: "data/p\(index).png"))
      lines.append("p\(index).png,\(isFake ? "fake" : "real"),person-\(index)")
    }
    let plain = ImagePixels(width: 160, height: 120, pixels: [UInt8](repeating: 120, count: 160 * 120 * 3))
    try write(plain, to: scratch.url.appending(path: "data/plain.png"))
    lines.append("plain.png,real,nobody")
    _ = try scratch.write(lines.joined(separator: "\n") + "\n", to: "data/manifest.csv")
  }

  private func write(_ picture: ImagePixels, to file: URL) throws {
    try FileManager.default.createDirectory(at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(picture.png()).write(to: file)
  }

  @Test func `a run finds faces, says where none are, and predictions repeat its scores`() throws {
    let scratch = try Scratch()
    try makeData(scratch)
    let network = scratch.url.appending(path: "green.onnx")
    try FileManager.default.copyItem(at: Self.fixtures.appending(path: "green_2023.onnx"), to: network)
    let file = try scratch.write(
      """
      name: faces
      data: [{name: d, layout: manifest, path: data/manifest.csv}]
      folds: {count: 2}
      train: {epochs: 1, batch: 8, warmup_epochs: 0, logical_shards: 1}
      prepare: {faces: detect, size: 96}
      models:
        - {name: portrait, architecture: convnext-atto}
        - {name: green, architecture: convnext-atto, prepare: {detector: green.onnx}}
      baselines: []
      fusion: []
      """, to: "faces.yaml")
    let run = scratch.url.appending(path: "run")
    let trained = try Program.run(
      ["train", file.path, "--workers", "1", "--threads", "2", "--output", run.path], in: scratch.url)
    try #require(trained.status == 0, "\(trained.errors)")

    for model in ["portrait", "green"] {
      let rows = try String(contentsOf: run.appending(path: "Scores/\(model).csv"), encoding: .utf8)
        .split(separator: "\n")
      #expect(rows.contains { $0.hasPrefix("plain.png,") && $0.hasSuffix(",no face was found") })
      #expect(rows.count { $0.contains(",test,") && !$0.contains("no face") } == 24, "\(model)")
      // The file of a test row gets the row's score again, through the run and through the fold's model alone.
      let row = try #require(rows.first { $0.hasPrefix("p3.png,") && $0.contains(",test,") }).split(
        separator: ",", omittingEmptySubsequences: false)
      let score = try #require(Double(row[7]))
      for source in [run.path, run.appending(path: "Models/\(model)/fold-\(row[2]).safetensors").path] {
        let outcome = try Program.run(
          ["predict", source, "data/p3.png", "--json"] + (source == run.path ? ["--by", model] : []), in: scratch.url)
        try #require(outcome.status == 0, "\(outcome.errors)")
        let found = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [[String: Any]]
        let probability = try #require(found?.first?["probability"] as? Double)
        #expect(abs(probability - score) < 1e-6, "\(source)")
      }
    }
    // The network went along with the models; away from them its place has to be named.
    let kept = try FileManager.default.contentsOfDirectory(atPath: run.appending(path: "Models/detectors").path)
    #expect(kept.count == 1 && kept[0].hasSuffix(".onnx"))
    let moved = scratch.url.appending(path: "away/green.safetensors")
    try FileManager.default.createDirectory(at: moved.deletingLastPathComponent(), withIntermediateDirectories: true)
    try FileManager.default.copyItem(at: run.appending(path: "Models/best_green.safetensors"), to: moved)
    let lost = try Program.run(["predict", moved.path, "data/p3.png"], in: scratch.url)
    #expect(lost.status == 1 && lost.errors.contains("--detector PATH"))
    let named = try Program.run(
      ["predict", moved.path, "data/p3.png", "--detector", network.path], in: scratch.url)
    #expect(named.status == 0)
    let none = try Program.run(["predict", run.path, "data/plain.png", "--by", "portrait"], in: scratch.url)
    #expect(none.status == 1 && none.output.contains("no face was found"))
    #expect(try String(contentsOf: run.appending(path: "report.html"), encoding: .utf8).contains("no face was found"))
  }

  @Test func `crops are written, counted, and not made twice`() throws {
    let scratch = try Scratch()
    try makeData(scratch)
    let command = ["datasets", "prepare", "data/manifest.csv", "--output", "crops", "--size", "64", "--crop", "face"]
    for kept in [0, 25] {
      let outcome = try Program.run(command + ["--json"], in: scratch.url)
      try #require(outcome.status == 0, "\(outcome.errors)")
      let found = try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? [String: Any]
      #expect(found?["crops"] as? Int == 24 && found?["samples"] as? Int == 25 && found?["kept"] as? Int == kept)
    }
    let wrong = try Program.run(command.dropLast(2) + ["--crop", "nose"], in: scratch.url)
    #expect(wrong.status == 2)
    let missing = try Program.run(command + ["--detector", "no.onnx"], in: scratch.url)
    #expect(missing.status == 1 && missing.errors.contains("no.onnx"))
  }
}
