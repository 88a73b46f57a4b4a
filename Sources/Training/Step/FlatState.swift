import Foundation
import NN
import Tensor

/// Everything that a step changes, on flat buffers in the order of the model's parameters: weights, both moments of
/// AdamW, and the places where a shard's gradients and batch statistics lie in the vector that the tree sums.
final class FlatState {
  /// One parameter's place.
  private struct Slot {
    let parameter: Parameter
    let range: Range<Int>
    let decays: Bool
  }

  /// One batch-norm layer's place behind the gradients: means, then variances.
  private struct StatisticsSlot {
    let path: String
    let mean: Range<Int>
    let variance: Range<Int>
  }

  let store: ParameterStore
  private let slots: [Slot]
  private let slotOf: [ObjectIdentifier: Int]
  private let statistics: [StatisticsSlot]
  /// Trained values.
  let weightCount: Int
  /// Floats of one shard's vector: gradients, statistics, then the loss.
  let vectorCount: Int

  private var weights: [Float]
  /// Steps that the optimizer made.
  private(set) var steps = 0
  private(set) var firstMoment: [Float]
  private(set) var secondMoment: [Float]

  /// The state before the first step.
  init(_ store: ParameterStore) {
    self.store = store
    var end = 0
    var slots: [Slot] = []
    for parameter in store.parameters where parameter.trainable {
      let range = end..<(end + parameter.value.count)
      // Norms, biases and layer scales are vectors; weights of layers have two axes and more.
      slots.append(Slot(parameter: parameter, range: range, decays: parameter.value.rank >= 2))
      end = range.upperBound
    }
    weightCount = end
    var statistics: [StatisticsSlot] = []
    for buffer in store.buffers where buffer.name.hasSuffix(".running_mean") {
      let count = buffer.value.count
      let path = String(buffer.name.dropLast(".running_mean".count))
      statistics.append(
        StatisticsSlot(path: path, mean: end..<(end + count), variance: (end + count)..<(end + 2 * count)))
      end += 2 * count
    }
    vectorCount = end + 1
    (self.slots, self.statistics) = (slots, statistics)
    slotOf = Dictionary(uniqueKeysWithValues: slots.indices.map { (ObjectIdentifier(slots[$0].parameter), $0) })
    weights = slots.flatMap { $0.parameter.value.floats() }
    firstMoment = [Float](repeating: 0, count: weightCount)
    secondMoment = firstMoment
  }

  /// Goes back to the state that a checkpoint holds.
  func restore(weights state: [String: Tensor], first: [Float], second: [Float], steps: Int) throws {
    guard first.count == weightCount, second.count == weightCount else {
      throw TrainingError("the checkpoint's optimizer has \(first.count) values where the model has \(weightCount)")
    }
    try store.load(state)
    weights = slots.flatMap { $0.parameter.value.floats() }
    (firstMoment, secondMoment, self.steps) = (first, second, steps)
  }

  // MARK: One shard's vector

  /// Writes one parameter's gradient to its place.
  func place(_ gradient: Tensor, of parameter: Parameter, in vector: inout [Float]) {
    guard let slot = slotOf[ObjectIdentifier(parameter)] else { return }
    gradient.contiguous().withFloats { source in
      vector.withUnsafeMutableBufferPointer { _ = $0[slots[slot].range].update(fromContentsOf: source) }
    }
  }

  /// Writes a shard's batch statistics, weighted with its share of the batch.
  func place(_ reports: [BatchStatistics], share: Float, in vector: inout [Float]) {
    for report in reports {
      guard let slot = statistics.first(where: { $0.path == report.path }) else { continue }
      report.mean.withFloats { for (index, value) in zip(slot.mean, $0) { vector[index] = share * value } }
      report.variance.withFloats { for (index, value) in zip(slot.variance, $0) { vector[index] = share * value } }
    }
  }

  /// The batch's statistics from the tree's sum; momentum is the layers' own, known from any shard.
  func combined(_ sum: [Float], like reports: [BatchStatistics]) -> [BatchStatistics] {
    reports.compactMap { report in
      guard let slot = statistics.first(where: { $0.path == report.path }) else { return nil }
      return BatchStatistics(
        path: report.path, mean: Tensor(Array(sum[slot.mean]), shape: [slot.mean.count]),
        variance: Tensor(Array(sum[slot.variance]), shape: [slot.variance.count]), count: report.count,
        momentum: report.momentum)
    }
  }

  // MARK: The step

  /// Length of the whole gradient, summed in a fixed order.
  func norm(_ sum: [Float]) -> Double {
    // Eight partial sums in double: a fixed order that compilers can keep in vector registers.
    var parts = SIMD8<Double>(repeating: 0)
    sum.withUnsafeBufferPointer { sum in
      var index = 0
      while index + 8 <= weightCount {
        let values = SIMD8<Double>(UnsafeRawPointer(sum.baseAddress! + index).loadUnaligned(as: SIMD8<Float>.self))
        parts += values * values
        index += 8
      }
      while index < weightCount {
        parts[0] += Double(sum[index]) * Double(sum[index])
        index += 1
      }
    }
    return parts.sum().squareRoot()
  }

  /// One step of AdamW with gradients multiplied by `scale`; weights of vectors do not decay.
  ///
  /// - Source: Loshchilov & Hutter 2019, arXiv:1711.05101; order of operations as in PyTorch.
  func step(_ sum: [Float], scale: Float, rate: Double, decay: Double) {
    steps += 1
    let (beta1, beta2, epsilon): (Float, Float, Float) = (0.9, 0.999, 1e-8)
    let correction1 = 1 - pow(Double(beta1), Double(steps))
    let correction2 = (1 - pow(Double(beta2), Double(steps))).squareRoot()
    let size = Float(rate / correction1)
    let root = Float(1 / correction2)
    for slot in slots {
      let keep = slot.decays ? Float(1 - rate * decay) : 1
      let count = slot.range.count
      sum.withUnsafeBufferPointer { sum in
        weights.withUnsafeMutableBufferPointer { weights in
          firstMoment.withUnsafeMutableBufferPointer { first in
            secondMoment.withUnsafeMutableBufferPointer { second in
              let start = slot.range.lowerBound
              let (g, w) = (sum.baseAddress! + start, weights.baseAddress! + start)
              let (m, v) = (first.baseAddress! + start, second.baseAddress! + start)
              for i in 0..<count {
                let gradient = g[i] * scale
                m[i] += (gradient - m[i]) * (1 - beta1)
                v[i] = v[i] * beta2 + gradient * gradient * (1 - beta2)
                w[i] = w[i] * keep - size * m[i] / (v[i].squareRoot() * root + epsilon)
              }
            }
          }
        }
      }
      let range = slot.range
      slot.parameter.value = Tensor(slot.parameter.value.shape) { out in
        weights.withUnsafeBufferPointer { _ = out.update(fromContentsOf: $0[range]) }
      }
    }
  }
}
