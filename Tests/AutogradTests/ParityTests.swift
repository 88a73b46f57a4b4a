import Autograd
import Tensor
import TestSupport
import Testing

/// Forward and every gradient against the reference implementation, within each case's own tolerance.
@Suite struct `parity with the reference` {
  @Test(arguments: ReferenceCase.of(["linear", "relu", "gelu", "gelu_tanh", "quick_gelu", "silu", "sigmoid", "tanh"]))
  func `of general operations`(_ one: ReferenceCase) throws {
    try one.check { inputs in
      let x = inputs["input"]
      switch one.op {
      case "linear": return ["output": linear(x!, inputs["weight"]!, inputs["bias"])]
      case "relu": return ["output": relu(x!)]
      case "gelu": return ["output": gelu(x!)]
      case "gelu_tanh": return ["output": geluTanh(x!)]
      case "quick_gelu": return ["output": quickGelu(x!)]
      case "silu": return ["output": silu(x!)]
      case "sigmoid": return ["output": sigmoid(x!)]
      case "tanh": return ["output": tanh(x!)]
      default:
        Issue.record("no dispatch for \(one.op)")
        return [:]
      }
    }
  }

  @Test func `every operation of the cases is claimed`() {
    #expect(Set(ReferenceCase.all.map(\.op)).subtracting(ClaimedOperations.all) == [])
    #expect(!ReferenceCase.all.isEmpty)
  }
}
