import Autograd
import Tensor
import TestSupport
import Testing

/// Forward and every gradient against the reference implementation, within each case's own tolerance.
@Suite struct `parity with the reference` {
  @Test(arguments: ReferenceCase.of(ClaimedOperations.general)) func `of general operations`(_ one: ReferenceCase)
    throws
  {
    try one.check { inputs in
      if let y = activation(one.op, inputs) { return ["output": y] }
      let attributes = one.attributes
      switch one.op {
      case "linear":
        return ["output": linear(inputs["input"]!, inputs["weight"]!, inputs["bias"])]
      case "embedding":
        let y = embedding(
          inputs["indices"]!.value, inputs["weight"]!, paddingIndex: attributes["padding_idx"]?.int)
        return ["output": y]
      case "layer_norm":
        let y = layerNorm(
          inputs["input"]!, inputs["weight"], inputs["bias"], normalizedShape: attributes["normalized_shape"]!.ints,
          epsilon: Float(attributes["eps"]?.double ?? 1e-5))
        return ["output": y]
      case "group_norm":
        let y = groupNorm(
          inputs["input"]!, groups: attributes["num_groups"]!.int!, inputs["weight"], inputs["bias"],
          epsilon: Float(attributes["eps"]?.double ?? 1e-5))
        return ["output": y]
      case "softmax":
        return ["output": softmax(inputs["input"]!, axis: attributes["dim"]!.int!)]
      case "log_softmax":
        return ["output": logSoftmax(inputs["input"]!, axis: attributes["dim"]!.int!)]
      case "scaled_dot_product_attention":
        let y = scaledDotProductAttention(
          inputs["query"]!, inputs["key"]!, inputs["value"]!, mask: inputs["mask"]?.value,
          causal: attributes["is_causal"]?.bool ?? false, scale: attributes["scale"]?.double.map { Float($0) })
        return ["output": y]
      case "lstm":
        let (y, h, c) = lstm(
          inputs["input"]!, layers: recurrentLayers(inputs), h0: inputs["h0"], c0: inputs["c0"],
          batchFirst: attributes["batch_first"]?.bool ?? false)
        return ["output": y, "h_n": h, "c_n": c]
      case "gru":
        let (y, h) = gru(
          inputs["input"]!, layers: recurrentLayers(inputs), h0: inputs["h0"],
          batchFirst: attributes["batch_first"]?.bool ?? false)
        return ["output": y, "h_n": h]
      default:
        Issue.record("no dispatch for \(one.op)")
        return [:]
      }
    }
  }

  private func activation(_ op: String, _ inputs: [String: Variable]) -> Variable? {
    switch op {
    case "relu": relu(inputs["input"]!)
    case "gelu": gelu(inputs["input"]!)
    case "gelu_tanh": geluTanh(inputs["input"]!)
    case "quick_gelu": quickGelu(inputs["input"]!)
    case "silu": silu(inputs["input"]!)
    case "sigmoid": sigmoid(inputs["input"]!)
    case "tanh": tanh(inputs["input"]!)
    default: nil
    }
  }

  private func recurrentLayers(_ inputs: [String: Variable]) -> [[RecurrentWeights]] {
    var layers: [[RecurrentWeights]] = []
    while inputs["weight_ih_l\(layers.count)"] != nil {
      let directions = ["", "_reverse"].map { "_l\(layers.count)\($0)" }.filter { inputs["weight_ih\($0)"] != nil }
      layers.append(
        directions.map {
          RecurrentWeights(
            input: inputs["weight_ih\($0)"]!, hidden: inputs["weight_hh\($0)"]!, inputBias: inputs["bias_ih\($0)"],
            hiddenBias: inputs["bias_hh\($0)"])
        })
    }
    return layers
  }

  @Test func `every operation of the cases is claimed`() {
    #expect(Set(ReferenceCase.all.map(\.op)).subtracting(ClaimedOperations.all) == [])
    #expect(!ReferenceCase.all.isEmpty)
  }
}
