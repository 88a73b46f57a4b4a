import NN

extension TrainSettings {
  /// The learning rate of one step of an epoch. The warm-up's first step is not wasted on a rate of 0.
  func learningRate(step: Int, of stepsPerEpoch: Int, epoch: Int) -> Double {
    let warmup = Int((warmupEpochs * Double(stepsPerEpoch)).rounded())
    let total = epochs * stepsPerEpoch
    let rule: NN.Schedule =
      switch schedule {
      case .constant: .constant
      case .linear: .linear(warmup: warmup, total: total)
      case .cosine: .cosine(warmup: warmup, total: total)
      }
    return rule.rate(learningRate, step: epoch * stepsPerEpoch + step + 1)
  }
}
