import NN
import Tensor

/// Everything that a step changes, on flat buffers in the order of the model's parameters: weights, the
/// optimizer, and the places where a shard's gradients and batch statistics lie in the vector that the tree sums.
final class FlatState {
  /// One parameter's place.
  private struct Slot {
    let parameter: Parameter
    let range: Range<Int>
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
  private(set) var optimizer: Optimizer
  private let groups: [OptimizerGroup]

  /// The state before the first step.
  init(_ store: ParameterStore, _ rule: ParameterGroups) {
    self.store = store
    var end = 0
    var slots: [Slot] = []
    var groups: [OptimizerGroup] = []
    for parameter in store.parameters where parameter.trainable {
      let range = end..<(end + parameter.value.count)
      slots.append(Slot(parameter: parameter, range: range))
      groups.append(rule.group(of: parameter, at: range))
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
    (self.slots, self.statistics, self.groups) = (slots, statistics, groups)
    slotOf = Dictionary(uniqueKeysWithValues: slots.indices.map { (ObjectIdentifier(slots[$0].parameter), $0) })
    weights = slots.flatMap { $0.parameter.value.floats() }
    optimizer = Optimizer(.adamW(), count: weightCount)
  }

  /// Goes back to the state that a checkpoint holds.
  func restore(weights state: [String: Tensor], optimizer buffers: [String: [Float]], steps: Int) throws {
    guard Set(buffers.keys) == Set(optimizer.state.keys), buffers.values.allSatisfy({ $0.count == weightCount }) else {
      throw TrainingError("the checkpoint's optimizer is not of this model; remove the checkpoint to begin anew")
    }
    try store.load(trained: state)
    weights = slots.flatMap { $0.parameter.value.floats() }
    (optimizer.state, optimizer.steps) = (buffers, steps)
  }

  // MARK: One shard's vector

  /// Writes one parameter's gradient to its place, or adds it to what is there.
  func place(_ gradient: Tensor, of parameter: Parameter, adding: Bool, in vector: inout [Float]) {
    guard let slot = slotOf[ObjectIdentifier(parameter)] else { return }
    let range = slots[slot].range
    gradient.contiguous().withFloats { source in
      vector.withUnsafeMutableBufferPointer { vector in
        guard adding else { return _ = vector[range].update(fromContentsOf: source) }
        for index in 0..<range.count { vector[range.lowerBound &+ index] += source[index] }
      }
    }
  }

  /// Writes a pass's batch statistics, weighted with its share of the batch, or adds them to what is there.
  func place(_ reports: [BatchStatistics], share: Float, adding: Bool, in vector: inout [Float]) {
    for report in reports {
      guard let slot = statistics.first(where: { $0.path == report.path }) else { continue }
      for (places, values) in [(slot.mean, report.mean), (slot.variance, report.variance)] {
        values.withFloats {
          for (index, value) in zip(places, $0) { vector[index] = (adding ? vector[index] : 0) + share * value }
        }
      }
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

  /// The gradients of the tree's sum.
  func gradient(_ sum: [Float]) -> [Float] { Array(sum[..<weightCount]) }

  /// One step of the optimizer.
  func step(_ gradient: [Float], rate: Double) {
    optimizer.step(&weights, gradient: gradient, rate: Float(rate), groups: groups)
    weights.withUnsafeBufferPointer { weights in
      for slot in slots {
        slot.parameter.value = Tensor(slot.parameter.value.shape) { out in
          _ = out.update(fromContentsOf: weights[slot.range])
        }
      }
    }
  }
}
