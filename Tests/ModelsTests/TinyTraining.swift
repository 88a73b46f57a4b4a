import Autograd
import NN
import Tensor

@testable import Models

/// AdamW on one batch again and again, without any of the trainer: what a training loop is at heart.
struct TinyTraining {
  let detector: Detector
  let store: ParameterStore
  private let names: [String]
  private var weights: [Float]
  private var optimizer: Optimizer

  init(_ detector: Detector, _ store: ParameterStore) {
    (self.detector, self.store) = (detector, store)
    names = store.parameters.map(\.name)
    weights = store.parameters.flatMap { $0.value.floats() }
    optimizer = Optimizer(.adamW(), count: weights.count)
  }

  /// One step; returns the loss before it and the logits that it came from.
  mutating func step(
    _ input: Tensor, _ target: Tensor, rate: Float, weightDecay: Float, training: Bool
  ) -> (loss: Double, logits: [Float]) {
    let pass = Pass(training: training, recording: true)
    (pass.dropPath, pass.dropout) = (0, 0)
    let logits = detector.logits(Variable(input), pass)
    let loss = binaryCrossEntropy(logits, target: target, reduction: .mean)
    var gradients: [String: Tensor] = [:]
    pass.backward(from: loss) { gradients[$0.name] = $1 }
    store.apply(pass.statistics)
    // A parameter that the loss does not reach keeps a gradient of 0.
    let gradient = store.parameters.flatMap {
      gradients[$0.name]?.floats() ?? [Float](repeating: 0, count: $0.value.count)
    }
    optimizer.step(&weights, gradient: gradient, rate: rate, weightDecay: weightDecay)
    var start = 0
    for parameter in store.parameters {
      let count = parameter.value.count
      parameter.value = Tensor(Array(weights[start..<start + count]), shape: parameter.value.shape)
      start += count
    }
    return (Double(loss.value.scalar), logits.value.floats())
  }
}
