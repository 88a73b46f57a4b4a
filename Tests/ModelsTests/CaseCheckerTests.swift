import Foundation
import SafeTensors
import Tensor
import TestSupport
import Testing

@testable import Models

/// The checker of reference cases, on cases that are changed in one place.
@Suite struct `reference cases` {
  private let folder: URL

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "cases-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  private func remove() { try? FileManager.default.removeItem(at: folder) }

  /// A fixture with other tensors in its case file.
  private func copied(
    _ fixture: String, file: String = "case.safetensors", change: (inout [String: Tensor]) -> Void = { _ in }
  ) throws -> URL {
    let target = folder.appending(path: UUID().uuidString)
    try FileManager.default.copyItem(at: Fixtures.own.appending(path: fixture), to: target)
    let url = target.appending(path: file)
    // Of memory, as the file that they come from is written anew.
    var tensors = try SafeTensorsFile(url).tensors().mapValues { tensor in
      tensor.dtype == .float32 ? Tensor(tensor.floats(), shape: tensor.shape) : tensor
    }
    change(&tensors)
    try FileManager.default.removeItem(at: url)
    try writeSafeTensors(tensors, to: url)
    return target
  }

  private func failures(_ fixture: String, change: (inout [String: Tensor]) -> Void) throws -> [String] {
    let reports = try CaseChecker.check(copied(fixture, change: change))
    return reports.first { $0.name.hasSuffix("/case.safetensors") }?.failures ?? []
  }

  private static let classifiers = [
    "clip", "dinov2_registers", "wav2vec2", "wav2vec2_padded", "hubert", "hubert_padded",
  ]

  @Test(arguments: classifiers) func `include the checkpoint's classifier and its gradients`(name: String) throws {
    defer { remove() }
    for report in try CaseChecker.check(Fixtures.own.appending(path: "classifiers/\(name)")) {
      #expect(report.passed, "\(report.line)")
      #expect(report.worst["output"]?.count == 1 && report.worst["gradient"]!.count > 10)
    }
    let wrong = try copied("classifiers/\(name)") {
      $0["grad.classifier.weight"] = $0["grad.classifier.weight"]!.affine(1.01, 0)
    }
    #expect(try CaseChecker.check(wrong)[0].failures.contains { $0.contains("classifier.weight") })
  }

  @Test func `that compare nothing do not pass`() throws {
    defer { remove() }
    let nothing = try failures("models/convnext") { tensors in
      tensors = tensors.filter { $0.key.hasPrefix("input.") }
    }
    #expect(nothing.count == 1 && nothing[0].contains("nothing is compared"))
    let unseeded = try failures("models/convnext") { tensors in
      tensors = tensors.filter { !$0.key.hasPrefix("cotangent.") }
    }
    #expect(unseeded.contains { $0.contains("no tensor cotangent.") })
  }

  @Test func `with a misshapen cotangent do not pass`() throws {
    defer { remove() }
    let misshapen = try failures("models/convnext") { $0["cotangent.pooler_output"] = Tensor(zeros: [1, 2]) }
    #expect(misshapen.contains { $0.contains("cotangent.pooler_output has shape [1, 2]") })
    let strange = try failures("models/convnext") { $0["cotangent.else"] = Tensor(zeros: [1]) }
    #expect(strange.contains { $0.contains("cotangent.else is of an output that is not computed") })
  }

  @Test func `with inputs of another type say so`() throws {
    defer { remove() }
    for (fixture, name) in [
      ("models/convnext", "pixel_values"), ("models/lstm", "sequence"), ("models/hubert_base", "input_values"),
    ] {
      let found = try failures(fixture) { tensors in
        let shape = tensors["input." + name]!.shape
        tensors["input." + name] = Tensor(layout: Layout(shape), dtype: .uint8) {
          $0.initializeMemory(as: UInt8.self, repeating: 1)
        }
      }
      #expect(found.count == 1 && found[0].contains(name) && found[0].contains("floating-point"), "\(found)")
    }
    let half = try failures("models/convnext") {
      $0["input.pixel_values"] = $0["input.pixel_values"]!.converted(to: .float16)
    }
    // The picture is rounded, the network computed all the same.
    #expect(half.allSatisfy { $0.contains("off, more than") || $0.hasPrefix("loss") })
  }

  @Test func `of numbers that are none are still JSON`() throws {
    defer { remove() }
    let url = try copied("models/convnext") {
      $0["expected.pooler_output"] = Tensor(full: .nan, shape: $0["expected.pooler_output"]!.shape)
    }
    let report = try CaseChecker.check(url)[0]
    let text = String(decoding: try JSONEncoder().encode(report), as: UTF8.self)
    #expect(!report.passed && text.contains(#""error":null"#) && text.contains("pooler_output is nan off"))
    #expect(CaseReport(name: "a", failure: "b").failures == ["b"])
  }

  @Test func `have their weights in shards`() throws {
    defer { remove() }
    let url = try copied("models/convnext")
    let file = url.appending(path: "model.safetensors")
    let tensors = try SafeTensorsFile(file).tensors()
    let names = tensors.keys.sorted()
    let shards = ["a.safetensors": names[..<(names.count / 2)], "b.safetensors": names[(names.count / 2)...]]
    for (shard, part) in shards {
      try writeSafeTensors(
        Dictionary(uniqueKeysWithValues: part.map { ($0, tensors[$0]!) }), to: url.appending(path: shard))
    }
    let map = Dictionary(uniqueKeysWithValues: shards.flatMap { shard, part in part.map { ($0, shard) } })
    try JSONEncoder().encode(["weight_map": map]).write(to: url.appending(path: "model.safetensors.index.json"))
    try FileManager.default.removeItem(at: file)
    for report in try CaseChecker.check(url) { #expect(report.passed, "\(report.line)") }
  }

  @Test func `of hostile sizes are refused before anything is made`() throws {
    defer { remove() }
    let url = try copied("models/efficientnet", file: "case_train.safetensors")
    let numbers = { (value: Int) in "[" + Array(repeating: "\(value)", count: 4096).joined(separator: ",") + "]" }
    let text = """
      {"model_type": "efficientnet", "width_coefficient": 1, "depth_coefficient": 32, "hidden_dim": 1280,
       "in_channels": \(numbers(32)), "out_channels": \(numbers(32)), "kernel_sizes": \(numbers(3)),
       "strides": \(numbers(1)), "num_block_repeats": \(numbers(64)), "expand_ratios": \(numbers(1))}
      """
    try Data(text.utf8).write(to: url.appending(path: "config.json"))
    #expect(try CaseChecker.check(url)[0].failures.first?.contains("more than 1024") == true)

    let full = folder.appending(path: "full")
    try FileManager.default.createDirectory(at: full, withIntermediateDirectories: true)
    try Data(#"{"seed": 1}"#.utf8).write(to: full.appending(path: "large.json"))
    try writeSafeTensors([:], to: full.appending(path: "large.safetensors"))
    let large = #"{"model_type": "dinov2", "hidden_size": 8192, "num_attention_heads": 1, "num_hidden_layers": 256}"#
    try Data(large.utf8).write(to: full.appending(path: "large.config.json"))
    #expect(try CaseChecker.check(full.appending(path: "large.json"))[0].failures.first?.contains("parameters") == true)
  }
}
