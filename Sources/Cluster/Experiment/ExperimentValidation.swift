import Datasets
import Evaluation
import Models
import Training
import Wire

extension Experiment {
  /// Checks what the types alone do not: names, ranges, and that everything named exists.
  ///
  /// - Throws: `ExperimentError` naming the key, and the nearest valid value.
  func validate(place: String) throws {
    func fail(_ reason: String) -> ExperimentError { ExperimentError(place: place, reason: reason) }
    func rethrow(_ body: () throws -> Void) throws {
      do { try body() } catch let error as ExperimentError { throw error } catch { throw fail("\(error)") }
    }
    guard !name.isEmpty, Self.isName(name) else {
      throw fail("name \"\(name)\" must be letters, digits, '-', '_' and '.'")
    }
    guard !data.isEmpty else { throw fail("\"data\" is empty; name at least one data set") }
    guard !models.isEmpty else { throw fail("\"models\" is empty; name at least one model") }
    for source in data { try rethrow { try DatasetLayouts.check(name: source.layout) } }
    try rethrow { try folds.validate() }
    try rethrow { try balance.validate() }
    try rethrow { try prepare.validate() }
    _ = try threshold.settings
    for baseline in baselines {
      try rethrow {
        guard try ModelRegistry.find(baseline).fitting == .logistic else {
          throw fail("baseline \"\(baseline)\" is no baseline; it belongs under \"models\"")
        }
      }
    }
    for model in models {
      try rethrow {
        let architecture = try ModelRegistry.find(model.architecture)
        _ = try model.aggregation
        try model.train.validate(model: model.name)
        try model.balance.validate()
        try model.prepare.validate(model: model.name)
        guard model.weights.isEmpty || architecture.family != nil else {
          throw fail(
            "model \(model.name): \(architecture.name) is trained from scratch and reads no weights; remove the key, or "
              + "choose a backbone of `unmask models list`")
        }
        guard model.train.layerDecay == 1 || architecture.family != nil || architecture.fitting == .logistic else {
          throw fail(
            "model \(model.name): train.layer_decay is for backbones with stages, and \(architecture.name) has none; write "
              + "layer_decay: 1.0 for this model")
        }
        guard model.tune == .full || !model.weights.isEmpty else {
          throw fail(
            "model \(model.name): tune: \(model.tune.text) needs outside weights; name their folder with `weights`")
        }
        guard !model.balance.isSynthetic || architecture.fitting == .logistic || model.tune == .frozen else {
          throw fail(
            "model \(model.name): balance \(model.balance.strategy.rawValue) makes points between embeddings; give the "
              + "model `weights` and tune: frozen, or another strategy")
        }
        guard ["auto", architecture.modality.rawValue].contains(model.modality) else {
          throw fail(
            "model \(model.name): architecture \(architecture.name) looks at \(architecture.modality.rawValue), not at "
              + "\"\(model.modality)\"; write modality: auto")
        }
      }
    }
    for fusion in fusion { try rethrow { _ = try FusionRule(name: fusion.rule) } }
    let names = trained.map(\.name) + fusion.map(\.name)
    for name in names where !Self.isName(name) {
      throw fail("the name \"\(name)\" must be letters, digits, '-', '_' and '.', as files are named by it")
    }
    if let twice = Dictionary(grouping: names, by: { $0 }).filter({ $1.count > 1 }).keys.min() {
      throw fail("the name \"\(twice)\" stands for two of models, baselines and fusions; give each its own")
    }
    if let twice = Dictionary(grouping: data.map(\.name), by: { $0 }).filter({ $1.count > 1 }).keys.min() {
      throw fail("two data sets are called \"\(twice)\"; give each its own name")
    }
    if case .count(let count) = cluster.workersPerJob, !(1...64).contains(count) {
      throw fail("cluster.workers_per_job must be auto or 1 to 64")
    }
    if case .count(let count) = cluster.workersPerJob,
      let model = models.first(where: { $0.train.logicalShards < count })
    {
      throw fail(
        "cluster.workers_per_job is \(count), but model \(model.name) has \(model.train.logicalShards) logical shards, and "
          + "a worker of a group has at least one; write auto, or raise train.logical_shards (another contract: other bits)"
      )
    }
    guard cluster.route == "auto" || Route(name: cluster.route) != nil else {
      let names = Route.allCases.map(\.name).joined(separator: ", ")
      throw fail("cluster.route is \"\(cluster.route)\", but must be auto, \(names)")
    }
    guard cluster.heartbeatMilliseconds >= 50, cluster.leaseMilliseconds >= 3 * cluster.heartbeatMilliseconds else {
      throw fail("cluster.lease_ms must be at least three times cluster.heartbeat_ms, and that at least 50")
    }
    guard cluster.stuckSeconds >= 1 else { throw fail("cluster.stuck_after_s must be 1 or more") }
    guard cluster.checkpointSeconds >= 1 else { throw fail("cluster.checkpoint_every_s must be 1 or more") }
  }

  /// Whether a text can name a file in a run directory.
  private static func isName(_ text: String) -> Bool {
    !text.isEmpty && !text.hasPrefix(".") && text.utf8.count <= 64
      && text.unicodeScalars.allSatisfy { $0.properties.isAlphabetic || "0123456789-_.".unicodeScalars.contains($0) }
  }
}
