import Autograd
import NN
import Tensor

/// An activation by the name that a `config.json` gives it.
///
/// - Source: the names of transformers' `ACT2FN`.
enum Activation: String, CaseIterable {
  case gelu
  case geluPython = "gelu_python"
  case geluTanh = "gelu_pytorch_tanh"
  case geluPythonTanh = "gelu_python_tanh"
  case geluNew = "gelu_new"
  case geluFast = "gelu_fast"
  case geluAccurate = "gelu_accurate"
  case gelu10 = "gelu_10"
  case quickGelu = "quick_gelu"
  case relu
  case relu2
  case relu6
  case leakyReLU = "leaky_relu"
  case silu
  case swish
  case hardSwish = "hardswish"
  case mish
  case tanh
  case sigmoid
  case linear

  /// The one that `hidden_act` names.
  ///
  /// - Throws: `ModelError` naming the file and the activations that there are.
  init(_ configuration: ModelConfiguration, _ key: String = "hidden_act", default: Activation) throws {
    self = Activation(
      rawValue: try configuration.string(key, default: `default`.rawValue, allowed: Self.allCases.map(\.rawValue)))!
  }

  /// The function, as layers that compute it within their own passes take it.
  var operation: UnaryOperation {
    switch self {
    case .gelu, .geluPython: .gelu
    case .geluTanh, .geluPythonTanh, .geluNew, .geluFast, .geluAccurate: .geluTanh
    case .gelu10: .gelu10
    case .quickGelu: .quickGelu
    case .relu: .relu
    case .relu2: .reluSquared
    case .relu6: .relu6
    case .leakyReLU: .leakyReLU
    case .silu, .swish: .silu
    case .hardSwish: .hardSwish
    case .mish: .mish
    case .tanh: .tanh
    case .sigmoid: .sigmoid
    case .linear: .identity
    }
  }

  func callAsFunction(_ x: Variable) -> Variable { map(x, operation) }

  /// The function of a batch norm's result, in the norm's own pass where it can.
  func after(_ norm: BatchNorm, _ x: Variable, _ pass: Pass) -> Variable {
    switch operation {
    case .relu: norm(x, pass, then: .relu)
    case .silu: norm(x, pass, then: .silu)
    default: self(norm(x, pass))
    }
  }
}
