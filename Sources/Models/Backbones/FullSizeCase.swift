import Autograd
import Foundation
import NN
import SafeTensors
import Tensor

/// A full-size model whose weights follow from a rule of their names: forward only, and the names themselves.
///
/// The configuration is `NAME.config.json` beside the case where there is one, else that of the registry's entry of the
/// same name.
struct FullSizeCase {
  private let name: String
  private let folder: URL
  private let meta: ModelConfiguration

  // The largest of these families, CLIP's bigG tower, has 1.8 billion.
  private static let parameterLimit = 1 << 31

  /// - Parameter path: `full/NAME`, with or without an extension.
  init(_ path: URL) throws {
    let isKnown = ["json", "safetensors"].contains(path.pathExtension)
    name = isKnown ? path.deletingPathExtension().lastPathComponent : path.lastPathComponent
    folder = path.deletingLastPathComponent()
    meta = try ModelConfiguration(contentsOf: folder.appending(path: name + ".json"))
  }

  func check() throws -> CaseReport {
    var report = CaseReport(name: "full/\(name)")
    let configuration = try configuration()
    let family = try ModelRegistry.family(of: configuration)
    let outline = ParameterStore.outline()
    let width = try family.make(outline.root, configuration).featureCount
    let classes = try shapesOfClassifier(configuration, family, width: width)
    _ = try CaseHead(outline.root, family, configuration, shapes: classes)
    let tensors =
      outline.parameters.map { ($0.name, $0.value.shape) } + outline.buffers.map { ($0.name, $0.value.shape) }
    for sentence in try differences(tensors) { report.fail(sentence) }
    let parameters = try meta.int("parameters", default: outline.parameterCount, in: 1...1 << 40)
    if parameters != outline.parameterCount { report.fail("\(outline.parameterCount) parameters, not \(parameters)") }
    guard report.passed else { return report }
    guard outline.parameterCount <= Self.parameterLimit else {
      throw ModelError(
        "\(configuration.source) makes \(outline.parameterCount) parameters, more than \(Self.parameterLimit); is it the "
          + "configuration of another model?")
    }

    // The reference's EfficientNet needs stronger weights for its signal to live through the depth.
    let gain = name == "efficientnet-b0" ? 1.45 : 1
    let rule = try WeightRule(seed: meta.int("seed", in: 0...1 << 40), gain: gain)
    let store = ParameterStore(
      seed: 0, checkpoint: Dictionary(uniqueKeysWithValues: tensors.map { ($0.0, rule.tensor($0.0, $0.1)) }))
    let backbone = try family.make(store.root, configuration)
    let head = try CaseHead(store.root, family, configuration, shapes: classes)
    try store.finish()

    let file = try SafeTensorsFile(folder.appending(path: name + ".safetensors"))
    var inputs: [String: Variable] = [:]
    for key in file.names where key.hasPrefix("input.") {
      let value = try file.tensor(key)
      inputs[String(key.dropFirst("input.".count))] = Variable(
        value.dtype.isInteger ? value : value.converted(to: .float32))
    }
    let pass = Pass(training: false)
    var outputs = try backbone.outputs(inputs, pass)
    if let head { outputs["logits"] = try head.logits(outputs, inputs, backbone, pass) }
    let limit = try meta.section("tolerance")?.double("outputs", default: 5e-5) ?? 5e-5
    for key in file.names.sorted() where key.hasPrefix("expected.") {
      let wanted = String(key.dropFirst("expected.".count))
      report.compare(.output, wanted, part(wanted, of: outputs), try file.tensor(key), limit: limit)
    }
    if report.passed && !report.comparesSomething {
      report.fail("nothing is compared: \(name).safetensors has no tensor expected.…")
    }
    return report
  }

  private func configuration() throws -> ModelConfiguration {
    let own = folder.appending(path: name + ".config.json")
    if FileManager.default.fileExists(atPath: own.path) { return try ModelConfiguration(contentsOf: own) }
    // Published names add the picture size or the data set: convnext-tiny-224, hubert-base-ls960.
    let plain = name.replacingOccurrences(of: "_", with: "-")
    let entry = ModelRegistry.all.filter { $0.family != nil && plain.hasPrefix($0.name) }.max {
      $0.name.count < $1.name.count
    }
    guard let entry, let configuration = entry.configuration else {
      throw ModelError("\(folder.path)/\(name): no architecture has this name; put \(name).config.json beside it")
    }
    // A reference's video network keeps its classifier.
    guard entry.family?.name == "r3d" else { return configuration }
    return ModelConfiguration(literal: #"{"model_type": "r3d", "num_classes": 400}"#)
  }

  /// A video network's; the classifiers of other full-size models are no part of their cases.
  private func shapesOfClassifier(
    _ configuration: ModelConfiguration, _ family: BackboneFamily, width: Int
  ) throws -> [String: [Int]] {
    guard family.name == R3D.family.name else { return [:] }
    let classes = try configuration.int("num_classes", default: 0, in: 0...65536)
    return classes > 0 ? ["fc.weight": [classes, width], "fc.bias": [classes]] : [:]
  }

  /// Sentences about names and shapes that are not those of `names/NAME.txt`, where that file is.
  private func differences(_ tensors: [(String, [Int])]) throws -> [String] {
    let list = folder.appending(path: "names/\(name).txt")
    guard FileManager.default.fileExists(atPath: list.path) else { return [] }
    let wanted = try TensorNames.read(list)
    let ours = Dictionary(uniqueKeysWithValues: tensors)
    let missing = wanted.keys.filter { ours[$0] == nil }.sorted().map { "\($0) is missing" }
    let extra = ours.keys.filter { wanted[$0] == nil }.sorted().map { "\($0) is not the reference's" }
    let other = wanted.keys.filter { ours[$0] != nil && ours[$0] != wanted[$0] }.sorted().map {
      "\($0) has shape \(ours[$0]!), not \(wanted[$0]!)"
    }
    return missing + extra + other
  }

  /// `last_hidden_state.first3` and the like: a part of an output, as the case stores it.
  private func part(_ wanted: String, of outputs: [String: Variable]) -> Tensor? {
    if let whole = outputs[wanted] { return whole.value }
    guard let dot = wanted.lastIndex(of: "."), let output = outputs[String(wanted[..<dot])] else { return nil }
    let shape = output.shape
    let x = Variable(output.value)
    switch (wanted[wanted.index(after: dot)...], shape.count) {
    case ("first3", 3): return slice(x, axis: 1, 0..<min(3, shape[1])).value
    case ("last", 3): return select(x, axis: 1, shape[1] - 1).value
    case ("mean", 3): return mean(x, axes: [1]).value
    case ("corner2x2", 4): return slice(slice(x, axis: 2, 0..<2), axis: 3, 0..<2).value
    case ("last_position", 4): return select(select(x, axis: 3, shape[3] - 1), axis: 2, shape[2] - 1).value
    case ("mean", 4): return mean(x, axes: [2, 3]).value
    default: return nil
    }
  }
}

/// Lists of tensors, a line each: name, type, shape.
enum TensorNames {
  /// - Throws: `ModelError` if the file cannot be read.
  static func read(_ url: URL) throws -> [String: [Int]] {
    guard let text = try? String(contentsOf: url, encoding: .utf8) else {
      throw ModelError("\(url.path) cannot be read")
    }
    var result: [String: [Int]] = [:]
    for line in text.split(separator: "\n") where !line.hasPrefix("#") {
      let fields = line.split(separator: "\t")
      guard fields.count >= 3 else { continue }
      result[String(fields[0])] = fields[2].split { "[], ".contains($0) }.compactMap { Int($0) }
    }
    return result
  }
}

/// Weights that anyone can make again: a hash of seed, name and place.
struct WeightRule {
  let seed: Int
  let gain: Double

  /// A weight whose range follows from its name.
  func tensor(_ name: String, _ shape: [Int]) -> Tensor {
    let (offset, scale) = range(name, shape)
    return values(name, shape, offset: offset, scale: scale)
  }

  /// Element i is `offset + scale · x`, x from -1 to 1 by SplitMix64 keyed with FNV-1a of "seed:name".
  func values(_ name: String, _ shape: [Int], offset: Double = 0, scale: Double) -> Tensor {
    var key: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in "\(seed):\(name)".utf8 { key = (key ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    return Tensor(shape) { out in
      for i in out.indices {
        var z = key &+ UInt64(truncatingIfNeeded: i &+ 1) &* 0x9e37_79b9_7f4a_7c15
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        z ^= z >> 31
        let x = (Double(z >> 40) - 0x1p23) * 0x1p-23
        out[i] = Float(offset + scale * x)
      }
    }
  }

  private func range(_ name: String, _ shape: [Int]) -> (offset: Double, scale: Double) {
    if name.hasSuffix("num_batches_tracked") { return (0, 0) }
    if name.hasSuffix("running_mean") { return (0, 0.1) }
    if name.hasSuffix("running_var") { return (1, 0.5) }
    if name.hasSuffix("layer_scale_parameter") || name.hasSuffix("lambda1") { return (0.5, 0.2) }
    if name.hasSuffix("original0") { return (1, 0.3) }
    let tokens = [
      "cls_token", "mask_token", "register_tokens", "masked_spec_embed", "class_embedding", "position_embedding",
    ]
    if tokens.contains(where: name.contains) { return (0, 0.5) }
    if name.hasSuffix("bias") { return (0, 0.1) }
    if shape.count == 1 { return (1, 0.2) }
    return (0, gain * (3 / Double(shape.dropFirst().reduce(1, *))).squareRoot())
  }
}
