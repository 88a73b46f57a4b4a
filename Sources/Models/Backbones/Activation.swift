import Autograd
import Tensor

/// The activation between two linear layers, by the name that a `config.json` gives it.
enum Activation: String, CaseIterable {
  case gelu
  case geluTanh = "gelu_pytorch_tanh"
  case geluNew = "gelu_new"
  case quickGelu = "quick_gelu"
  case relu
  case silu
  case swish

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
    case .gelu: .gelu
    case .geluTanh, .geluNew: .geluTanh
    case .quickGelu: .quickGelu
    case .relu: .relu
    case .silu, .swish: .silu
    }
  }

  func callAsFunction(_ x: Variable) -> Variable { map(x, operation) }
}
