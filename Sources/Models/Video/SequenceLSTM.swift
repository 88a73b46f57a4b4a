import Autograd
import NN
import Tensor

/// LSTM layers over a sequence of vectors, in one or both directions; the mean of their outputs is the feature.
///
/// - Source: Hochreiter and Schmidhuber 1997; names and outputs of `torch.nn.LSTM`.
struct SequenceLSTM: Backbone {
  let featureCount: Int
  /// Width of one step's input.
  let inputCount: Int
  private let lstm: LSTM
  private let states, hidden, width: Int
  private let batchFirst: Bool
  private let prefix: String

  init(_ scope: ParameterScope, _ configuration: ModelConfiguration) throws {
    try self.init(
      scope, inputs: configuration.int("input_size", in: 1...65536),
      hidden: configuration.int("hidden_size", in: 1...8192),
      projected: configuration.int("proj_size", default: 0, in: 0...8191),
      layers: configuration.int("num_layers", default: 1, in: 1...32),
      bidirectional: configuration.bool("bidirectional", default: false),
      bias: configuration.bool("bias", default: true), batchFirst: configuration.bool("batch_first", default: false),
      dropout: configuration.float("dropout", default: 0, in: 0...0.99))
  }

  init(
    _ scope: ParameterScope, inputs: Int, hidden: Int, projected: Int = 0, layers: Int, bidirectional: Bool,
    bias: Bool = true, batchFirst: Bool = true, dropout: Float = 0
  ) throws {
    lstm = try LSTM(
      scope, in: inputs, hidden: hidden, projected: projected > 0 ? projected : nil, layers: layers,
      bidirectional: bidirectional, bias: bias,
      batchFirst: batchFirst, dropout: dropout)
    let directions = bidirectional ? 2 : 1
    width = projected > 0 ? projected : hidden
    (featureCount, inputCount, states) = (width * directions, inputs, layers * directions)
    (self.hidden, self.batchFirst) = (hidden, batchFirst)
    prefix = scope.path.isEmpty ? "" : scope.path + "."
  }

  /// - Shapes: `[B, T, I]`, or `[T, B, I]` unless batches come first → `[B, featureCount]`
  func features(_ input: Variable, _ pass: Pass) -> Variable {
    mean(lstm(input, pass).output, axes: [batchFirst ? 1 : 0])
  }

  func outputs(_ inputs: [String: Variable], _ pass: Pass) throws -> [String: Variable] {
    let sequence = try checked(inputs, "sequence", "[\(batchFirst ? "N, T" : "T, N"), \(inputCount)]") {
      ($0.count == 3 || $0.count == 2) && $0.last == inputCount && !$0.contains(0)
    }
    let isLone = sequence.shape.count == 2
    let batch = isLone ? 1 : sequence.shape[batchFirst ? 0 : 1]
    let time = isLone ? sequence.shape[0] : sequence.shape[batchFirst ? 1 : 0]
    func state(_ name: String, _ width: Int) throws -> Variable? {
      let shape = isLone ? [states, width] : [states, batch, width]
      return try inputs[name].map { _ in try checked(inputs, name, "\(shape)") { $0 == shape } }
    }
    if let lengths = inputs["lengths"]?.value, !lengths.dtype.isInteger {
      throw ModelError("the input lengths has elements of type \(lengths.dtype); it must be of whole numbers")
    }
    let lengths = inputs["lengths"]?.value.integers()
    if let lengths, lengths.count != batch || !lengths.allSatisfy((1...time).contains) {
      throw ModelError(
        "the input lengths is \(lengths), not one number from 1 to \(time) for each of \(batch) sequences")
    }
    let result = lstm(sequence, h0: try state("h0", width), c0: try state("c0", hidden), lengths: lengths, pass)
    return ["output": result.output, "h_n": result.h, "c_n": result.c]
  }

  /// Layer by layer: `weight_ih_l0`, `weight_ih_l0_reverse` and so on belong together.
  var stages: [[String]] {
    (0..<states / (featureCount / width)).map { layer in
      ["weight_ih_l", "weight_hh_l", "bias_ih_l", "bias_hh_l", "weight_hr_l"].flatMap { kind in
        ["", "_reverse"].map { "\(prefix)\(kind)\(layer)\($0)" }
      }
    }
  }

  static let family = BackboneFamily(
    name: "lstm", modelTypes: ["lstm", "LSTM"],
    make: { try SequenceLSTM($0, $1) }, rename: { $0 },
    preprocessing: { configuration, _ in
      throw ModelError("\(configuration.source) is a bare LSTM; name the weights of an image backbone for its frames")
    })
}
