import Files
public import Foundation
import NN
import SafeTensors
import Tensor

/// Weights from elsewhere, checked to the last key, shape and value, and ready to be copied into a folder that
/// experiments can name.
///
///     let found = try ModelImport(URL(filePath: "downloads/wav2vec2-base"))
///     try found.write(to: URL(filePath: "weights/wav2vec2-base"))
public struct ModelImport: Sendable {
  /// What the weights are for, at their own size.
  public let architecture: Architecture
  /// The files that were read.
  public let files: [String]
  /// Tensors in these files.
  public let tensorCount: Int
  /// Learnt values that the model takes from them.
  public let parameterCount: Int
  /// Keys that have another name here, in order, with that name.
  public let renamed: [(key: String, name: String)]
  /// Keys that are known and not needed, and entries that are no tensors.
  public let ignored: [String]
  /// Parameters that the files lack; they start fresh.
  public let fresh: [String]
  private let tensors: [String: Tensor]
  private let configuration: Data
  private let processor: Data?

  /// Reads a folder with a `config.json`, or a single file of weights.
  ///
  /// - Parameter name: the architecture; needed where no `config.json` says what the weights are, and built at its usual
  ///   size then.
  /// - Throws: `ModelError`, `CheckpointError`, `WeightFileError` or `SafeTensorsError`: what does not fit, and where.
  public init(_ path: URL, architecture name: String? = nil) throws {
    var isFolder: ObjCBool = false
    guard FileManager.default.fileExists(atPath: path.path, isDirectory: &isFolder) else {
      throw ModelError("\(path.path) does not exist; name a folder with config.json and weights, or a file of weights")
    }
    let folder = isFolder.boolValue ? path : path.deletingLastPathComponent()
    func file(_ name: String) throws -> ModelConfiguration? {
      let url = folder.appending(path: name)
      return FileManager.default.fileExists(atPath: url.path) ? try ModelConfiguration(contentsOf: url) : nil
    }
    // Beside a single file, what lies in the same folder may belong to something else.
    let json = isFolder.boolValue || name == nil ? try file("config.json") : nil
    let processor = isFolder.boolValue || name == nil ? try file("preprocessor_config.json") : nil
    architecture = try ModelImport.architecture(name, json, processor, path)
    guard let family = architecture.family, let usual = architecture.configuration else {
      throw ModelError("\(architecture.name) is trained from scratch; there are no weights to import for it")
    }
    let weights = try isFolder.boolValue ? WeightFolder(folder) : WeightFolder(file: path)
    files = weights.files
    tensorCount = weights.tensors.count
    let source = folder.appending(path: weights.files[0]).path
    let mapped = try ModelImport.mapped(weights.tensors, family, source)
    (tensors, renamed) = (mapped.tensors, mapped.renamed)
    ignored = (mapped.ignored + weights.ignored).sorted()
    let added = architecture.fresh(beside: tensors)
    let store = ParameterStore(seed: 0, checkpoint: tensors, fresh: added)
    do {
      _ = try family.make(store.root, usual)
      try store.finish()
    } catch let error as CheckpointError {
      throw ModelError(
        "\(source): \(error.description)"
          + (error.code == .missing
            ? try ModelImport.others(missing: error.name, tensors, fresh: added, family, usual) : ""))
    }
    parameterCount = store.parameterCount
    let names = store.parameters.map(\.name) + store.buffers.map(\.name)
    fresh = names.filter { mapped.tensors[$0] == nil }
    try ModelImport.checkFinite(tensors, source)
    configuration = json?.json ?? usual.json
    self.processor = processor?.json
  }

  /// Writes `config.json`, `preprocessor_config.json` (where there was one) and `model.safetensors`; the folder appears
  /// complete or not at all.
  ///
  /// - Returns: the names of the files.
  /// - Throws: `ModelError` if the folder is there already and not empty, `FileProblem` if it can't be written.
  @discardableResult
  public func write(to folder: URL) throws -> [String] {
    let manager = FileManager.default
    if let content = try? manager.contentsOfDirectory(atPath: folder.path), !content.isEmpty {
      throw ModelError("\(folder.path) is there already and not empty; name another folder with --output")
    }
    guard !manager.fileExists(atPath: folder.path) || (try? manager.contentsOfDirectory(atPath: folder.path)) != nil
    else { throw ModelError("\(folder.path) is there already and no folder; name another with --output") }
    let parent = folder.deletingLastPathComponent()
    let temporary = parent.appending(path: ".\(folder.lastPathComponent).tmp-\(getpid())")
    try makeFolder(temporary)
    defer { try? manager.removeItem(at: temporary) }
    var names = ["config.json", "model.safetensors"]
    try writeAtomically([UInt8](configuration), to: temporary.appending(path: "config.json"))
    try writeSafeTensors(tensors, metadata: ["format": "pt"], to: temporary.appending(path: "model.safetensors"))
    if let processor {
      try writeAtomically([UInt8](processor), to: temporary.appending(path: "preprocessor_config.json"))
      names.append("preprocessor_config.json")
    }
    guard rename(temporary.path, folder.path) == 0 else {
      throw FileProblem(path: folder.path, reason: "the folder cannot be named: \(String(cString: strerror(errno)))")
    }
    return names.sorted()
  }

  private static func architecture(
    _ name: String?, _ json: ModelConfiguration?, _ processor: ModelConfiguration?, _ path: URL
  ) throws -> Architecture {
    if let name {
      let entry = try ModelRegistry.find(name)
      return try json.map { try entry.configured(by: $0, processor: processor) } ?? entry
    }
    guard let json else {
      let names = ModelRegistry.all.filter { $0.family != nil }.map(\.name).joined(separator: ", ")
      throw ModelError("\(path.path) has no config.json; say what its weights are with --architecture, one of \(names)")
    }
    let family = try ModelRegistry.family(of: json)
    guard let entry = ModelRegistry.all.first(where: { $0.family?.name == family.name }) else {
      // What has a family and no architecture of its own says why.
      _ = try family.preprocessing(json, processor)
      throw ModelError("\(json.source) is of the family \(family.name), which no architecture reads")
    }
    return try entry.configured(by: json, processor: processor)
  }

  private static func mapped(
    _ tensors: [String: Tensor], _ family: BackboneFamily, _ source: String
  ) throws -> (tensors: [String: Tensor], renamed: [(key: String, name: String)], ignored: [String]) {
    // Models that were trained on several devices were saved inside a wrapper of this name.
    let wrapper = tensors.keys.allSatisfy { $0.hasPrefix("module.") } ? "module." : ""
    var result: [String: Tensor] = [:]
    var renamed: [(key: String, name: String)] = []
    var ignored: [String] = []
    for key in tensors.keys.sorted() {
      guard let name = family.rename(String(key.dropFirst(wrapper.count))) else {
        ignored.append(key)
        continue
      }
      guard result.updateValue(tensors[key]!, forKey: name) == nil else {
        throw ModelError("\(source) has \(name) twice, once as \(key); keep one spelling")
      }
      if name != key { renamed.append((key, name)) }
    }
    return (result, renamed, ignored)
  }

  /// A sentence about keys that are missing beside the first one; empty if there is none.
  private static func others(
    missing first: String, _ tensors: [String: Tensor], fresh: [String], _ family: BackboneFamily,
    _ configuration: ModelConfiguration
  ) throws -> String {
    let outline = ParameterStore.outline()
    _ = try family.make(outline.root, configuration)
    let others = (outline.parameters.map(\.name) + outline.buffers.map(\.name)).filter { name in
      name != first && tensors[name] == nil && !fresh.contains(where: name.hasPrefix)
    }
    guard let next = others.first else { return "" }
    return " In all \(others.count + 1) keys are missing, \(next) among them."
  }

  private static func checkFinite(_ tensors: [String: Tensor], _ source: String) throws {
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) where !tensor.dtype.isInteger {
      let isFinite = tensor.converted(to: .float32).withFloats { $0.allSatisfy(\.isFinite) }
      guard isFinite else { throw ModelError("\(source): \(name) has values that are not finite; get the file again") }
    }
  }
}
