import NN

extension TrainSettings {
  /// The learning rate of one step of an epoch. Neither the warm-up's first step nor the last of all is wasted on a rate
  /// of 0.
  func learningRate(step: Int, of stepsPerEpoch: Int, epoch: Int) -> Double {
    let warmup = Int((warmupEpochs * Double(stepsPerEpoch)).rounded())
    let position = epoch * stepsPerEpoch + step + 1
    let end = epochs * stepsPerEpoch + 1
    let rule: NN.Schedule =
      switch schedule {
      case .constant: position < warmup ? .linear(warmup: warmup, total: end) : .constant
      case .linear: .linear(warmup: warmup, total: end)
      case .cosine: .cosine(warmup: warmup, total: end)
      }
    return rule.rate(learningRate, step: position)
  }
}
