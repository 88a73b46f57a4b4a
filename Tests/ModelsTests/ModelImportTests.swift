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
    #expect(missing.contains(key) && missing.contains("[48, 48]") && !missing.contains("In all"))
    let two = try message { ($0[key], $0["encoder.layer_norm.bias"]) = (nil, nil) }
    #expect(two.contains("In all 2 keys are missing") && two.contains("encoder.layer_norm.bias"), "\(two)")
    let misshapen = try message { $0[key] = Tensor(zeros: [48, 24]) }
    #expect(misshapen.contains(key) && misshapen.contains("[48, 48]") && misshapen.contains("[48, 24]"))
    #expect(try message { $0["something.else"] = Tensor(zeros: [1]) }.contains("something.else"))
    #expect(try message { $0[key] = Tensor(full: .nan, shape: [48, 48]) }.contains("not finite"))
    #expect(try message { $0["wav2vec2." + key] = Tensor(zeros: [48, 48]) }.contains("twice"))
    #expect(throws: ModelError.self) { try ModelImport(folder.appending(path: "none")) }
    #expect(throws: ModelError.self) { try ModelImport(Fixtures.own.appending(path: "checkpoints/types.2.pth")) }
    #expect(throws: ModelError.self) { try ModelImport(folder, architecture: "audio-cnn") }
  }

  @Test func `leaves a video network's classifier out, and needs no model_type`() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let source = try copied("models/r3d")
    let text = try String(contentsOf: source.appending(path: "config.json"), encoding: .utf8)
    // As the case has it: the name of the architecture alone, and classes.
    #expect(text.contains("architecture") && text.contains("num_classes") && !text.contains("model_type"))
    let found = try ModelImport(source)
    #expect(found.architecture.name == "r3d-18" && found.ignored == ["fc.bias", "fc.weight"] && found.fresh.isEmpty)
    let copy = folder.appending(path: "copy")
    try found.write(to: copy)
    let entry = try R3D.r3d18.configured(by: copy)
    let checkpoint = try entry.checkpoint(in: copy)
    let store = ParameterStore(seed: 1, checkpoint: checkpoint, fresh: entry.fresh(beside: checkpoint))
    _ = try entry.build(store.root, entry.preprocessing)
    try store.finish()
    #expect(store.parameter(named: "fc.weight") == nil && store.parameter(named: "head.weight") != nil)
    let error = #expect(throws: ModelError.self) { try ModelImport(try copied("models/lstm")) }
    #expect(error?.description.contains("bare LSTM") == true)
  }

  @Test func `refuses networks of other channels than pictures have`() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    for (fixture, key) in [
      ("clip_vision", "num_channels"), ("dinov2", "num_channels"), ("convnext", "num_channels"),
      ("efficientnet", "num_channels"), ("r3d", "in_channels"),
    ] {
      let source = try copied("models/\(fixture)")
      let file = source.appending(path: "config.json")
      var json = try #require(try JSONSerialization.jsonObject(with: Data(contentsOf: file)) as? [String: Any])
      json[key] = 4
      try JSONSerialization.data(withJSONObject: json).write(to: file)
      let error = #expect(throws: ModelError.self) { try ModelImport(source) }
      #expect(error?.description.contains("\"\(key)\" is 4; pictures have 3") == true, "\(fixture)")
    }
    let video = try ModelConfiguration(json: Data(#"{"model_type": "convnext", "num_channels": 1}"#.utf8), source: "c")
    #expect(throws: ModelError.self) { try VideoLSTM.entry.configured(by: video) }
  }

  @Test func `refuses normalisations that no picture survives`() throws {
    for text in [
      #"{"image_std": [1e-300, 1e-300, 1e-300]}"#, #"{"image_mean": [1e300, 0, 0]}"#, #"{"image_std": [0, 1, 1]}"#,
      #"{"image_std": [-1, 1, 1]}"#, #"{"rescale_factor": 1e-9}"#, #"{"image_std": [1e300, 1, 1]}"#,
    ] {
      let processor = try ModelConfiguration(json: Data(text.utf8), source: "preprocessor_config.json")
      #expect(throws: ModelError.self, "\(text)") { try ImageProcessor.convNext.frames(processor) }
    }
    var frames = Preprocessing.Frames(size: 8)
    frames.deviation[0] = .infinity
    #expect(throws: ModelError.self) { try Preprocessing.frames(frames).validate() }
    frames.deviation[0] = 1
    frames.mean[0] = .nan
    #expect(throws: ModelError.self) { try Preprocessing.frames(frames).validate() }
  }

  @Test func `refuses damaged and hostile configurations`() throws {
    defer { try? FileManager.default.removeItem(at: folder) }
    let source = try copied("models/wav2vec2_base")
    let start = #"{"model_type": "wav2vec2", "#
    func list(_ value: Int) -> String { "\([Int](repeating: value, count: 64))" }
    for text in [
      "", "{", "[]", "null", #"{"model_type": 3}"#, #"{"model_type": "bert"}"#, "{}",
      String(repeating: "[", count: 100_000), start + #""x": "# + String(repeating: "[", count: 100_000),
      start + #""hidden_size": -1}"#, start + #""hidden_size": 1e300}"#, start + #""num_hidden_layers": 1000000000}"#,
      start + #""conv_dim": [9999999999]}"#, start + #""num_conv_pos_embeddings": 0}"#, start + #""conv_stride": [0]}"#,
      start + #""num_feat_extract_layers": 64, "conv_dim": \#(list(8)), "conv_kernel": \#(list(4096)), "#
        + #""conv_stride": \#(list(4096))}"#,
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
