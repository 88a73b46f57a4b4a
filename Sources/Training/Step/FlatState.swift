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
  /// Floats of one shard's vector: gradients, statistics, the tally of views, then the loss.
  let vectorCount: Int

  private(set) var optimizer: Optimizer
  private let groups: [OptimizerGroup]
  /// How the vector is cut for the exchange between members.
  let buckets: StepBuckets
  // Vectors of earlier steps, to be used again: fresh memory costs a fault and a zeroing a page.
  private let spare = Mutex<[ShardVector]>([])

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
    vectorCount = end + SampleTally.partCount + 1
    buckets = StepBuckets(slots: slots.map(\.range), count: vectorCount)
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

  /// A vector for one shard, to be filled.
  func takeVector() -> ShardVector {
    let vector = spare.withLock { $0.popLast() } ?? ShardVector(count: vectorCount, slots: slots.count)
    vector.begin(behind: weightCount)
    return vector
  }

  /// Takes back vectors that nobody reads any more.
  func reuse(_ vectors: [ShardVector]) {
    for vector in vectors { vector.forgetTensors() }
    spare.withLock { $0 = vectors }
  }

  /// Writes one parameter's gradient to its place, or adds it to what is there; or holds it as it is.
  ///
  /// - Parameter isLast: whether the shard has no further pass, so that the gradient is final.
  func place(
    _ gradient: Tensor, of parameter: Parameter, adding: Bool, isLast: Bool, in vector: ShardVector, _ gate: BucketGate
  ) {
    guard let slot = slotOf[ObjectIdentifier(parameter)] else { return }
    let place = vector.values.baseAddress! + slots[slot].range.lowerBound
    let adds = adding && vector.isPlaced[slot]
    if vector.holdsTensors {
      vector.tensors[slot] = adds ? vector.tensors[slot]!.combined(.add, gradient) : gradient.contiguous()
    } else if adds {
      gradient.add(to: place)
    } else {
      gradient.copy(to: place)
    }
    vector.isPlaced[slot] = true
    if isLast && !vector.isFinal[slot] {
      vector.isFinal[slot] = true
      gate.fill(slot: slot)
    }
  }

  /// The shard is done: what was not written is 0.
  func end(_ vector: ShardVector, _ gate: BucketGate) {
    for slot in slots.indices where !vector.isFinal[slot] {
      if !vector.isPlaced[slot] {
        UnsafeMutableBufferPointer(rebasing: vector.values[slots[slot].range]).update(repeating: 0)
      }
      gate.fill(slot: slot)
    }
    gate.fillLast()
  }

  /// Writes a pass's batch statistics, weighted with its share of the batch, or adds them to what is there.
  func place(_ reports: [BatchStatistics], share: Float, adding: Bool, in vector: ShardVector) {
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
  func combined(_ sum: ShardVector, like reports: [BatchStatistics]) -> [BatchStatistics] {
    reports.compactMap { report in
      guard let slot = statistics.first(where: { $0.path == report.path }) else { return nil }
      return BatchStatistics(
        path: report.path, mean: Tensor(Array(sum.values[slot.mean]), shape: [slot.mean.count]),
        variance: Tensor(Array(sum.values[slot.variance]), shape: [slot.variance.count]), count: report.count,
        momentum: report.momentum)
    }
  }

  // MARK: The step

  /// The length of the gradient in the tree's sum.
  func gradientNorm(_ sum: ShardVector) -> Double { Clipping.norm(gradient(sum)) }

  private func gradient(_ sum: ShardVector) -> UnsafeBufferPointer<Float> {
    UnsafeBufferPointer(rebasing: sum.values[..<weightCount])
  }

  /// One step of the optimizer from the gradient in the tree's sum, times `scale`. New weights replace the old ones as
  /// tensors, parameter by parameter: whoever still holds an old one keeps its numbers.
  func step(_ sum: ShardVector, scale: Float, rate: Double) {
    let gradient = gradient(sum)
    optimizer.step(gradient: gradient, gradientScale: scale, rate: Float(rate), groups: groups) { index, body in
      let parameter = slots[index].parameter
      let old = parameter.value.contiguous()
      parameter.value = Tensor(old.shape) { new in old.withFloats { body($0.baseAddress!, new.baseAddress!) } }
    }
  }
}

/// One shard's numbers: gradients in the order of the parameters, batch statistics, the tally of views, the loss. Memory
/// that does not move, as it is sent while it is filled.
///
/// - Thread: filled by the thread that computes the shard; what is final is read by those that add up.
final class ShardVector: @unchecked Sendable {
  let values: UnsafeMutableBufferPointer<Float>
  /// Whether gradients stay in the tensors that backward made, and are not copied to `values`: where they are only added
  /// to another shard's.
  var holdsTensors = false
  /// One a parameter; memory that does not move, as one thread reads what is final while another goes on.
  fileprivate let tensors: UnsafeMutableBufferPointer<Tensor?>
  /// Parameters whose gradients were written.
  fileprivate(set) var isPlaced: [Bool]
  /// Parameters whose gradients are final.
  fileprivate(set) var isFinal: [Bool]

  init(count: Int, slots: Int) {
    let memory = UnsafeMutableRawPointer.allocate(byteCount: count * 4, alignment: 64)
    values = UnsafeMutableBufferPointer(start: memory.bindMemory(to: Float.self, capacity: count), count: count)
    tensors = .allocate(capacity: slots)
    tensors.initialize(repeating: nil)
    isPlaced = [Bool](repeating: false, count: slots)
    isFinal = isPlaced
  }

  deinit {
    values.deallocate()
    tensors.deinitialize()
    tensors.deallocate()
  }

  /// Where a parameter's gradient lies that is final, or (without one) what is at `index`; valid until the vector is used
  /// again.
  func place(_ slot: Int?, _ index: Int) -> UnsafePointer<Float> {
    if let slot, let tensor = tensors[slot] { return tensor.withFloats { $0.baseAddress! } }
    return UnsafePointer(values.baseAddress! + index)
  }

  fileprivate func forgetTensors() {
    for slot in tensors.indices { tensors[slot] = nil }
  }

  fileprivate func begin(behind weights: Int) {
    UnsafeMutableBufferPointer(rebasing: values[weights...]).update(repeating: 0)
    for slot in isPlaced.indices { (isPlaced[slot], isFinal[slot]) = (false, false) }
    holdsTensors = false
    forgetTensors()
  }

  /// Which views went in.
  var tally: SampleTally {
    get { SampleTally(parts: values.dropLast().suffix(SampleTally.partCount)) }
    set {
      let first = values.count - 1 - SampleTally.partCount
      for (index, part) in newValue.parts.enumerated() { values[first + index] = part }
    }
  }

  /// The shard's loss: the last number.
  var loss: Float {
    get { values[values.count - 1] }
    set { values[values.count - 1] = newValue }
  }
}
