public import Foundation
import NN
import SafeTensors
public import Tensor

extension Architecture {
  /// An entry whose network is a family's backbone under one linear head, at the size that `configuration` says.
  ///
  /// - Throws: `ModelError` if the family cannot read the configuration.
  public init(
    name: String, modality: InputModality, family: BackboneFamily, configuration: ModelConfiguration,
    processor: ModelConfiguration? = nil, summary: String, paper: String, licence: String, recipe: Recipe
  ) throws {
    self.init(
      name: name, modality: modality, summary: summary, paper: paper, licence: licence,
      preprocessing: try family.preprocessing(configuration, processor), recipe: recipe, family: family,
      configuration: configuration,
      build: { scope, _ in try Detector(scope, backbone: family.make(scope, configuration)) })
  }

  /// One of the registry's usual sizes.
  ///
  /// - Traps: if the family cannot read the configuration: both are ours.
  init(
    name: String, modality: InputModality, family: BackboneFamily, configuration: String, summary: String,
    paper: String, licence: String, recipe: Recipe
  ) {
    do {
      try self.init(
        name: name, modality: modality, family: family, configuration: ModelConfiguration(literal: configuration),
        summary: summary, paper: paper, licence: licence, recipe: recipe)
    } catch { preconditionFailure("\(name): \(error)") }
  }

  /// This entry at the size and with the input that a weights folder says: its `config.json`, and its
  /// `preprocessor_config.json` where there is one.
  ///
  /// - Throws: `ModelError` if this architecture reads no weights, or the folder is of another family.
  public func configured(by folder: URL) throws -> Architecture {
    let processor = folder.appending(path: "preprocessor_config.json")
    return try configured(
      by: ModelConfiguration(contentsOf: folder.appending(path: "config.json")),
      processor: FileManager.default.fileExists(atPath: processor.path)
        ? ModelConfiguration(contentsOf: processor) : nil)
  }

  /// This entry at the size and with the input that a `config.json` says; how a model file, which keeps that text, is
  /// opened without the folder.
  ///
  /// - Throws: `ModelError` if this architecture reads no weights, or the configuration is of another family.
  public func configured(
    by configuration: ModelConfiguration, processor: ModelConfiguration? = nil
  ) throws -> Architecture {
    guard let family else {
      throw ModelError("\(name) is trained from scratch and reads no weights folder; remove the key `weights`")
    }
    let type = try configuration.string("model_type", default: family.name)
    let chosen = family.modelTypes.contains(type) ? family : family.variant(type)
    guard let chosen else {
      throw ModelError(
        "\(configuration.source) is of model type \"\(type)\", not of the family \(family.name) that \(name) reads")
    }
    return try Architecture(
      name: name, modality: modality, family: chosen, configuration: configuration, processor: processor,
      summary: summary, paper: paper, licence: licence, recipe: recipe)
  }

  /// The tensors of a weights folder under our names; what other heads and towers need is left out.
  ///
  /// - Throws: `ModelError`, `WeightFileError` or `SafeTensorsError` if there is no `model.safetensors`, nor shards and
  ///   their index, or they are not well-formed.
  public func checkpoint(in folder: URL) throws -> [String: Tensor] {
    guard let family else {
      throw ModelError("\(name) is trained from scratch and reads no weights folder; remove the key `weights`")
    }
    let weights = try WeightFolder(folder, allowsPickle: false)
    return try family.renamed(weights.tensors, source: folder.appending(path: weights.files[0]).path)
  }

  /// Prefixes of parameters that do not come from `checkpoint`: the head, and what published checkpoints may lack.
  public func fresh(beside checkpoint: [String: Tensor]) -> [String] {
    ["head."] + (family?.fresh ?? [])
      + (family?.optional.filter { checkpoint[$0] == nil }.sorted() ?? [])
  }
}

extension BackboneFamily {
  /// Tensors under our names.
  ///
  /// - Throws: `ModelError` if two keys mean the same parameter.
  public func renamed(_ tensors: [String: Tensor], source: String) throws -> [String: Tensor] {
    var result: [String: Tensor] = [:]
    for (key, tensor) in tensors {
      guard let name = rename(key) else { continue }
      guard result.updateValue(tensor, forKey: name) == nil else {
        throw ModelError("\(source) has \(name) twice, once as \(key); keep one spelling")
      }
    }
    return result
  }
}
