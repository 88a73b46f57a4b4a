import Files
import Models
import NN
import Tensor

/// How much of a network with outside weights is trained; the `tune` key of a model.
public enum Tuning: Codable, Hashable, Sendable {
  /// Everything.
  case full
  /// The head alone, on features computed once.
  case frozen
  /// The head and the last blocks of the backbone, with the norms behind them.
  case last(Int)

  /// Reads `full`, `frozen` or `last-N`; nil for anything else.
  public init?(_ text: String) {
    switch text {
    case "full": self = .full
    case "frozen": self = .frozen
    default:
      guard text.hasPrefix("last-"), let count = Int(text.dropFirst(5)), (1...1000).contains(count) else { return nil }
      self = .last(count)
    }
  }

  /// What `init` reads.
  public var text: String {
    switch self {
    case .full: "full"
    case .frozen: "frozen"
    case .last(let count): "last-\(count)"
    }
  }

  /// Reads the text.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let text = try container.decode(String.self)
    guard let tuning = Tuning(text) else {
      throw DecodingError.dataCorruptedError(
        in: container,
        debugDescription:
          "\"\(text)\" is unknown; \(suggestion(text, among: ["full", "frozen", "last-2"])); last-N trains "
          + "the last N blocks")
    }
    self = tuning
  }

  /// Writes the text.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(text)
  }

  /// Fixes the parameters that are not trained.
  ///
  /// - Parameter fresh: prefixes of parameters without outside weights, which are trained in any case.
  /// - Throws: `TrainingError` when the network has no backbone, or not so many blocks.
  func apply(to network: any Network, _ store: ParameterStore, fresh: [String], model: String) throws {
    if self == .full { return }
    guard let detector = network as? Detector else {
      throw TrainingError(
        "model \(model): tune: \(text) is for backbones with outside weights, and this architecture has none; "
          + "remove the key, or choose a backbone of `unmask models list`")
    }
    let depths = StageDepths(detector.backbone.stagesOfBlocks, of: store)
    var trained = 0
    if case .last(let count) = self {
      guard count <= depths.count else {
        throw TrainingError(
          "model \(model): tune: \(text) asks for more than the \(depths.count) stages that the backbone has; lower it, "
            + "or write tune: full")
      }
      trained = count
    }
    for parameter in store.parameters {
      let below = depths.belowHead(parameter.name)
      parameter.trainable =
        fresh.contains { parameter.name.hasPrefix($0) } || (self != .frozen && below <= trained)
    }
  }
}

extension ParameterStore {
  /// What training changes, by name: trained parameters and running statistics.
  var trained: [String: Tensor] {
    let pairs = parameters.filter(\.trainable).map { ($0.name, $0.value) } + buffers.map { ($0.name, $0.value) }
    return Dictionary(uniqueKeysWithValues: pairs)
  }

  /// Puts back what `trained` gave.
  func load(trained: [String: Tensor]) throws { try load(state.merging(trained) { $1 }) }
}
