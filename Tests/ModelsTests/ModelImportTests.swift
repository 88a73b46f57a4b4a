import Foundation
import NN
import SafeTensors
import Tensor
import TestSupport
import Testing

@testable import Models

@Suite struct `model import` {
  private let folder: URL

  init() throws {
    folder = FileManager.default.temporaryDirectory.appending(path: "import-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
  }

  private func copied(_ fixture: String, change: (inout [String: Tensor]) -> Void = { _ in }) throws -> URL {
    let target = folder.appending(path: UUID().uuidString)
    try FileManager.default.createDirectory(at: target, withIntermediateDirectories: true)
    let source = Fixtures.own.appending(path: fixture)
    try FileManager.default.copyItem(
      at: source.appending(path: "config.json"), to: target.appending(path: "config.json"))
    var tensors = try SafeTensorsFile(source.appending(path: "model.safetensors")).tensors()
    change(&tensors)
    try writeSafeTensors(tensors, to: target.appending(path: "model.safetensors"))
    return target
  }

  @Test func `maps published names, leaves heads out, and the copy is read as it is`() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let source = try copied("layouts/wav2vec2_pretraining_weight_g")
    try Data(#"{"do_normalize": false, "sampling_rate": 8000, "return_attention_mask": true}"#.utf8)
      .write(to: source.appending(path: "preprocessor_config.json"))
    let found = try ModelImport(source)
    #expect(found.architecture.name == "wav2vec2-base" && found.fresh.isEmpty)
    #expect(found.ignored.contains("project_hid.weight") && found.ignored.contains("quantizer.codevectors"))
    #expect(found.renamed.contains { $0.key.hasSuffix("weight_g") && $0.name.hasSuffix("original0") })
    let target = folder.appending(path: "copy")
    #expect(try found.write(to: target) == ["config.json", "model.safetensors", "preprocessor_config.json"])
    let again = try ModelImport(target)
    #expect(again.renamed.isEmpty && again.ignored.isEmpty && again.parameterCount == found.parameterCount)
    guard case .waveform(let wave) = again.architecture.preprocessing else { throw ModelError("no waveform") }
    #expect(wave.sampleRate == 8000 && !wave.normalises && wave.hasMask)
    #expect(throws: ModelError.self) { try found.write(to: target) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).allSatisfy { !$0.contains("tmp") })
  }

  @Test func `reads PyTorch's file, half precision, and a checkpoint without the mask's embedding`() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let reference = try ModelImport(try copied("layouts/hubert_weight_g"))
    let pickled = folder.appending(path: "pickled")
    try FileManager.default.createDirectory(at: pickled, withIntermediateDirectories: true)
    try FileManager.default.copyItem(
      at: Fixtures.own.appending(path: "layouts/hubert_weight_g/config.json"),
      to: pickled.appending(path: "config.json"))
    try FileManager.default.copyItem(
      at: Fixtures.own.appending(path: "checkpoints/hubert.bin"), to: pickled.appending(path: "pytorch_model.bin"))
    let (a, b) = (folder.appending(path: "a"), folder.appending(path: "b"))
    try reference.write(to: a)
    try ModelImport(pickled).write(to: b)
    #expect(
      try Data(contentsOf: a.appending(path: "model.safetensors"))
        == Data(contentsOf: b.appending(path: "model.safetensors")))
    let half = try copied("models/wav2vec2_base") { tensors in
      tensors = tensors.mapValues { $0.converted(to: .bfloat16) }
      tensors["masked_spec_embed"] = nil
    }
    #expect(try ModelImport(half).fresh == ["masked_spec_embed"])
  }

  @Test func `names what does not fit, with both shapes`() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let key = "encoder.layers.1.attention.k_proj.weight"
    func message(_ change: (inout [String: Tensor]) -> Void) throws -> String {
      let source = try copied("models/wav2vec2_base", change: change)
      do {
        _ = try ModelImport(source)
        return ""
      } catch { return "\(error)" }
    }
    let missing = try message { $0[key] = nil }
    #expect(missing.contains(key) && missing.contains("[48, 48]"))
    let misshapen = try message { $0[key] = Tensor(zeros: [48, 24]) }
    #expect(misshapen.contains(key) && misshapen.contains("[48, 48]") && misshapen.contains("[48, 24]"))
    #expect(try message { $0["something.else"] = Tensor(zeros: [1]) }.contains("something.else"))
    #expect(try message { $0[key] = Tensor(full: .nan, shape: [48, 48]) }.contains("not finite"))
    #expect(try message { $0["wav2vec2." + key] = Tensor(zeros: [48, 48]) }.contains("twice"))
    #expect(throws: ModelError.self) { try ModelImport(folder.appending(path: "none")) }
    #expect(throws: ModelError.self) { try ModelImport(Fixtures.own.appending(path: "checkpoints/types.2.pth")) }
    #expect(throws: ModelError.self) { try ModelImport(folder, architecture: "audio-cnn") }
  }

  @Test func `refuses damaged and hostile configurations`() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let source = try copied("models/wav2vec2_base")
    let start = #"{"model_type": "wav2vec2", "#
    for text in [
      "", "{", "[]", "null", #"{"model_type": 3}"#, #"{"model_type": "bert"}"#, "{}",
      String(repeating: "[", count: 100_000), start + #""x": "# + String(repeating: "[", count: 100_000),
      start + #""hidden_size": -1}"#, start + #""hidden_size": 1e300}"#, start + #""num_hidden_layers": 1000000000}"#,
      start + #""conv_dim": [9999999999]}"#, start + #""num_conv_pos_embeddings": 0}"#, start + #""conv_stride": [0]}"#,
      start + #""hidden_size": 65536, "num_attention_heads": 1, "num_conv_pos_embedding_groups": 1}"#,
    ] {
      try Data(text.utf8).write(to: source.appending(path: "config.json"))
      #expect(throws: (any Error).self, "\(text.prefix(80))") { try ModelImport(source) }
    }
    try Data(#"{"model_type": "wav2vec2"}"#.utf8).write(to: source.appending(path: "config.json"))
    for text in ["{", "[]", #"{"sampling_rate": -1}"#, #"{"do_normalize": "yes"}"#] {
      try Data(text.utf8).write(to: source.appending(path: "preprocessor_config.json"))
      #expect(throws: (any Error).self, "\(text)") { try ModelImport(source) }
    }
  }
}
