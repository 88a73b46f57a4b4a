import Autograd
import Tensor
import TestSupport
import Testing

/// Convolutions, norms over batches, pools and resizing against the reference implementation.
@Suite struct `parity of spatial operations` {
  @Test(arguments: ReferenceCase.of(ClaimedOperations.convolution))
  func `with the reference`(_ one: ReferenceCase) throws {
    try one.check { try run(one, $0) }
  }

  @Test(arguments: ReferenceCase.of(ClaimedOperations.convolution))
  func `on two threads, from channels-last inputs`(_ one: ReferenceCase) throws {
    try ComputeThreads.with(2) {
      try one.check { inputs in
        var inputs = inputs
        if let x = inputs["input"] { inputs["input"] = inChannelsLast(x) }
        return try run(one, inputs)
      }
    }
  }

  /// The same values in the other memory order, gradients passing through.
  private func inChannelsLast(_ x: Variable) -> Variable { Tape.record(x.value.channelsLast(), [x]) { [$0] } }

  private func run(_ one: ReferenceCase, _ inputs: [String: Variable]) throws -> [String: Variable] {
    let attributes = one.attributes
    func perAxis(_ key: String, _ otherwise: Int) -> PerAxis {
      attributes[key].map { PerAxis($0.ints) } ?? PerAxis(otherwise)
    }
    func flag(_ key: String) -> Bool { attributes[key]?.bool ?? false }
    func output(_ y: Variable) -> [String: Variable] { ["output": y] }
    func convolve(_ weight: Variable) throws -> Variable {
      var (before, after) = (perAxis("padding", 0), perAxis("padding", 0))
      if let word = attributes["padding"]?.string {
        let kernel = Array(weight.shape.dropFirst(2))
        let total = zip(kernel, perAxis("dilation", 1).expanded(to: kernel.count)).map { ($0 - 1) * $1 }
        before = word == "same" ? PerAxis(total.map { $0 / 2 }) : 0
        after = word == "same" ? PerAxis(total.map { $0 - $0 / 2 }) : 0
      }
      return convolution(
        try #require(inputs["input"]), weight, inputs["bias"], stride: perAxis("stride", 1), padding: before,
        paddingAfter: after, dilation: perAxis("dilation", 1), groups: attributes["groups"]?.int ?? 1)
    }
    // null keeps the input's length.
    func outputSize() -> PerAxis {
      let list = attributes["output_size"]?.list ?? []
      return PerAxis(list.indices.map { list[$0].int ?? inputs["input"]!.shape[$0 + 2] })
    }
    switch one.op {
    case "conv1d", "conv2d", "conv3d":
      return output(try convolve(try #require(inputs["weight"])))
    case "weight_norm_conv1d", "weight_norm_conv2d", "weight_norm_conv3d":
      let weight = weightNorm(
        magnitude: try #require(inputs["weight_g"]), direction: try #require(inputs["weight_v"]),
        axis: attributes["dim"]?.int)
      return output(try convolve(weight))
    case "batch_norm":
      return try normalise(one, inputs)
    case "pad":
      return output(try padded(one, try #require(inputs["input"])))
    case "max_pool1d", "max_pool2d", "max_pool3d":
      return output(
        maxPool(
          try #require(inputs["input"]), kernel: perAxis("kernel_size", 0),
          stride: attributes["stride"].map { PerAxis($0.ints) }, padding: perAxis("padding", 0),
          dilation: perAxis("dilation", 1), ceil: flag("ceil_mode")))
    case "avg_pool1d", "avg_pool2d", "avg_pool3d":
      return output(
        averagePool(
          try #require(inputs["input"]), kernel: perAxis("kernel_size", 0),
          stride: attributes["stride"].map { PerAxis($0.ints) }, padding: perAxis("padding", 0),
          ceil: flag("ceil_mode"), countingPadding: attributes["count_include_pad"]?.bool ?? true,
          divisor: attributes["divisor_override"]?.int))
    case "adaptive_avg_pool1d", "adaptive_avg_pool2d", "adaptive_avg_pool3d":
      return output(adaptiveAveragePool(try #require(inputs["input"]), output: outputSize()))
    case "adaptive_max_pool1d", "adaptive_max_pool2d", "adaptive_max_pool3d":
      return output(adaptiveMaxPool(try #require(inputs["input"]), output: outputSize()))
    case "interpolate":
      return output(try resized(one, try #require(inputs["input"])))
    case "position_embedding_interpolation":
      let kinds: [String: PositionResizing] = ["size": .size, "antialias": .antialias, "offset": .offset]
      return output(
        interpolatePositionEmbeddings(
          try #require(inputs["position_embeddings"]), to: try #require(attributes["size"]).ints,
          resizing: try #require(kinds[attributes["variant"]?.string ?? ""])))
    default:
      Issue.record("no dispatch for \(one.op)")
      return [:]
    }
  }

  private func normalise(_ one: ReferenceCase, _ inputs: [String: Variable]) throws -> [String: Variable] {
    let x = try #require(inputs["input"])
    let eps = Float(try #require(one.attributes["eps"]?.double))
    guard one.attributes["training"]?.bool == true else {
      return [
        "output": batchNorm(
          x, mean: try #require(inputs["running_mean"]).value, variance: try #require(inputs["running_var"]).value,
          weight: inputs["weight"], bias: inputs["bias"], eps: eps)
      ]
    }
    let (y, moments) = batchNorm(x, weight: inputs["weight"], bias: inputs["bias"], eps: eps)
    guard let mean = inputs["running_mean"]?.value, let variance = inputs["running_var"]?.value else {
      return ["output": y]
    }
    let momentum = Float(try #require(one.attributes["momentum"]?.double))
    func moved(_ old: Tensor, _ new: Tensor) -> Variable {
      Variable(old.affine(1 - momentum, 0).combined(.add, new.affine(momentum, 0)))
    }
    return [
      "output": y, "updated.running_mean": moved(mean, moments.mean),
      "updated.running_var": moved(variance, moments.unbiasedVariance),
    ]
  }

  private func resized(_ one: ReferenceCase, _ x: Variable) throws -> Variable {
    let spatial = x.shape.dropFirst(2)
    let factors = one.attributes["scale_factor"].map { factors in
      spatial.indices.map { factors.doubles.count == 1 ? factors.doubles[0] : factors.doubles[$0 - 2] }
    }
    let size =
      try one.attributes["size"].map { PerAxis($0.ints).expanded(to: spatial.count) }
      ?? zip(spatial, #require(factors)).map { Int((Double($0) * $1).rounded(.down)) }
    if one.attributes["mode"]?.string == "area" { return adaptiveAveragePool(x, output: PerAxis(size)) }
    let modes: [String: Interpolation] = [
      "nearest": .nearest, "nearest-exact": .nearestExact, "linear": .linear, "bilinear": .linear,
      "trilinear": .linear, "bicubic": .cubic,
    ]
    return interpolate(
      x, size: size, mode: try #require(modes[one.attributes["mode"]?.string ?? ""]),
      antialias: one.attributes["antialias"]?.bool ?? false, scale: factors,
      aligningCorners: one.attributes["align_corners"]?.bool ?? false)
  }

  // PyTorch lists amounts from the last axis on: before, after, before, after….
  private func padded(_ one: ReferenceCase, _ x: Variable) throws -> Variable {
    let amounts = try #require(one.attributes["pad"]).ints
    let axes = stride(from: amounts.count - 2, through: 0, by: -2)
    let kinds: [String: Padding] = [
      "constant": .constant(Float(one.attributes["value"]?.double ?? 0)), "reflect": .reflect, "replicate": .replicate,
      "circular": .circular,
    ]
    return pad(
      x, before: axes.map { amounts[$0] }, after: axes.map { amounts[$0 + 1] },
      with: try #require(kinds[one.attributes["mode"]?.string ?? ""]))
  }
}
