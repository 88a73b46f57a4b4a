import Datasets
import Evaluation
import Files
public import Foundation
public import Models

/// A folder of weights as others publish them: `config.json`, `model.safetensors` (or a sharded index), and
/// `preprocessor_config.json`.
///
///     let weights = try WeightsFolder(URL(filePath: "weights/dinov2-small"), model: "dino", architecture: architecture)
///     let architecture = try architecture.configured(by: weights.url)
public struct WeightsFolder: Hashable, Sendable {
  /// Where it is on this machine.
  public let url: URL
  /// SHA-256 over the names and contents of its files: what the identity of a job holds in place of the path.
  public let hash: String

  /// Looks at a folder and reads it once.
  ///
  /// - Throws: `TrainingError` that says where the weights are to be had, if they are not there.
  public init(_ url: URL, model: String, architecture: Architecture) throws {
    func advice(_ problem: String) -> TrainingError {
      TrainingError(
        "model \(model): \(problem); \(Self.source(of: architecture, into: url.path)), or name another folder with "
          + "--weights \(model)=PATH")
    }
    self.url = url
    guard let names = try? FileManager.default.contentsOfDirectory(atPath: url.path) else {
      throw advice("there are no weights at \(url.path)")
    }
    guard names.contains("config.json") else { throw advice("the weights folder \(url.path) has no config.json") }
    guard names.contains(where: { $0.hasSuffix(".safetensors") }) else {
      let others = names.contains { $0.hasSuffix(".bin") || $0.hasSuffix(".pth") || $0.hasSuffix(".pt") }
      throw advice(
        "the weights folder \(url.path) has no model.safetensors"
          + (others ? "; `unmask models import` makes one of its PyTorch file" : ""))
    }
    let deciding = names.filter { name in
      name == "config.json" || name == "preprocessor_config.json" || name == "model.safetensors.index.json"
        || name.hasSuffix(".safetensors")
    }
    var text = ""
    for name in deciding.sorted() { text += "\(name)\t\(try sha256(of: url.appending(path: name)))\n" }
    hash = sha256(text)
  }

  /// Builds a model's network on these weights once: keys, shapes, and what the settings ask of it.
  ///
  /// - Parameter architecture: as `Architecture.configured(by:)` gave it for this folder.
  /// - Throws: `TrainingError`, `ModelError` or what reading the files throws: what does not fit.
  /// - Cost: that of reading the header; half precision is converted.
  public func verify(model: String, architecture: Architecture, tuning: Tuning, settings: TrainSettings) throws {
    let job = TrainingJob(
      model: model, architecture: architecture, weights: self, tuning: tuning, settings: settings,
      balance: BalanceSettings(), decision: DecisionSettings(), seed: 0, fold: 0, training: [], validation: [])
    _ = try Trainer(job, cache: SampleCache(URL(filePath: "/nonexistent"))).build()
  }

  /// One clause: where the usual weights are, and how they come into `folder`.
  static func source(of architecture: Architecture, into folder: String) -> String {
    let name = architecture.name
    let files = "config.json, preprocessor_config.json and model.safetensors (or pytorch_model.bin)"
    func hub(_ repository: String) -> String {
      "get \(files) from https://huggingface.co/\(repository) and run `unmask models import DOWNLOADED_FOLDER --output "
        + "\(folder)`"
    }
    // The LSTM stands upon an image backbone, and has its family's name.
    if name == "lstm" { return hub("google/efficientnet-b0 or another image backbone") }
    switch architecture.family?.name {
    case "clip": return hub("openai/\(name)")
    case "dinov2": return hub("facebook/\(name)")
    case "convnext": return hub("facebook/\(name)-224")
    case "efficientnet": return hub("google/\(name)")
    case "wav2vec2": return hub("facebook/\(name)")
    case "hubert": return hub("facebook/\(name)-ls960")
    case "r3d":
      return
        "get https://download.pytorch.org/models/r3d_18-b3b3357e.pth and run `unmask models import r3d_18-b3b3357e.pth "
        + "--architecture r3d-18 --output \(folder)`"
    case nil: return "remove the key `weights`, as \(name) reads none"
    default: return "get \(files) of \(name) from where they are published"
    }
  }
}
