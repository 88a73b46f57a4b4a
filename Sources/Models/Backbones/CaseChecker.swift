import Autograd
public import Foundation
import NN
import SafeTensors
import Tensor

/// Runs reference cases: a checkpoint, inputs, and what the reference implementation made of them.
///
///     for report in try CaseChecker.check(URL(filePath: "cases/models/clip_vision")) { print(report.line) }
///
/// Three forms are known: a folder with `meta.json` that lists case files with gradients (`models/`), one with a single
/// `case.safetensors` (`layouts/`), and a full-size model whose weights follow from a rule (`full/NAME`). A folder of such
/// folders stands for all of them.
public enum CaseChecker {
  /// Reports of every case below `path`. A case that cannot be run at all has a report that says why.
  ///
  /// - Throws: `ModelError` if there is no case at `path`.
  public static func check(_ path: URL) throws -> [CaseReport] {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: path.path, isDirectory: &isFolder)
    if !exists || !isFolder.boolValue {
      // A full-size case may be named without its extension.
      guard
        isFile(path.deletingPathExtension().appendingPathExtension("json"))
          || isFile(path.appendingPathExtension("json"))
      else {
        throw ModelError("\(path.path) is neither a folder of reference cases nor a full-size case; check the path")
      }
      return [fullSize(path)]
    }
    if isFile(path.appending(path: "meta.json")) { return folder(path) }
    let inside = try FileManager.default.contentsOfDirectory(at: path, includingPropertiesForKeys: nil)
      .sorted { $0.lastPathComponent < $1.lastPathComponent }
    let folders = inside.filter { isFile($0.appending(path: "meta.json")) }
    let full = inside.filter {
      $0.pathExtension == "json" && isFile($0.deletingPathExtension().appendingPathExtension("safetensors"))
    }
    guard !folders.isEmpty || !full.isEmpty else {
      throw ModelError("\(path.path) has neither a meta.json nor cases below it; name a case's folder")
    }
    return folders.flatMap(folder) + full.map(fullSize)
  }

  private static func isFile(_ url: URL) -> Bool { FileManager.default.fileExists(atPath: url.path) }

  private static func folder(_ folder: URL) -> [CaseReport] {
    func report(_ file: String, _ meta: ModelConfiguration) -> CaseReport {
      attempt("\(folder.lastPathComponent)/\(file)") { try SmallCase(folder, meta, file: file).check() }
    }
    do {
      let meta = try ModelConfiguration(contentsOf: folder.appending(path: "meta.json"))
      let cases = try meta.sections("cases")
      guard !cases.isEmpty else { return [report("case.safetensors", meta)] }
      return try cases.map { report(try $0.string("file"), $0) }
    } catch { return [attempt(folder.lastPathComponent) { throw error }] }
  }

  private static func fullSize(_ path: URL) -> CaseReport {
    attempt("full/\(path.lastPathComponent)") { try FullSizeCase(path).check() }
  }

  private static func attempt(_ name: String, _ body: () throws -> CaseReport) -> CaseReport {
    do { return try body() } catch { return CaseReport(name: name, failure: "\(error)") }
  }
}

/// One case file beside its checkpoint.
private struct SmallCase {
  let folder: URL
  let meta: ModelConfiguration
  let file: SafeTensorsFile

  init(_ folder: URL, _ meta: ModelConfiguration, file: String) throws {
    (self.folder, self.meta) = (folder, meta)
    self.file = try SafeTensorsFile(folder.appending(path: file))
  }

  func check() throws -> CaseReport {
    var report = CaseReport(name: "\(folder.lastPathComponent)/\(file.path.split(separator: "/").last!)")
    let configuration = try ModelConfiguration(contentsOf: folder.appending(path: "config.json"))
    let model = try LoadedCase(configuration, weights: WeightFolder(folder))
    let tolerance = try meta.section("tolerance") ?? ModelConfiguration(literal: "{}")
    let outputLimit = try tolerance.double("outputs", default: 2e-5)

    // Forward, every floating-point input a leaf.
    let pass = Pass(training: try meta.string("mode", default: "eval") == "train", recording: true)
    var inputs: [String: Variable] = [:]
    for (name, key) in tensors("input.") {
      let value = try file.tensor(key)
      inputs[name] = value.dtype.isInteger ? Variable(value) : pass.leaf(value.converted(to: .float32))
    }
    let isClassified = file.names.contains { $0.hasSuffix(".logits") }
    let outputs = try model.outputs(inputs, pass, classified: isClassified)
    for (name, key) in tensors("expected.") where name != "loss" {
      report.compare(.output, name, outputs[name]?.value, try file.tensor(key), limit: outputLimit)
    }
    try checkGradients(of: outputs, inputs, pass, model, tolerance, &report)
    try checkBuffers(pass, model, limit: tolerance.double("updated", default: outputLimit), &report)
    if report.passed && !report.comparesSomething {
      report.fail("nothing is compared: the case file has no tensor expected.…")
    }
    return report
  }

  private func scalar(_ key: String) throws -> Float {
    let values = try file.tensor(key)
    guard values.count == 1, !values.dtype.isInteger else {
      throw ModelError("\(file.path): \(key) has shape \(values.shape); it must be one floating-point number")
    }
    return values.converted(to: .float32).scalar
  }

  private func tensors(_ prefix: String) -> [(name: String, key: String)] {
    file.names.filter { $0.hasPrefix(prefix) }.sorted().map { (String($0.dropFirst(prefix.count)), $0) }
  }

  private func checkGradients(
    of outputs: [String: Variable], _ inputs: [String: Variable], _ pass: Pass, _ model: LoadedCase,
    _ tolerance: ModelConfiguration, _ report: inout CaseReport
  ) throws {
    // The loss is the sum over outputs of mean(output · cotangent).
    var (seeds, loss): ([(variable: Variable, gradient: Tensor)], Double) = ([], 0)
    for (name, key) in tensors("cotangent.") {
      let cotangent = try file.tensor(key).converted(to: .float32)
      guard let output = outputs[name] else {
        report.fail("\(key) is of an output that is not computed")
        continue
      }
      guard output.shape == cotangent.shape else {
        report.fail("\(key) has shape \(cotangent.shape), but the output \(output.shape)")
        continue
      }
      loss += product(output.value, cotangent) / Double(cotangent.count)
      if output.needsGradient { seeds.append((output, cotangent.affine(1 / Float(cotangent.count), 0))) }
    }
    guard !seeds.isEmpty else {
      if report.passed, let key = file.names.first(where: { $0.hasPrefix("grad") || $0 == "expected.loss" }) {
        report.fail("\(key) cannot be compared: the case file has no tensor cotangent.…")
      }
      return
    }
    if file.names.contains("expected.loss") {
      let scale = try meta.double("loss_scale", default: 1)
      report.compareLoss(
        loss, Double(try scalar("expected.loss")), scale: scale,
        limit: try tolerance.double("loss_over_loss_scale", default: 2e-5))
    }
    var gradients: [String: Tensor] = [:]
    let inputLeaves = Dictionary(
      uniqueKeysWithValues: inputs.compactMap { name, input in input.index.map { ($0, name) } })
    pass.tape!.backward(from: seeds) { index, gradient in
      if let owner = pass.owner(of: index) { gradients["grad." + owner.name] = gradient }
      if let name = inputLeaves[index] { gradients["grad_input." + name] = gradient }
    }

    let limit = try tolerance.double("gradients", default: 2e-4)
    let largest = try meta.double("largest_gradient_norm", default: 1, in: 0...1e30)
    let zeroLimit = try tolerance.double("zero_gradients_over_largest_gradient_norm", default: 1e-5) * largest
    let zeros = Set(try meta.strings("gradients_zero_in_exact_arithmetic"))
    let unused = Set(try meta.strings("gradients_exactly_zero_unused").map { $0.hasPrefix("grad") ? $0 : "grad." + $0 })
    for (name, key) in tensors("grad.") {
      guard let ours = model.name(of: name), let parameter = model.store.parameter(named: ours) else {
        report.fail("no parameter for the gradient of \(name)")
        continue
      }
      let found = gradients.removeValue(forKey: "grad." + ours) ?? Tensor(zeros: parameter.value.shape)
      if zeros.contains(key) || unused.contains(key) {
        report.compareZero(name, found, over: largest, limit: zeroLimit)
      } else {
        report.compare(.gradient, name, found, try file.tensor(key), limit: limit)
      }
    }
    for (name, key) in tensors("grad_input.") {
      report.compare(.gradient, "input " + name, gradients.removeValue(forKey: key), try file.tensor(key), limit: limit)
    }
    for name in gradients.keys.sorted() where name.hasPrefix("grad.") { report.fail("the case has no \(name)") }
  }

  private func checkBuffers(_ pass: Pass, _ model: LoadedCase, limit: Double, _ report: inout CaseReport) throws {
    let updated = tensors("updated.")
    guard !updated.isEmpty else { return }
    model.store.apply(pass.statistics)
    for (name, key) in updated {
      let buffer = model.name(of: name).flatMap { model.store.buffer(named: $0)?.value }
      report.compare(.updated, name, buffer, try file.tensor(key).converted(to: .float32), limit: limit)
    }
  }
}

/// A network with a reference's weights.
private struct LoadedCase {
  let store: ParameterStore
  private let backbone: any Backbone
  private let head: CaseHead?
  private let family: BackboneFamily
  private let known: Set<String>

  init(_ configuration: ModelConfiguration, weights: WeightFolder) throws {
    family = try ModelRegistry.family(of: configuration)
    let shapes = weights.tensors.mapValues(\.shape)
    let outline = ParameterStore.outline()
    _ = try family.make(outline.root, configuration)
    _ = try CaseHead(outline.root, family, configuration, shapes: shapes)
    known = Set(outline.parameters.map(\.name) + outline.buffers.map(\.name))
    var checkpoint: [String: Tensor] = [:]
    for (key, tensor) in weights.tensors {
      if let name = known.contains(key) ? key : family.rename(key) { checkpoint[name] = tensor }
    }
    let missing = family.optional.filter { checkpoint[$0] == nil }
    store = ParameterStore(seed: 0, checkpoint: checkpoint, fresh: missing.sorted())
    backbone = try family.make(store.root, configuration)
    head = try CaseHead(store.root, family, configuration, shapes: shapes)
    try store.finish()
  }

  /// What the backbone returns, and if asked for what the checkpoint's classifier says of it, where it has one.
  func outputs(_ inputs: [String: Variable], _ pass: Pass, classified: Bool) throws -> [String: Variable] {
    var outputs = try backbone.outputs(inputs, pass)
    if classified, let head { outputs["logits"] = try head.logits(outputs, inputs, backbone, pass) }
    return outputs
  }

  /// Our name for a key of the case.
  func name(of key: String) -> String? { known.contains(key) ? key : family.rename(key) }
}

private func product(_ a: Tensor, _ b: Tensor) -> Double {
  a.contiguous().withFloats { a in
    b.contiguous().withFloats { b in a.indices.reduce(0.0) { $0 + Double(a[$1]) * Double(b[$1]) } }
  }
}
