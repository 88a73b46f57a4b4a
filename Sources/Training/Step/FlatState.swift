import NN
import Synchronization
import Tensor

/// Everything that a step changes, in the order of the model's parameters: weights, where the model has them, the
/// optimizer's flat buffers, and the places where a shard's gradients and batch statistics lie in the vector that the
/// tree sums. Of a large model each of these is as large as its weights, so that none is copied without need.
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

  private(set) var optimizer: Optimizer
  private let groups: [OptimizerGroup]
  // Vectors of earlier steps, to be used again: fresh memory costs a fault and a zeroing a page.
  private let spare = Mutex<[[Float]]>([])

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
    optimizer = Optimizer(.adamW(), count: weightCount)
  }

  /// Goes back to the state that a checkpoint holds.
  func restore(weights state: [String: Tensor], optimizer buffers: [String: [Float]], steps: Int) throws {
    guard Set(buffers.keys) == Set(optimizer.state.keys), buffers.values.allSatisfy({ $0.count == weightCount }) else {
      throw TrainingError("the checkpoint's optimizer is not of this model; remove the checkpoint to begin anew")
    }
    try store.load(trained: state)
    (optimizer.state, optimizer.steps) = (buffers, steps)
  }

  // MARK: One shard's vector

  /// A vector for one shard, filled by `body`, which says where it wrote nothing: there it is 0.
  func vector(_ body: (inout ShardVector) -> Void) -> [Float] {
    var vector = ShardVector(values: takeSpare(), isPlaced: [Bool](repeating: false, count: slots.count))
    body(&vector)
    for (slot, placed) in zip(slots, vector.isPlaced) where !placed {
      vector.values.withUnsafeMutableBufferPointer { $0[slot.range].update(repeating: 0) }
    }
    return vector.values
  }

  private func takeSpare() -> [Float] {
    var vector = spare.withLock { $0.popLast() } ?? [Float](repeating: 0, count: vectorCount)
    vector.withUnsafeMutableBufferPointer { $0[weightCount...].update(repeating: 0) }
    return vector
  }

  /// Takes back vectors that nobody reads any more.
  func reuse(_ vectors: [[Float]]) { spare.withLock { $0 = vectors } }

  /// Writes one parameter's gradient to its place, or adds it to what is there.
  func place(_ gradient: Tensor, of parameter: Parameter, adding: Bool, in vector: inout ShardVector) {
    guard let slot = slotOf[ObjectIdentifier(parameter)] else { return }
    let range = slots[slot].range
    let adds = adding && vector.isPlaced[slot]
    vector.isPlaced[slot] = true
    vector.values.withUnsafeMutableBufferPointer { values in
      guard let place = values.baseAddress.map({ $0 + range.lowerBound }) else { return }
      if adds { gradient.add(to: place) } else { gradient.copy(to: place) }
    }
  }

  /// Writes a pass's batch statistics, weighted with its share of the batch, or adds them to what is there.
  func place(_ reports: [BatchStatistics], share: Float, adding: Bool, in vector: inout ShardVector) {
    for report in reports {
      guard let slot = statistics.first(where: { $0.path == report.path }) else { continue }
      for (places, values) in [(slot.mean, report.mean), (slot.variance, report.variance)] {
        values.withFloats {
          for (index, value) in zip(places, $0) {
            vector.values[index] = (adding ? vector.values[index] : 0) + share * value
          }
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

  /// The length of the gradient in the tree's sum.
  func gradientNorm(_ sum: [Float]) -> Double {
    sum.withUnsafeBufferPointer { Clipping.norm(UnsafeBufferPointer(rebasing: $0[..<weightCount])) }
  }

  /// One step of the optimizer from the gradient in the tree's sum, times `scale`. New weights replace the old ones as
  /// tensors, parameter by parameter: whoever still holds an old one keeps its numbers.
  func step(_ sum: [Float], scale: Float, rate: Double) {
    sum.withUnsafeBufferPointer { sum in
      let gradient = UnsafeBufferPointer(rebasing: sum[..<weightCount])
      optimizer.step(gradient: gradient, gradientScale: scale, rate: Float(rate), groups: groups) { index, body in
        let parameter = slots[index].parameter
        let old = parameter.value.contiguous()
        parameter.value = Tensor(old.shape) { new in old.withFloats { body($0.baseAddress!, new.baseAddress!) } }
      }
    }
  }
}

/// One shard's vector while it is filled.
struct ShardVector {
  fileprivate(set) var values: [Float]
  fileprivate var isPlaced: [Bool]

  /// The shard's loss: the last number.
  var loss: Float {
    get { values[values.count - 1] }
    set { values[values.count - 1] = newValue }
  }
}
