import Autograd
import Datasets
import Foundation
import Models
import NN
import SafeTensors
import Tensor
import Testing

@testable import Training

/// Two linear blocks, the first with batch norm, and a layer norm behind them.
struct TinyBackbone: Backbone {
  let first, second: NN.Linear
  let norm: BatchNorm
  let last: LayerNorm
  let featureCount: Int

  init(_ scope: ParameterScope, _ configuration: ModelConfiguration) throws {
    featureCount = try configuration.int("width")
    first = try NN.Linear(scope["blocks", 0], in: 48, out: featureCount)
    norm = try BatchNorm(scope["blocks", 0, "norm"], channels: featureCount)
    second = try NN.Linear(scope["blocks", 1], in: featureCount, out: featureCount)
    last = try LayerNorm(scope["layernorm"], featureCount, eps: 1e-6)
  }

  func features(_ input: Variable, _ pass: Pass) -> Variable {
    let x = pass.block(input) { gelu(norm(first($0, $1), $1)) }
    return last(pass.block(x) { $0 + dropout(second($0, $1), rate: pass.dropout ?? 0, $1) }, pass)
  }

  func outputs(_ inputs: [String: Variable], _ pass: Pass) throws -> [String: Variable] { [:] }

  var stages: [[String]] { [["blocks.0."], ["blocks.1."], ["layernorm."]] }

  static let family = BackboneFamily(
    name: "tiny", modelTypes: ["tiny"], make: { try TinyBackbone($0, $1) },
    rename: { $0.hasPrefix("text.") ? nil : String($0.trimmingPrefix("tiny.")) },
    preprocessing: { _, _ in TinyNetwork.entry.preprocessing })

  static let entry = try! Architecture(
    name: "tiny-backbone", modality: .image, family: family,
    configuration: ModelConfiguration(json: Data(#"{"model_type": "tiny", "width": 4}"#.utf8), source: "the default"),
    summary: "", paper: "", licence: "", recipe: Recipe(views: 2))

  /// Writes a weights folder of width 6.
  static func weights(in folder: TemporaryFolder, seed: UInt64 = 1, name: String = "weights") throws -> URL {
    let url = folder.url.appending(path: name)
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    let config = Data(#"{"model_type": "tiny", "width": 6}"#.utf8)
    try config.write(to: url.appending(path: "config.json"))
    let store = ParameterStore(seed: seed)
    let backbone = try TinyBackbone(store.root, ModelConfiguration(json: config, source: "test"))
    // Running statistics that differ from those of any batch.
    backbone.norm.runningMean.value = Tensor(full: 0.1, shape: [6])
    backbone.norm.runningVariance.value = Tensor(full: 0.5, shape: [6])
    var tensors = Dictionary(uniqueKeysWithValues: store.state.map { ("tiny.\($0)", $1) })
    tensors["text.other"] = Tensor(full: 1, shape: [3])
    try writeSafeTensors(tensors, metadata: [:], to: url.appending(path: "model.safetensors"))
    return url
  }

  static func job(
    _ folder: URL, _ tuning: Tuning, change: (inout TrainSettings) -> Void = { _ in }
  ) throws -> TrainingJob {
    let weights = try WeightsFolder(folder, model: "tiny", architecture: entry)
    var job = TinyTask.job(architecture: try entry.configured(by: folder)) {
      $0.augment = false
      change(&$0)
    }
    (job.weights, job.tuning) = (weights, tuning)
    return job
  }
}

/// A layer of ours, without outside weights, upon the tiny backbone.
struct TinyTwoPart: TwoPartBackbone {
  let below: TinyBackbone
  let above: NN.Linear
  var featureCount: Int { 3 }

  init(_ scope: ParameterScope, _ configuration: ModelConfiguration) throws {
    below = try TinyBackbone(scope, configuration)
    above = try NN.Linear(scope["upper"], in: below.featureCount, out: 3)
  }

  func features(_ input: Variable, _ pass: Pass) -> Variable { upper(lower(input, pass), pass) }
  func outputs(_ inputs: [String: Variable], _ pass: Pass) throws -> [String: Variable] { [:] }
  var stages: [[String]] { below.stages + [["upper."]] }
  func lower(_ input: Variable, _ pass: Pass) -> Variable { below.features(input, pass) }
  func lowerCount(partShape: [Int]) -> Int { below.featureCount }
  func upper(_ lower: Variable, _ pass: Pass) -> Variable { tanh(above(lower, pass)) }

  static let entry = try! Architecture(
    name: "tiny-two-part", modality: .image,
    family: BackboneFamily(
      name: "tiny", modelTypes: ["tiny"], fresh: ["upper."], make: { try TinyTwoPart($0, $1) },
      rename: TinyBackbone.family.rename, preprocessing: TinyBackbone.family.preprocessing),
    configuration: ModelConfiguration(json: Data(#"{"model_type": "tiny", "width": 4}"#.utf8), source: "the default"),
    summary: "", paper: "", licence: "", recipe: Recipe(views: 2))
}

@Suite struct `tuning` {
  private func train(
    _ folder: TemporaryFolder, _ job: TrainingJob, name: String = "model", resuming: URL? = nil,
    change: (inout Trainer) -> Void = { _ in }
  ) throws -> (summary: TrainingSummary, tensors: [String: Tensor]) {
    var trainer = Trainer(job, cache: folder.cache)
    change(&trainer)
    let output = folder.url.appending(path: name)
    let summary = try trainer.run(
      checkpoint: folder.url.appending(path: "\(name).checkpoint"), resuming: resuming, output: output)
    return (summary, try ModelFile.read(output).tensors)
  }

  private func difference(_ a: Tensor, _ b: Tensor) -> Float {
    zip(a.floats(), b.floats()).map { abs($0 - $1) }.max() ?? 0
  }

  /// The backbone's tensors as its folder has them.
  private func original(_ url: URL) throws -> [String: Tensor] { try TinyBackbone.entry.checkpoint(in: url) }

  @Test func `begins with the weights of the folder and keeps its configuration`() throws {
    let folder = try TemporaryFolder()
    let weights = try TinyBackbone.weights(in: folder)
    let job = try TinyBackbone.job(weights, .full) { ($0.epochs, $0.learningRate) = (1, 1e-9) }
    let trained = try train(folder, job).tensors
    for (name, tensor) in try original(weights) where !name.contains("running") && !name.contains("tracked") {
      #expect(difference(tensor, trained[name]!) < 1e-6, "\(name)")
    }
    let description = try ModelFile.description(of: folder.url.appending(path: "model"))
    #expect(description.config?.contains(#""width": 6"#) == true && description.weights == job.weights?.hash)
  }

  @Test func `keeps the running statistics that came with the weights, unless told otherwise`() throws {
    let folder = try TemporaryFolder()
    let weights = try TinyBackbone.weights(in: folder)
    let name = "blocks.0.norm.running_mean"
    let before = try original(weights)
    let kept = try train(folder, TinyBackbone.job(weights, .full)).tensors
    #expect(difference(kept[name]!, before[name]!) == 0)
    #expect(difference(kept["blocks.0.weight"]!, before["blocks.0.weight"]!) > 0)
    let moved = try train(folder, TinyBackbone.job(weights, .full) { ($0.batchNorm, $0.batch) = (.batch, 16) }).tensors
    #expect(difference(moved[name]!, before[name]!) > 0)
  }

  @Test func `on kept features equals a frozen body, step by step`() throws {
    let folder = try TemporaryFolder()
    let job = try TinyBackbone.job(try TinyBackbone.weights(in: folder), .frozen) { $0.epochs = 5 }
    let kept = try train(folder, job, name: "kept")
    let computed = try train(folder, job, name: "computed") { $0.keepsFeatures = false }
    // 1e-6: products of a batch and of one sample's parts may be summed in another order.
    for (a, b) in zip(kept.summary.epochs, computed.summary.epochs) {
      #expect(abs(a.trainingLoss - b.trainingLoss) < 1e-6 && abs(a.validationLoss! - b.validationLoss!) < 1e-6)
    }
    for (name, tensor) in kept.tensors { #expect(difference(tensor, computed.tensors[name]!) < 1e-6, "\(name)") }
    for (name, tensor) in try original(folder.url.appending(path: "weights")) {
      #expect(difference(tensor, kept.tensors[name]!) == 0, "\(name) is frozen")
    }
    #expect(kept.summary.epochs.last!.trainingLoss < kept.summary.epochs[0].trainingLoss)
    let checkpoint = try TrainerCheckpoint(contentsOf: firstCheckpoint(folder, job))
    #expect(Set(checkpoint.weights.keys.filter { !$0.contains("norm.") }) == ["head.weight", "head.bias"])
  }

  @Test func `on kept features trains what stands upon a frozen part, too`() throws {
    let folder = try TemporaryFolder()
    var job = try TinyBackbone.job(try TinyBackbone.weights(in: folder), .frozen) { $0.epochs = 4 }
    job.architecture = try TinyTwoPart.entry.configured(by: folder.url.appending(path: "weights"))
    let kept = try train(folder, job, name: "kept")
    let computed = try train(folder, job, name: "computed") { $0.keepsFeatures = false }
    #expect(!kept.summary.notes.contains { $0.kind == .tuning })
    for (name, tensor) in kept.tensors { #expect(difference(tensor, computed.tensors[name]!) < 1e-6, "\(name)") }
    for (name, tensor) in try original(folder.url.appending(path: "weights")) {
      #expect(difference(tensor, kept.tensors[name]!) == 0, "\(name) is frozen")
    }
    #expect(kept.summary.epochs.last!.trainingLoss < kept.summary.epochs[0].trainingLoss)
    // Another fold's upper part begins otherwise and reads the same kept features.
    job.seed += 1
    let other = try train(folder, job, name: "other")
    #expect(other.tensors["upper.weight"]!.floats() != kept.tensors["upper.weight"]!.floats())
  }

  private func firstCheckpoint(_ folder: TemporaryFolder, _ job: TrainingJob) throws -> URL {
    _ = try train(folder, job, name: "checked") { $0.checkpointSteps = 2 }
    return folder.url.appending(path: "checked.checkpoint")
  }

  @Test(arguments: [Tuning.frozen, .last(1), .full]) func `gives the same bytes shared and resumed`(tuning: Tuning)
    throws
  {
    let folder = try TemporaryFolder()
    // Batch norm in training wants four samples a shard.
    let job = try TinyBackbone.job(try TinyBackbone.weights(in: folder), tuning) {
      ($0.batch, $0.ema, $0.layerDecay) = (16, 0.9, 0.5)
    }
    _ = try train(folder, job)
    let alone = try folder.bytes("model")
    let group = LocalGroup(members: 2)
    onThreads(2) { rank in
      do {
        _ = try train(folder, job, name: "member-\(rank)") {
          $0.reducer = group.member(rank)
          $0.checkpointSteps = 2
        }
        #expect(try folder.bytes("member-\(rank)") == alone)
      } catch { Issue.record(error) }
    }
    _ = try train(folder, job, name: "resumed", resuming: folder.url.appending(path: "member-0.checkpoint"))
    #expect(try folder.bytes("resumed") == alone)
  }

  @Test func `of the last block leaves the others and their running statistics alone`() throws {
    let folder = try TemporaryFolder()
    let weights = try TinyBackbone.weights(in: folder)
    let trained = try train(folder, TinyBackbone.job(weights, .last(1))).tensors
    for (name, tensor) in try original(weights) {
      #expect((difference(tensor, trained[name]!) == 0) == name.hasPrefix("blocks.0."), "\(name)")
    }
  }

  /// What lies behind the last block and has weights of layers is no block.
  @Test(arguments: [
    (
      "clip-vit-base-patch32", "vision_model.encoder.layers.11.",
      ["visual_projection.", "vision_model.post_layernorm."]
    ),
    ("efficientnet-b0", "encoder.blocks.15.", ["encoder.top_conv.", "encoder.top_bn."]),
    ("dinov2-small", "encoder.layer.11.", ["layernorm."]), ("r3d-18", "layer4.1.", []),
  ])
  func `of the last block trains a block`(name: String, block: String, behind: [String]) throws {
    let entry = try ModelRegistry.find(name)
    let store = ParameterStore.outline()
    let network = try entry.build(store.root, entry.preprocessing)
    try Tuning.last(1).apply(to: network, store, fresh: [], model: "m")
    let expected = [block, "head."] + behind
    for parameter in store.parameters {
      #expect(parameter.trainable == expected.contains { parameter.name.hasPrefix($0) }, "\(parameter.name)")
    }
    // Each of them is there.
    for prefix in expected { #expect(store.parameters.contains { $0.name.hasPrefix(prefix) }, "\(prefix)") }
  }

  @Test func `says that mixup and cutmix are not done`() throws {
    let folder = try TemporaryFolder()
    let weights = try TinyBackbone.weights(in: folder)
    func notes(_ tuning: Tuning, mixup: Double) throws -> [String] {
      let job = try TinyBackbone.job(weights, tuning) { ($0.epochs, $0.mixup) = (1, mixup) }
      return try train(folder, job).summary.notes.filter { $0.kind == .mixing }.map(\.text)
    }
    #expect(try notes(.frozen, mixup: 0.8).first?.contains("tune: frozen") == true)
    #expect(try notes(.frozen, mixup: 0).isEmpty && notes(.full, mixup: 0.8).isEmpty)
  }

  @Test(arguments: [BalanceSettings.Strategy.smote, .borderlineSMOTE])
  func `on kept features can make points between them`(strategy: BalanceSettings.Strategy) throws {
    let folder = try TemporaryFolder()
    var job = try TinyBackbone.job(try TinyBackbone.weights(in: folder), .frozen)
    job.balance = BalanceSettings(strategy: strategy)
    let summary = try train(folder, job).summary
    // 9 real and 18 fake samples of two views each: the difference is made up.
    #expect(summary.trainingSamples == 27)
    let note = try #require(summary.notes.first { $0.kind == .balance }?.text)
    #expect(note.contains("balance \(strategy.rawValue): training part: real 27, fake 18; sampler none shows real 27"))
    #expect(note.contains("among them points between embeddings: real 18, fake 0"))
    job.tuning = .full
    let error = #expect(throws: TrainingError.self) { _ = try train(folder, job) }
    #expect(error?.description.contains("tune: frozen, or another strategy") == true)
  }

  @Test func `reads its forms`() {
    #expect(Tuning("full") == .full && Tuning("frozen") == .frozen && Tuning("last-12") == .last(12))
    for text in ["", "last-0", "last-", "half", "last--1"] { #expect(Tuning(text) == nil) }
    for tuning in [Tuning.full, .frozen, .last(3)] { #expect(Tuning(tuning.text) == tuning) }
  }
}

@Suite struct `a weights folder` {
  @Test func `counts by its content, not by its place`() throws {
    let folder = try TemporaryFolder()
    let one = try TinyBackbone.job(try TinyBackbone.weights(in: folder, name: "one"), .full)
    let same = try TinyBackbone.job(try TinyBackbone.weights(in: folder, name: "same"), .full)
    let other = try TinyBackbone.job(try TinyBackbone.weights(in: folder, seed: 2, name: "other"), .full)
    #expect(try one.configurationHash() == same.configurationHash())
    #expect(try one.configurationHash() != other.configurationHash())
    #expect(try one.configurationHash() != TinyBackbone.job(one.weights!.url, .last(1)).configurationHash())
  }

  @Test func `that is missing says where the weights are`() throws {
    let dino = Architecture(
      name: "dinov2-small", modality: .image, summary: "", paper: "", licence: "",
      preprocessing: TinyNetwork.entry.preprocessing, recipe: Recipe(views: 1),
      family: BackboneFamily(
        name: "dinov2", modelTypes: [], make: { try TinyBackbone($0, $1) }, rename: { $0 },
        preprocessing: { _, _ in TinyNetwork.entry.preprocessing }), build: { try TinyNetwork($0, $1) })
    let error = #expect(throws: TrainingError.self) {
      _ = try WeightsFolder(URL(filePath: "/none/dino"), model: "d", architecture: dino)
    }
    #expect(
      error?.description
        == "model d: there are no weights at /none/dino; get config.json, preprocessor_config.json and model.safetensors "
        + "(or pytorch_model.bin) from https://huggingface.co/facebook/dinov2-small and run `unmask models import "
        + "DOWNLOADED_FOLDER --output /none/dino`, or name another folder with --weights d=PATH")
  }

  @Test func `with a key too few is refused by name`() throws {
    let folder = try TemporaryFolder()
    let weights = try TinyBackbone.weights(in: folder)
    var tensors = try SafeTensorsFile(weights.appending(path: "model.safetensors")).tensors()
    tensors["tiny.blocks.1.weight"] = nil
    let kept = tensors.mapValues { Tensor($0.floats(), shape: $0.shape) }
    try writeSafeTensors(kept, metadata: [:], to: weights.appending(path: "model.safetensors"))
    let job = try TinyBackbone.job(weights, .full)
    let error = #expect(throws: TrainingError.self) {
      _ = try Trainer(job, cache: folder.cache).run(
        checkpoint: folder.url.appending(path: "c"), output: folder.url.appending(path: "m"))
    }
    #expect(error?.description.contains("blocks.1.weight is missing") == true)
  }
}
