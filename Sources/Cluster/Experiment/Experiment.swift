public import Datasets
import Evaluation
import Faces
import Files
import Foundation
import Models
public import Training

/// A whole experiment with every default filled in: what `experiment.yaml` in a run directory holds and workers receive.
public struct Experiment: Codable, Sendable {
  /// One model to train on every fold.
  public struct ModelEntry: Codable, Sendable {
    /// Its name in tables and file names.
    public let name: String
    /// A name of the registry.
    public let architecture: String
    /// `image`, `audio`, `video` or `auto`.
    public let modality: String
    /// Folder of the backbone's weights; empty without outside weights.
    public fileprivate(set) var weights: String
    /// SHA-256 of that folder, found when the run begins: what results depend on in place of the path.
    public fileprivate(set) var weightsHash: String?
    /// How much of the network is trained.
    public let tune: Tuning
    /// How window, frame and clip scores become one.
    public let aggregate: String
    /// The whole training section, with the model's own keys laid over the experiment's.
    public let train: TrainSettings
    /// The whole balance section, with the model's own keys laid over the experiment's.
    public let balance: BalanceSettings
    /// The whole prepare section, with the model's own keys laid over the experiment's.
    public fileprivate(set) var prepare: PrepareSettings

    enum CodingKeys: String, CodingKey {
      case name, architecture, modality, weights, tune, aggregate, train, balance, prepare
      case weightsHash = "weights_sha256"
    }

    /// The same text for entries that differ in nothing but their names and what they do about unequal classes.
    func kindButForBalance() throws -> String {
      var object = try JSONSerialization.jsonObject(with: JSONEncoder().encode(self)) as? [String: Any] ?? [:]
      for key in ["name", "balance", "weights"] { object[key] = nil }
      return sha256(Array(try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys])))
    }

    /// The rule by which the scores of parts become one.
    var aggregation: Aggregation {
      get throws {
        if let rule = Aggregation(rawValue: aggregate) { return rule }
        let valid = Aggregation.allCases.map(\.rawValue)
        throw ExperimentError(
          place: "model \(name)",
          reason: "aggregate \"\(aggregate)\" is unknown; \(suggestion(aggregate, among: valid))")
      }
    }
  }

  /// One late fusion of all models.
  public struct FusionEntry: Codable, Sendable {
    /// Its name in tables and file names.
    public let name: String
    /// The rule.
    public let rule: String
  }

  /// What concerns workers and never changes a result.
  public struct ClusterSettings: Codable, Sendable {
    /// Workers that share the batches of one training job.
    public let workersPerJob: WorkersPerJob
    /// How these workers exchange gradients: `auto`, `shared-memory`, `direct` or `coordinator`.
    public let route: String
    /// Milliseconds of silence after which a job goes to another worker.
    public let leaseMilliseconds: Int
    /// Milliseconds between two signs of life.
    public let heartbeatMilliseconds: Int
    /// Seconds between two checkpoints of a job.
    public let checkpointSeconds: Int
    /// Seconds without progress after which a job is called stuck; after five times as long another worker gets it.
    public let stuckSeconds: Int

    enum CodingKeys: String, CodingKey {
      case route
      case workersPerJob = "workers_per_job"
      case leaseMilliseconds = "lease_ms"
      case heartbeatMilliseconds = "heartbeat_ms"
      case checkpointSeconds = "checkpoint_every_s"
      case stuckSeconds = "stuck_after_s"
    }
  }

  /// The run's name in reports.
  public let name: String
  /// The seed that all chance follows from.
  public let seed: UInt64
  /// The data sets.
  public private(set) var data: [DataSource]
  /// The cross-validation.
  public let folds: FoldSettings
  /// What is done with a file before a model's own scaling, where a model does not say otherwise.
  public private(set) var prepare: PrepareSettings
  /// Loss, class weights and sampling.
  public let balance: BalanceSettings
  /// The choice of thresholds.
  public let threshold: ThresholdSettings
  /// Training, where a model does not say otherwise.
  public let train: TrainSettings
  /// The models.
  public private(set) var models: [ModelEntry]
  /// The late fusions.
  public let fusion: [FusionEntry]
  /// Closed-form baselines reported beside the models.
  public let baselines: [String]
  /// What concerns workers.
  public let cluster: ClusterSettings

  /// Everything that is trained on every fold: the models, then the baselines under their architectures' names.
  var trained: [ModelEntry] {
    models
      + baselines.map {
        ModelEntry(
          name: $0, architecture: $0, modality: "auto", weights: "", weightsHash: nil, tune: .full,
          aggregate: Aggregation.mean.rawValue, train: train, balance: balance, prepare: prepare)
      }
  }

  /// The experiment as JSON with sorted keys: what is hashed and sent to workers.
  public func json() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .prettyPrinted, .withoutEscapingSlashes]
    return Array(try encoder.encode(self))
  }

  /// The experiment with data sets at other paths on this machine.
  ///
  /// - Throws: `ExperimentError` for a name that is no data set of the experiment.
  public func with(data paths: [String: String]) throws -> Experiment {
    var moved = self
    for (name, path) in paths {
      guard let index = data.firstIndex(where: { $0.name == name }) else {
        throw ExperimentError(
          place: "--data \(name)=\(path)",
          reason: "no data set is called \"\(name)\"; \(suggestion(name, among: data.map(\.name)))")
      }
      moved.data[index].path = path
    }
    return moved
  }

  /// The experiment with weights folders at other paths on this machine.
  ///
  /// - Throws: `ExperimentError` for a name that is no model of the experiment.
  public func with(weights paths: [String: String]) throws -> Experiment {
    var moved = self
    for (name, path) in paths {
      guard let index = models.firstIndex(where: { $0.name == name }) else {
        throw ExperimentError(
          place: "--weights \(name)=\(path)",
          reason: "no model is called \"\(name)\"; \(suggestion(name, among: models.map(\.name)))")
      }
      moved.models[index].weights = path
    }
    return moved
  }

  /// The experiment with the hash of every weights folder.
  ///
  /// - Throws: `TrainingError` that says where missing weights are to be had.
  func withWeightHashes() throws -> Experiment {
    var hashed = self
    var problems: [String] = []
    for (index, model) in models.enumerated() where !model.weights.isEmpty {
      let architecture = try ModelRegistry.find(model.architecture)
      let folder: WeightsFolder
      do {
        folder = try WeightsFolder(URL(filePath: model.weights), model: model.name, architecture: architecture)
      } catch let error as TrainingError {
        // All that is to be fetched, at once.
        problems.append(error.description)
        continue
      }
      hashed.models[index].weightsHash = folder.hash
      // What does not fit is an error of now, not of the first job.
      do {
        try folder.verify(
          model: model.name, architecture: architecture.configured(by: folder.url), tuning: model.tune,
          settings: model.train)
      } catch let error as TrainingError {
        problems.append(error.description)
      } catch { problems.append("model \(model.name): \(error)") }
    }
    guard problems.isEmpty else { throw TrainingError(problems.joined(separator: "\n")) }
    return hashed
  }

  /// Whether some model computes in bfloat16 where processors can.
  var usesBFloat16: Bool { models.contains { $0.train.precision == .bf16 } }

  /// The experiment with the hash of every face detector.
  ///
  /// - Throws: `FaceError` if one is not there, or OpenCV cannot read it.
  func withDetectorHashes() throws -> Experiment {
    var hashed = self
    hashed.prepare = try prepare.withDetectorHash()
    for index in models.indices { hashed.models[index].prepare = try models[index].prepare.withDetectorHash() }
    return hashed
  }

  /// The ONNX files of face detectors, by their hashes.
  func detectorFiles() throws -> [String: URL] {
    var files: [String: URL] = [:]
    for prepare in trained.map(\.prepare) where prepare.faces == .detect && prepare.detectorKind == .yunet {
      if let found = try prepare.detectorFiles() { files[found.hash] = found.files[0] }
    }
    return files
  }

  /// Reads what `json()` wrote.
  init(json: [UInt8]) throws { self = try JSONDecoder().decode(Experiment.self, from: Data(json)) }

  /// The SHA-256 of all that can change a result: everything but where data, weights and detectors lie and how workers are
  /// watched.
  public func resultHash() throws -> String {
    var object = try JSONSerialization.jsonObject(with: Data(json())) as? [String: Any] ?? [:]
    object["cluster"] = nil
    object["data"] = (object["data"] as? [[String: Any]])?.map { $0.filter { $0.key != "path" } }
    object["prepare"] = (object["prepare"] as? [String: Any])?.filter { $0.key != "detector" }
    object["models"] = (object["models"] as? [[String: Any]])?.map { model in
      var model = model
      model["weights"] = nil
      model["prepare"] = (model["prepare"] as? [String: Any])?.filter { $0.key != "detector" }
      return model
    }
    return sha256(Array(try JSONSerialization.data(withJSONObject: object, options: [.sortedKeys])))
  }
}
