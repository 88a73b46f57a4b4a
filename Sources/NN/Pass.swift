public import Autograd
public import Tensor

/// What one batch (or shard) taught a normalisation layer. Shards' statistics are combined before the running ones
/// change, so that the result does not depend on who computed which shard.
public struct BatchStatistics: Sendable {
  /// Path of the layer; its buffers are `<path>.running_mean` and `<path>.running_var`.
  public let path: String
  /// Mean per channel.
  public let mean: Tensor
  /// Unbiased variance per channel.
  public let variance: Tensor
  /// Values per channel that these came from.
  public let count: Int
  /// Weight of the new values: running = (1 - momentum) · running + momentum · new.
  public let momentum: Float

  /// The statistics of one layer in one pass.
  public init(path: String, mean: Tensor, variance: Tensor, count: Int, momentum: Float) {
    self.path = path
    self.mean = mean
    self.variance = variance
    self.count = count
    self.momentum = momentum
  }
}

/// One forward pass: which tape (if any), whether layers behave as in training, and where chance comes from.
public final class Pass {
  /// Records what backward needs; nil where no gradients are wanted.
  public let tape: Tape?
  /// Whether dropout drops and batch norm uses the batch's own statistics.
  public let training: Bool
  /// Chance for dropout and the like.
  public var random: RandomStream
  /// Whether `block` forgets what happens inside and computes it again in backward.
  public var recomputes = false
  /// Whether batch norm normalises with its running statistics, and leaves them as they are, in training too.
  public var keepsStatistics = false
  /// The rate of every dropout, where an experiment says one; nil leaves it to the architecture.
  public var dropout: Float?
  /// The largest rate of stochastic depth, where an experiment says one; nil leaves it to the architecture.
  public var dropPath: Float?
  /// What normalisation layers reported, in the order of the forward pass.
  public private(set) var statistics: [BatchStatistics] = []
  private var leaves: [ObjectIdentifier: Variable] = [:]
  private var owners: [Int: Parameter] = [:]
  // Trainable parameters that were asked for while nothing was recorded, in order; `block` wants to know them.
  private(set) var touched: [Parameter] = []
  private var isTouched: Set<ObjectIdentifier> = []

  /// A pass with a tape if `recording` (by default when training).
  public init(training: Bool, recording: Bool? = nil, random: RandomStream = RandomStream(seed: 0)) {
    self.training = training
    self.random = random
    tape = recording ?? training ? Tape() : nil
  }

  /// The parameter as a leaf of this pass's tape, or as a constant.
  public subscript(_ parameter: Parameter) -> Variable {
    guard let tape, parameter.trainable else {
      if parameter.trainable && isTouched.insert(ObjectIdentifier(parameter)).inserted { touched.append(parameter) }
      return Variable(parameter.value)
    }
    if let leaf = leaves[ObjectIdentifier(parameter)] { return leaf }
    let leaf = tape.leaf(parameter.value)
    leaves[ObjectIdentifier(parameter)] = leaf
    owners[leaf.index!] = parameter
    return leaf
  }

  /// An input that gradients are wanted of, such as a saliency map's image; a constant if there is no tape.
  public func leaf(_ input: Tensor) -> Variable { tape.map { $0.leaf(input) } ?? Variable(input) }

  /// The parameter behind a leaf's index.
  public func owner(of index: Int) -> Parameter? { owners[index] }

  /// Called by normalisation layers in training.
  public func report(_ statistics: BatchStatistics) { self.statistics.append(statistics) }

  /// Gradients of `loss`, each parameter's as soon as it is final. Consumes the tape.
  public func backward(from loss: Variable, gradient: Tensor? = nil, ready: (Parameter, Tensor) -> Void) {
    guard let tape else { preconditionFailure("backward: this pass records nothing") }
    guard loss.needsGradient else { return }
    tape.backward(from: loss, gradient: gradient) { index, gradient in
      if let owner = owners[index] { ready(owner, gradient) }
    }
  }
}

extension ParameterStore {
  /// Applies reported statistics to the running ones, in order.
  ///
  /// - Traps: if a report names a layer without running statistics.
  public func apply(_ statistics: [BatchStatistics]) {
    for report in statistics {
      guard let mean = buffer(named: report.path + ".running_mean"),
        let variance = buffer(named: report.path + ".running_var")
      else { preconditionFailure("statistics for \(report.path), which has no running ones") }
      mean.value = ParameterStore.moved(mean.value, report.mean, report.momentum)
      variance.value = ParameterStore.moved(variance.value, report.variance, report.momentum)
      if let count = buffer(named: report.path + ".num_batches_tracked") { count.value = count.value.affine(1, 1) }
    }
  }

  private static func moved(_ running: Tensor, _ new: Tensor, _ momentum: Float) -> Tensor {
    running.affine(1 - momentum, 0).combined(.add, new.affine(momentum, 0))
  }
}
