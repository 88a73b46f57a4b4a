import Foundation

extension TrainSettings {
  /// The learning rate after `progress` epochs, parts of one included.
  func learningRate(at progress: Double) -> Double {
    guard progress >= warmupEpochs else { return learningRate * progress / warmupEpochs }
    let rest = Double(epochs) - warmupEpochs
    let done = rest > 0 ? min(1, (progress - warmupEpochs) / rest) : 1
    switch schedule {
    case .constant: return learningRate
    case .linear: return learningRate * (1 - done)
    case .cosine: return learningRate * (1 + cos(.pi * done)) / 2
    }
  }
}
