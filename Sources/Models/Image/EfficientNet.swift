import Autograd
import NN
import Tensor
import Glibc

/// EfficientNet: inverted bottlenecks with squeeze and excitation, whose width, depth and picture size grow together.
///
/// - Source: Tan and Le 2019, arXiv:1905.11946; names, paddings and momenta of transformers' `EfficientNetModel`.
struct EfficientNet: ImageBackbone {
  /// Width and depth rules, and what every norm and block shares.
  private struct Scaling {
    let width, depth: Double
    let divisor: Int
    let eps, momentum: Float
    let activation: Activation

    init(_ configuration: ModelConfiguration) throws {
      width = try configuration.double("width_coefficient", default: 2, in: 0.001...32)
      depth = try configuration.double("depth_coefficient", default: 3.1, in: 0.001...32)
      divisor = try configuration.int("depth_divisor", default: 8, in: 1...1024)
      eps = try configuration.float("batch_norm_eps", default: 1e-3, in: 0...1)
      momentum = try configuration.float("batch_norm_momentum", default: 0.99, in: 0...1)
      activation = try Activation(configuration, default: .swish)
    }

    /// Channels after widening, a multiple of the divisor that is not over 10% narrower.
    func channels(_ base: Int) -> Int {
      let wide = Double(base) * width
      let unit = Double(divisor)
      let rounded = max(divisor, Int(((wide + unit / 2).rounded(.towardZero) / unit).rounded(.down)) * divisor)
      return Double(rounded) < 0.9 * wide ? rounded + divisor : rounded
    }

    func repeats(_ base: Int) -> Int { Int((depth * Double(base)).rounded(.up)) }
  }

  /// Mean of each channel through a narrow bottleneck to a gate of that channel.
  private struct SqueezeExcite {
    let reduce, expand: Conv2d
    let activation: Activation

    init(_ scope: ParameterScope, channels: Int, squeezed: Int, _ activation: Activation) throws {
      reduce = try Conv2d(scope["reduce"], in: channels, out: squeezed, kernel: 1, initial: .normal(0.02))
      expand = try Conv2d(scope["expand"], in: squeezed, out: channels, kernel: 1, initial: .normal(0.02))
      self.activation = activation
    }

    /// `[B, C, H, W]` → the same
    func callAsFunction(_ x: Variable, _ pass: Pass) -> Variable {
      let squeezed = activation(reduce(adaptiveAveragePool(x, output: 1), pass))  // [B, S, 1, 1]
      return x * sigmoid(expand(squeezed, pass))
    }
  }

  /// Expand, depthwise convolution, squeeze and excitation, project; added to the input where sizes allow.
  private struct Block {
    let expand: (convolution: Conv2d, norm: BatchNorm)?
    let depthwise: (convolution: Conv2d, norm: BatchNorm)
    let gate: SqueezeExcite
    let project: (convolution: Conv2d, norm: BatchNorm)
    let isResidual: Bool
    let dropRate: Float
    let activation: Activation

    struct Size {
      var input, output, expansion, kernel, stride: Int
      var isFirst, isPaddedEvenly: Bool
    }

    init(_ scope: ParameterScope, _ size: Size, squeeze: Double, dropRate: Float, _ scaling: Scaling) throws {
      func pair(
        _ layer: String, _ convolution: String, _ norm: String, in inputs: Int, out outputs: Int, momentum: Float
      ) throws -> (Conv2d, BatchNorm) {
        (
          try Conv2d(
            scope[layer, convolution], in: inputs, out: outputs, kernel: 1, bias: false, initial: .kaiming(fan: outputs)
          ),
          try BatchNorm(scope[layer, norm], channels: outputs, eps: scaling.eps, momentum: momentum)
        )
      }
      let wide = size.input * size.expansion
      // The reference leaves this one norm at PyTorch's own momentum.
      expand =
        size.expansion == 1
        ? nil : try pair("expansion", "expand_conv", "expand_bn", in: size.input, out: wide, momentum: 0.1)
      let half = size.kernel / 2
      let before = size.stride == 2 ? (size.isPaddedEvenly ? half : half - 1) : (size.kernel - 1) / 2
      let after = size.stride == 2 ? half : size.kernel - 1 - before
      depthwise = (
        try Conv2d(
          scope["depthwise_conv", "depthwise_conv"], in: wide, out: wide, kernel: PerAxis(size.kernel),
          stride: PerAxis(size.stride), padding: PerAxis(before), paddingAfter: PerAxis(after), groups: wide,
          bias: false, initial: .kaiming(fan: size.kernel * size.kernel)),
        try BatchNorm(
          scope["depthwise_conv", "depthwise_norm"], channels: wide, eps: scaling.eps, momentum: scaling.momentum)
      )
      gate = try SqueezeExcite(
        scope["squeeze_excite"], channels: wide, squeezed: max(1, Int(Double(size.input) * squeeze)),
        scaling.activation)
      project = try pair(
        "projection", "project_conv", "project_bn", in: wide, out: size.output, momentum: scaling.momentum)
      isResidual = size.stride == 1 && !size.isFirst
      (self.dropRate, activation) = (dropRate, scaling.activation)
    }

    /// `[B, C, H, W]` → `[B, C', H', W']`
    func callAsFunction(_ input: Variable, _ pass: Pass) -> Variable {
      var x = input
      if let expand { x = activation.after(expand.norm, expand.convolution(x, pass), pass) }
      x = gate(activation.after(depthwise.norm, depthwise.convolution(x, pass), pass), pass)
      x = project.norm(project.convolution(x, pass), pass)
      return isResidual ? input + dropout(x, rate: pass.dropPath ?? dropRate, pass) : x
    }
  }

  let channels, featureCount: Int
  let headDropout: Float
  let smallestSide = 2
  private let stem, top: (convolution: Conv2d, norm: BatchNorm)
  private let blocks: [Block]
  private let activation: Activation
  private let poolsMaximum: Bool

  // EfficientNet-B7 has 55.
  private static let blockLimit = 1024

  init(_ scope: ParameterScope, _ configuration: ModelConfiguration) throws {
    let scaling = try Scaling(configuration)
    let base = try configuration.ints("in_channels", default: [32, 16, 24, 40, 80, 112, 192], in: 1...8192)
    func perStage(_ key: String, _ usual: [Int], in range: ClosedRange<Int>) throws -> [Int] {
      try configuration.ints(key, default: usual, count: base.count, in: range)
    }
    let outputs = try perStage("out_channels", [16, 24, 40, 80, 112, 192, 320], in: 1...8192)
    let kernels = try perStage("kernel_sizes", [3, 3, 5, 3, 5, 5, 3], in: 1...31)
    let strides = try perStage("strides", [1, 2, 2, 2, 1, 2, 1], in: 1...2)
    let repeats = try perStage("num_block_repeats", [1, 2, 2, 3, 3, 4, 1], in: 1...64)
    let expansions = try perStage("expand_ratios", [1, 6, 6, 6, 6, 6, 6], in: 1...32)
    let evenlyPadded = Set(try configuration.ints("depthwise_padding", default: [], in: 0...4096))
    let squeeze = try configuration.double("squeeze_expansion_ratio", default: 0.25, in: 0...4)
    let dropRate = try configuration.float("drop_connect_rate", default: 0.2, in: 0...0.99)
    channels = try configuration.int("num_channels", default: 3, in: 1...64)
    activation = scaling.activation
    poolsMaximum = try configuration.string("pooling_type", default: "mean", allowed: ["mean", "max"]) == "max"
    headDropout = try configuration.float("dropout_rate", default: 0.5, in: 0...0.99)
    featureCount = try configuration.int("hidden_dim", default: 2560, in: 1...65536)
    let topWidth = scaling.channels(1280)
    guard featureCount == topWidth, !base.isEmpty else {
      throw ModelError("\(configuration.source): hidden_dim is \(featureCount), but the width makes it \(topWidth)")
    }

    let stemWidth = scaling.channels(32)
    stem = (
      try Conv2d(
        scope["embeddings", "convolution"], in: channels, out: stemWidth, kernel: 3, stride: 2, padding: 0,
        paddingAfter: 1, bias: false, initial: .kaiming(fan: 9 * channels)),
      try BatchNorm(
        scope["embeddings", "batchnorm"], channels: stemWidth, eps: scaling.eps, momentum: scaling.momentum)
    )
    let total = repeats.map(scaling.repeats).reduce(0, +)
    guard total <= Self.blockLimit else {
      throw ModelError(
        "\(configuration.source): num_block_repeats and depth_coefficient make \(total) blocks, more than "
          + "\(Self.blockLimit); is it the configuration of another model?")
    }
    var (blocks, width): ([Block], Int) = ([], stemWidth)
    for stage in base.indices {
      let (first, output) = (scaling.channels(base[stage]), scaling.channels(outputs[stage]))
      guard first == width else {
        throw ModelError("\(configuration.source): in_channels of stage \(stage) do not fit what comes before it")
      }
      for repeated in 0..<scaling.repeats(repeats[stage]) {
        let size = Block.Size(
          input: repeated == 0 ? first : output, output: output, expansion: expansions[stage], kernel: kernels[stage],
          stride: repeated == 0 ? strides[stage] : 1, isFirst: repeated == 0,
          isPaddedEvenly: evenlyPadded.contains(blocks.count))
        blocks.append(
          try Block(
            scope["encoder", "blocks", blocks.count], size, squeeze: squeeze,
            dropRate: dropRate * Float(blocks.count) / Float(total), scaling))
      }
      width = output
    }
    self.blocks = blocks
    top = (
      try Conv2d(
        scope["encoder", "top_conv"], in: width, out: topWidth, kernel: 1, bias: false, initial: .kaiming(fan: topWidth)
      ),
      try BatchNorm(scope["encoder", "top_bn"], channels: topWidth, eps: scaling.eps, momentum: scaling.momentum)
    )
  }

  func features(_ input: Variable, _ pass: Pass) -> Variable { pooled(encoded(input, pass)) }

  func outputs(_ inputs: [String: Variable], _ pass: Pass) throws -> [String: Variable] {
    let map = encoded(try pixelValues(inputs), pass)
    return ["last_hidden_state": map, "pooler_output": pooled(map)]
  }

  var stages: [[String]] {
    [["embeddings."]] + blocks.indices.map { ["encoder.blocks.\($0)."] } + [["encoder.top_conv.", "encoder.top_bn."]]
  }

  var stagesOfHead: Int { 1 }

  /// `[B, C, H, W]` → `[B, D, H/32, W/32]`
  private func encoded(_ pixels: Variable, _ pass: Pass) -> Variable {
    var x = activation.after(stem.norm, stem.convolution(pixels, pass), pass)
    for block in blocks { x = pass.block(x) { block($0, $1) } }
    return activation.after(top.norm, top.convolution(x, pass), pass)
  }

  private func pooled(_ map: Variable) -> Variable {
    flatten(poolsMaximum ? adaptiveMaxPool(map, output: 1) : adaptiveAveragePool(map, output: 1))
  }

  static let family = BackboneFamily(
    name: "efficientnet", modelTypes: ["efficientnet"],
    make: { try EfficientNet($0, $1) },
    rename: { key in
      if key.hasPrefix("classifier.") { return nil }
      return key.hasPrefix("efficientnet.") ? String(key.dropFirst("efficientnet.".count)) : key
    },
    preprocessing: { configuration, processor in
      try configuration.requireColours()
      return .frames(
        try ImageProcessor.efficientNet.frames(processor, imageSize: configuration.side("image_size", default: 600)))
    })

  /// The eight published sizes. `depthwise_padding` lists blocks whose input has an odd side at the usual picture size.
  static let sizes: [Architecture] = [
    size(0, width: 1.0, depth: 1.0, side: 224, features: 1280, dropout: 0.2, padding: []),
    size(1, width: 1.0, depth: 1.1, side: 240, features: 1280, dropout: 0.2, padding: [16]),
    size(2, width: 1.1, depth: 1.2, side: 260, features: 1408, dropout: 0.3, padding: [5, 8, 16]),
    size(3, width: 1.2, depth: 1.4, side: 300, features: 1536, dropout: 0.3, padding: [5, 18]),
    size(4, width: 1.4, depth: 1.8, side: 380, features: 1792, dropout: 0.4, padding: [6]),
    size(5, width: 1.6, depth: 2.2, side: 456, features: 2048, dropout: 0.4, padding: [13, 27]),
    size(6, width: 1.8, depth: 2.6, side: 528, features: 2304, dropout: 0.5, padding: [31]),
    size(7, width: 2.0, depth: 3.1, side: 600, features: 2560, dropout: 0.5, padding: [18]),
  ]

  private static func size(
    _ number: Int, width: Double, depth: Double, side: Int, features: Int, dropout: Double, padding: [Int]
  ) -> Architecture {
    Architecture(
      name: "efficientnet-b\(number)", modality: .image, family: family,
      configuration: """
        {"model_type": "efficientnet", "architectures": ["EfficientNetModel"], "width_coefficient": \(width),
         "depth_coefficient": \(depth), "image_size": \(side), "hidden_dim": \(features), "dropout_rate": \(dropout),
         "depthwise_padding": \(padding)}
        """,
      summary: "EfficientNet-B\(number): inverted bottlenecks with squeeze and excitation, \(side)×\(side) pixels.",
      paper: "Tan and Le 2019, arXiv:1905.11946",
      licence: "code and weights of google/efficientnet-b\(number): Apache 2.0",
      recipe: Recipe(views: 4, minimumShard: 4))
  }
}
