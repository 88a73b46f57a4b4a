public import Autograd
import Tensor

/// LSTM layers; parameters are named as in PyTorch (`weight_ih_l0`, `weight_hh_l0_reverse`, …).
public struct LSTM {
  private let layers: [[RecurrentParameters]]
  private let batchFirst: Bool
  private let dropoutRate: Float

  /// Makes the weights of all layers and directions below `scope`.
  ///
  /// - Parameter projected: width that each direction's state is projected to; nil leaves it as it is.
  public init(
    _ scope: ParameterScope, in inputs: Int, hidden: Int, projected: Int? = nil, layers: Int = 1,
    bidirectional: Bool = false, bias: Bool = true, batchFirst: Bool = true, dropout: Float = 0
  ) throws {
    self.layers = try RecurrentParameters.make(
      scope, in: inputs, hidden: hidden, projected: projected, gates: 4, layers: layers, bidirectional: bidirectional,
      bias: bias)
    self.batchFirst = batchFirst
    dropoutRate = dropout
  }

  /// - Shapes: `x [B, T, in]` (`[T, B, in]` unless `batchFirst`), states `[layers · directions, B, hidden]` (h of the
  ///   projected width), 0 if nil
  /// - Parameter lengths: where each sequence ends; beyond it outputs are 0 and last states are those of its own end.
  public func callAsFunction(
    _ x: Variable, h0: Variable? = nil, c0: Variable? = nil, lengths: [Int]? = nil, _ pass: Pass
  ) -> (output: Variable, h: Variable, c: Variable) {
    lstm(
      x, layers: layers.map { $0.map { $0.weights(pass) } }, h0: h0, c0: c0, batchFirst: batchFirst, lengths: lengths,
      between: { dropout($0, rate: dropoutRate, pass) })
  }
}

/// GRU layers; parameters are named as in PyTorch.
public struct GRU {
  private let layers: [[RecurrentParameters]]
  private let batchFirst: Bool
  private let dropoutRate: Float

  /// Makes the weights of all layers and directions below `scope`.
  public init(
    _ scope: ParameterScope, in inputs: Int, hidden: Int, layers: Int = 1, bidirectional: Bool = false,
    bias: Bool = true, batchFirst: Bool = true, dropout: Float = 0
  ) throws {
    self.layers = try RecurrentParameters.make(
      scope, in: inputs, hidden: hidden, gates: 3, layers: layers, bidirectional: bidirectional, bias: bias)
    self.batchFirst = batchFirst
    dropoutRate = dropout
  }

  /// - Shapes: as for `LSTM`
  public func callAsFunction(_ x: Variable, h0: Variable? = nil, lengths: [Int]? = nil, _ pass: Pass)
    -> (output: Variable, h: Variable)
  {
    gru(
      x, layers: layers.map { $0.map { $0.weights(pass) } }, h0: h0, batchFirst: batchFirst, lengths: lengths,
      between: { dropout($0, rate: dropoutRate, pass) })
  }
}

/// One direction of one layer.
private struct RecurrentParameters {
  let input, hidden: Parameter
  let inputBias, hiddenBias: Parameter?
  let projection: Parameter?

  static func make(
    _ scope: ParameterScope, in inputs: Int, hidden: Int, projected: Int? = nil, gates: Int, layers: Int,
    bidirectional: Bool, bias: Bool
  ) throws -> [[RecurrentParameters]] {
    let suffixes = bidirectional ? ["", "_reverse"] : [""]
    let state = projected ?? hidden
    return try (0..<layers).map { layer in
      let width = layer == 0 ? inputs : state * suffixes.count
      return try suffixes.map { suffix in
        func parameter(_ name: String, _ shape: [Int]) throws -> Parameter {
          try scope.parameter("\(name)_l\(layer)\(suffix)", shape, .fanIn(hidden))
        }
        return RecurrentParameters(
          input: try parameter("weight_ih", [gates * hidden, width]),
          hidden: try parameter("weight_hh", [gates * hidden, state]),
          inputBias: bias ? try parameter("bias_ih", [gates * hidden]) : nil,
          hiddenBias: bias ? try parameter("bias_hh", [gates * hidden]) : nil,
          projection: try projected.map { try parameter("weight_hr", [$0, hidden]) })
      }
    }
  }

  func weights(_ pass: Pass) -> RecurrentWeights {
    RecurrentWeights(
      input: pass[input], hidden: pass[hidden], inputBias: inputBias.map { pass[$0] },
      hiddenBias: hiddenBias.map { pass[$0] }, projection: projection.map { pass[$0] })
  }
}
