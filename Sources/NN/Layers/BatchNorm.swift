public import Autograd
import Tensor

/// Batch norm over every axis but the channels: `[N, C]`, `[N, C, L]`, images and clips alike.
///
/// In training it normalises with the batch's own statistics and reports them to the pass, which does not change the
/// running ones; `ParameterStore.apply` does, after the statistics of all shards are combined. A layer whose weight is not
/// trainable is frozen: it normalises with its running statistics and leaves them as they are.
public struct BatchNorm {
  /// `[C]`, nil without an affine map
  public let weight: Parameter?
  /// `[C]`, nil without an affine map
  public let bias: Parameter?
  /// `[C]`
  public let runningMean: Buffer
  /// `[C]`
  public let runningVariance: Buffer
  private let path: String
  private let eps, momentum: Float

  /// Makes `weight`, `bias`, `running_mean`, `running_var` and `num_batches_tracked` below `scope`.
  ///
  /// - Parameter momentum: weight of new statistics, as in PyTorch: running = (1 - momentum) · running + momentum · new.
  public init(
    _ scope: ParameterScope, channels: Int, eps: Float = 1e-5, momentum: Float = 0.1, affine: Bool = true
  ) throws {
    weight = affine ? try scope.parameter("weight", [channels], .ones) : nil
    bias = affine ? try scope.parameter("bias", [channels], .zeros) : nil
    runningMean = try scope.buffer("running_mean", [channels], .zeros)
    runningVariance = try scope.buffer("running_var", [channels], .ones)
    _ = try scope.buffer("num_batches_tracked", [], .zeros)
    path = scope.path
    self.eps = eps
    self.momentum = momentum
  }

  /// - Shapes: `[N, C, …]` → the same, or with its images halved by `.reluMaxPool2`
  public func callAsFunction(_ x: Variable, _ pass: Pass, then after: AfterNorm = .identity) -> Variable {
    let (weight, bias) = (weight.map { pass[$0] }, bias.map { pass[$0] })
    guard pass.training && !pass.keepsStatistics && self.weight?.trainable != false else {
      return batchNorm(
        x, mean: runningMean.value, variance: runningVariance.value, weight: weight, bias: bias, eps: eps, then: after)
    }
    let (output, moments) = batchNorm(x, weight: weight, bias: bias, eps: eps, then: after)
    pass.report(
      BatchStatistics(
        path: path, mean: moments.mean, variance: moments.unbiasedVariance, count: moments.count, momentum: momentum))
    return output
  }
}
