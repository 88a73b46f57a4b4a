import Foundation
import SafeTensors
import Tensor

/// Where a training job is, beside weights and moments: what a checkpoint holds so that going on from it gives the same
/// bits as never having stopped.
struct TrainerState: Codable, Equatable {
  /// Hash of the configuration that the checkpoint belongs to.
  var configuration: String
  /// Hash of the data that it belongs to.
  var data: String
  /// The epoch to go on with, from 0.
  var epoch = 0
  /// The step of that epoch to go on with.
  var step = 0
  /// Steps since the beginning.
  var totalSteps = 0
  /// Steps that the optimizer made.
  var optimizerSteps = 0
  /// Σ loss · weight over this epoch's steps so far.
  var lossSum = 0.0
  /// Σ weight over this epoch's steps so far.
  var weightSum = 0.0
  /// What this epoch's steps used so far.
  var used = SampleTally()
  /// What past epochs used.
  var uses: [EpochUse] = []
  /// What past epochs gave.
  var epochs: [EpochRecord] = []
  /// The epoch whose weights are best so far, from 1; 0 before the first validation.
  var bestEpoch = 0
  /// Wall-clock seconds before this checkpoint.
  var seconds = 0.0

  /// Whether training ended, by its number of epochs or early.
  func isOver(_ settings: TrainSettings) -> Bool {
    if epoch >= settings.epochs { return true }
    return settings.earlyStoppingEpochs > 0 && bestEpoch > 0 && epoch - bestEpoch >= settings.earlyStoppingEpochs
  }

  /// Whether a record is the best so far: its validation AUC is the largest, or less than `tolerance` below it. Among
  /// nearly equal epochs the later one is kept, as its weights were made at a lower learning rate. With one class, the
  /// smallest loss decides; without validation the last epoch is the best.
  func isBest(_ record: EpochRecord, tolerance: Double) -> Bool {
    guard bestEpoch > 0, let loss = record.validationLoss else { return true }
    guard let auc = record.validationAUC else {
      return loss < (epochs.compactMap(\.validationLoss).min() ?? .infinity)
    }
    return auc > (epochs.compactMap(\.validationAUC).max() ?? 0) - tolerance
  }
}

/// A checkpoint file: safetensors with the current weights (`weights.`), the best epoch's (`best.`), their moving average
/// where there is one (`average.`), the optimizer's buffers (`optimizer.`), and the state as a note.
struct TrainerCheckpoint {
  var state: TrainerState
  var weights: [String: Tensor]
  var best: [String: Tensor]
  /// The moving average; empty without one.
  var average: [String: Tensor]
  /// The optimizer's buffers by name.
  var optimizer: [String: [Float]]

  private static let note = "unmask.checkpoint"

  init(
    state: TrainerState, weights: [String: Tensor], best: [String: Tensor], average: [String: Tensor],
    optimizer: [String: [Float]]
  ) {
    (self.state, self.weights, self.best, self.average) = (state, weights, best, average)
    self.optimizer = optimizer
  }

  /// Reads a checkpoint.
  ///
  /// - Throws: when the file is damaged or something else.
  init(contentsOf file: URL) throws {
    let contents = try SafeTensorsFile(file)
    guard let text = contents.metadata[Self.note],
      let state = try? JSONDecoder().decode(TrainerState.self, from: Data(text.utf8))
    else { throw TrainingError("\(file.path): this is no checkpoint of a training job; remove it to begin anew") }
    func part(_ prefix: String) throws -> [String: Tensor] {
      var found: [String: Tensor] = [:]
      for name in contents.names where name.hasPrefix(prefix) {
        found[String(name.dropFirst(prefix.count))] = try contents.tensor(name)
      }
      return found
    }
    self.init(
      state: state, weights: try part("weights."), best: try part("best."), average: try part("average."),
      optimizer: try part("optimizer.").mapValues { $0.floats() })
  }

  /// Writes it, complete or not at all.
  func write(to file: URL) throws {
    var tensors: [String: Tensor] = [:]
    for (name, values) in optimizer { tensors["optimizer." + name] = Tensor(values, shape: [values.count]) }
    for (name, tensor) in weights { tensors["weights." + name] = tensor }
    for (name, tensor) in best { tensors["best." + name] = tensor }
    for (name, tensor) in average { tensors["average." + name] = tensor }
    try writeSafeTensors(tensors, metadata: [Self.note: canonicalJSON(state)], to: file)
  }
}
