import CKernels
import Glibc

/// How gradients become steps: PyTorch's rules, names and defaults.
public enum OptimizerRule: Sendable, Hashable {
  /// Gradient descent; weight decay is added to the gradient.
  case sgd(momentum: Double = 0, dampening: Double = 0, nesterov: Bool = false)
  /// Adam; weight decay is added to the gradient. Kingma and Ba 2014, arXiv:1412.6980.
  case adam(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, amsgrad: Bool = false)
  /// AdamW: weights shrink by rate · decay before the step. Loshchilov and Hutter 2017, arXiv:1711.05101.
  case adamW(beta1: Double = 0.9, beta2: Double = 0.999, epsilon: Double = 1e-8, amsgrad: Bool = false)

  /// Names of the state's buffers, as in PyTorch.
  public var stateNames: [String] {
    switch self {
    case .sgd(let momentum, _, _): momentum == 0 ? [] : ["momentum_buffer"]
    case .adam(_, _, _, let amsgrad), .adamW(_, _, _, let amsgrad):
      ["exp_avg", "exp_avg_sq"] + (amsgrad ? ["max_exp_avg_sq"] : [])
    }
  }
}

/// A stretch of the flat buffer with its own weight decay and share of the learning rate.
public struct OptimizerGroup: Sendable, Hashable {
  /// Places in the flat buffer.
  public var range: Range<Int>
  /// Weight decay; 0 for biases and norms, as a rule.
  public var weightDecay: Float
  /// Factor on the learning rate.
  public var rateScale: Float

  /// A group.
  public init(range: Range<Int>, weightDecay: Float, rateScale: Float = 1) {
    self.range = range
    self.weightDecay = weightDecay
    self.rateScale = rateScale
  }
}

/// An optimizer over one flat buffer of weights. Its state is plain arrays, so that a checkpoint, a sum over workers and
/// a copy of it are trivial.
public struct Optimizer: Sendable {
  /// The rule and its constants.
  public let rule: OptimizerRule
  /// Length of the flat buffer.
  public let count: Int
  /// Steps done; part of a checkpoint.
  public var steps = 0
  /// Buffers of length `count` by PyTorch's names; part of a checkpoint.
  public var state: [String: [Float]]

  /// An optimizer that has done no step.
  public init(_ rule: OptimizerRule, count: Int) {
    self.rule = rule
    self.count = count
    state = Dictionary(uniqueKeysWithValues: rule.stateNames.map { ($0, [Float](repeating: 0, count: count)) })
  }

  /// One step. Weights outside every group stay as they are.
  ///
  /// - Traps: unless weights, gradient and state have the same length and groups lie within.
  public mutating func step(_ weights: inout [Float], gradient: [Float], rate: Float, groups: [OptimizerGroup]) {
    precondition(weights.count == count && gradient.count == count, "optimizer: \(weights.count), \(gradient.count)")
    weights.withUnsafeMutableBufferPointer { w in
      gradient.withUnsafeBufferPointer { g in
        step(gradient: g, rate: rate, groups: groups) { index, body in
          let here = w.baseAddress! + groups[index].range.lowerBound
          body(here, here)
        }
      }
    }
  }

  /// One step over weights that lie in pieces, one a group.
  ///
  /// - Parameters:
  ///   - gradient: all of it, flat; every number is multiplied by `gradientScale` first.
  ///   - weights: for a group's index, calls its second argument once with the old weights and the place of the new ones,
  ///     which may be the same.
  /// - Traps: unless gradient and state have the optimizer's length and groups lie within; with SGD, if the gradient is
  ///   scaled.
  public mutating func step(
    gradient: UnsafeBufferPointer<Float>, gradientScale: Float = 1, rate: Float, groups: [OptimizerGroup],
    weights: (Int, (_ old: UnsafePointer<Float>, _ new: UnsafeMutablePointer<Float>) -> Void) -> Void
  ) {
    precondition(gradient.count == count, "optimizer: a gradient of \(gradient.count) for \(count)")
    precondition(groups.allSatisfy { $0.range.upperBound <= count && $0.range.lowerBound >= 0 }, "optimizer: groups")
    precondition(
      rule.stateNames.allSatisfy { state[$0]?.count == count } && steps >= 0, "optimizer: a state of another model")
    steps += 1
    let (rule, steps) = (rule, steps)
    withState { state in
      for (index, group) in groups.enumerated() where !group.range.isEmpty {
        let start = group.range.lowerBound
        weights(index) { old, new in
          rule.step(
            steps, group, rate, gradientScale, old, new, gradient.baseAddress! + start, state.map { $0 + start })
        }
      }
    }
  }

  /// One step with the same weight decay for all.
  public mutating func step(_ weights: inout [Float], gradient: [Float], rate: Float, weightDecay: Float = 0) {
    step(
      &weights, gradient: gradient, rate: rate, groups: [OptimizerGroup(range: 0..<count, weightDecay: weightDecay)])
  }

  private mutating func withState(_ body: ([UnsafeMutablePointer<Float>]) -> Void) {
    let names = rule.stateNames
    // Buffers are taken out while they are written, so that nothing is copied.
    var buffers = names.map { state.removeValue(forKey: $0)! }
    func open(_ index: Int, _ pointers: [UnsafeMutablePointer<Float>]) {
      if index == names.count { return body(pointers) }
      var buffer: [Float] = []
      swap(&buffer, &buffers[index])
      buffer.withUnsafeMutableBufferPointer { open(index + 1, pointers + ($0.baseAddress.map { [$0] } ?? [])) }
      swap(&buffer, &buffers[index])
    }
    if count > 0 { open(0, []) }
    for (name, buffer) in zip(names, buffers) { state[name] = buffer }
  }
}

extension OptimizerRule {
  fileprivate func step(
    _ steps: Int, _ group: OptimizerGroup, _ rate: Float, _ gradientScale: Float, _ old: UnsafePointer<Float>,
    _ w: UnsafeMutablePointer<Float>, _ g: UnsafePointer<Float>, _ state: [UnsafeMutablePointer<Float>]
  ) {
    let rate = rate * group.rateScale
    switch self {
    case .sgd(let momentum, let dampening, let nesterov):
      let settings = dk_sgd(
        rate: rate, momentum: Float(momentum), gradient_share: Float(1 - dampening), weight_decay: group.weightDecay,
        nesterov: nesterov ? 1 : 0, first_step: steps == 1 ? 1 : 0)
      precondition(gradientScale == 1, "optimizer: SGD does not scale gradients")
      if old != UnsafePointer(w) { w.update(from: old, count: group.range.count) }
      dk_sgd_step(settings, w, g, state.first, group.range.count)
    case .adam(let beta1, let beta2, let epsilon, _), .adamW(let beta1, let beta2, let epsilon, _):
      var decoupled = false
      if case .adamW = self { decoupled = true }
      // 1 − β and the corrections in float64: 1 − 0.999 in float32 is off by 10⁻⁵ of itself.
      let settings = dk_adam(
        rate: rate, gradient_share1: Float(1 - beta1), beta2: Float(beta2), gradient_share2: Float(1 - beta2),
        epsilon: Float(epsilon), weight_decay: group.weightDecay, decoupled: decoupled ? 1 : 0,
        correction1: Float(1 - pow(beta1, Double(steps))),
        correction2_root: Float((1 - pow(beta2, Double(steps))).squareRoot()), gradient_scale: gradientScale)
      dk_adam_step(
        settings, old, w, g, state[0], state[1], state.count > 2 ? state[2] : nil, group.range.count)
    }
  }
}
