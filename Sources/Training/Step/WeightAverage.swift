import NN
import Tensor

/// An exponential moving average of weights and running statistics: validated and saved in place of the last step's.
///
/// Its horizon grows with the steps done, so that a short training is not judged by its first weights:
/// average = d · average + (1 - d) · weights, d = min(decay, (1 + n) / (10 + n)) at step n.
///
/// - Source: Polyak & Juditsky 1992; the growing horizon as in TensorFlow's `ExponentialMovingAverage`.
struct WeightAverage {
  private let decay: Double
  /// Every tensor that training changes, by name.
  private(set) var state: [String: Tensor]

  /// Begins with the model as it is.
  init(decay: Double, _ store: ParameterStore) {
    self.decay = decay
    state = store.trained
  }

  /// Goes back to what a checkpoint holds.
  mutating func restore(_ state: [String: Tensor]) throws {
    guard Set(state.keys) == Set(self.state.keys) else {
      throw TrainingError("the checkpoint's average is not of this model; remove the checkpoint to begin anew")
    }
    self.state = state
  }

  /// Takes the weights after step `number`, counted from 1.
  mutating func update(_ store: ParameterStore, step number: Int) {
    let share = Float(1 - min(decay, Double(1 + number) / Double(10 + number)))
    for (name, value) in store.trained {
      let old = state[name]!
      // A count of batches is no weight.
      state[name] =
        name.hasSuffix("num_batches_tracked")
        ? value : old.combined(.add, value.combined(.subtract, old).affine(share, 0))
    }
  }
}
