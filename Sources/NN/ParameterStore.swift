public import Tensor

/// A checkpoint that does not fit the model: which key, and how.
public struct CheckpointError: Error, CustomStringConvertible {
  /// What is wrong with the key.
  public enum Code: Sendable { case missing, unused, shapeMismatch }
  /// What is wrong.
  public let code: Code
  /// The key.
  public let name: String
  private let detail: String

  init(_ code: Code, _ name: String, _ detail: String) {
    self.code = code
    self.name = name
    self.detail = detail
  }

  /// One sentence.
  public var description: String {
    switch code {
    case .missing: "checkpoint: \(name) is missing (\(detail))."
    case .unused: "checkpoint: \(name) (shape \(detail)) is not read by this model; is it of another architecture?"
    case .shapeMismatch: "checkpoint: \(name) has another shape than the model (\(detail))."
    }
  }
}

/// Every parameter and buffer of a model, in creation order: the order of checkpoints, sums and optimizers.
public final class ParameterStore {
  /// Learnt tensors, in creation order.
  public private(set) var parameters: [Parameter] = []
  /// Running statistics and the like, in creation order.
  public private(set) var buffers: [Buffer] = []
  private var parameterIndex: [String: Int] = [:]
  private var bufferIndex: [String: Int] = [:]
  private var pending: [String: Tensor]?
  private let fresh: [String]
  private var isOutline = false
  private let random: RandomStream

  /// A store whose parameters come from `checkpoint`, but for those under the prefixes `fresh` (a new head, for
  /// instance), or are all fresh without one. A fresh value depends on the seed and its own name alone.
  public init(seed: UInt64, checkpoint: [String: Tensor]? = nil, fresh: [String] = []) {
    pending = checkpoint
    self.fresh = fresh
    random = RandomStream(seed: seed, "parameters")
  }

  /// A store for names and shapes alone: all values are one shared zero, so that the largest model costs no memory.
  public static func outline() -> ParameterStore {
    let store = ParameterStore(seed: 0)
    store.isOutline = true
    return store
  }

  /// Where a model begins.
  public var root: ParameterScope { ParameterScope(store: self, path: "") }

  /// The parameter of this name.
  public func parameter(named name: String) -> Parameter? { parameterIndex[name].map { parameters[$0] } }
  /// The buffer of this name.
  public func buffer(named name: String) -> Buffer? { bufferIndex[name].map { buffers[$0] } }

  /// Number of learnt values.
  public var parameterCount: Int { parameters.reduce(0) { $0 + $1.value.count } }

  /// Parameters, then buffers, by name: what a checkpoint holds.
  public var state: [String: Tensor] {
    Dictionary(uniqueKeysWithValues: parameters.map { ($0.name, $0.value) } + buffers.map { ($0.name, $0.value) })
  }

  /// Replaces every value by that of a checkpoint of the same model.
  ///
  /// - Throws: `CheckpointError` naming the first key that is missing, misshapen or unknown; nothing is changed then.
  public func load(_ state: [String: Tensor]) throws {
    var state = state
    let tensors = try (parameters.map { ($0.name, $0.value.shape) } + buffers.map { ($0.name, $0.value.shape) }).map {
      try ParameterStore.take($0.0, $0.1, from: &state)
    }
    if let extra = state.keys.min() { throw CheckpointError(.unused, extra, "\(state[extra]!.shape)") }
    for (parameter, tensor) in zip(parameters, tensors) { parameter.value = tensor }
    for (buffer, tensor) in zip(buffers, tensors.dropFirst(parameters.count)) { buffer.value = tensor }
  }

  /// Call when the model is made: every key of the checkpoint must have been read.
  ///
  /// - Throws: `CheckpointError` naming an unused key.
  public func finish() throws {
    if let pending, let extra = pending.keys.min() {
      throw CheckpointError(.unused, extra, "\(pending[extra]!.shape)")
    }
    pending = nil
  }

  private static func take(_ name: String, _ shape: [Int], from state: inout [String: Tensor]) throws -> Tensor {
    guard let found = state.removeValue(forKey: name) else {
      throw CheckpointError(.missing, name, "expected shape \(shape)")
    }
    guard found.shape == shape else {
      throw CheckpointError(.shapeMismatch, name, "expected \(shape), found \(found.shape)")
    }
    return found.converted(to: .float32).contiguous()
  }

  private func value(_ name: String, _ shape: [Int], _ initial: Initial) throws -> Tensor {
    precondition(parameterIndex[name] == nil && bufferIndex[name] == nil, "\(name) is made twice")
    if isOutline { return Tensor(0).broadcast(to: shape) }
    if pending != nil && !fresh.contains(where: name.hasPrefix) {
      return try ParameterStore.take(name, shape, from: &pending!)
    }
    pending?[name] = nil
    var stream = random.keyed(name)
    return initial.make(shape, &stream)
  }

  fileprivate func makeParameter(_ name: String, _ shape: [Int], _ initial: Initial) throws -> Parameter {
    let parameter = Parameter(name, try value(name, shape, initial))
    parameterIndex[name] = parameters.count
    parameters.append(parameter)
    return parameter
  }

  fileprivate func makeBuffer(_ name: String, _ shape: [Int], _ initial: Initial) throws -> Buffer {
    let buffer = Buffer(name, try value(name, shape, initial))
    bufferIndex[name] = buffers.count
    buffers.append(buffer)
    return buffer
  }
}

/// A position in the parameter tree, e.g. `blocks.3.attn`. Paths are the checkpoint's own names.
public struct ParameterScope {
  private let store: ParameterStore
  /// The path so far; empty at the root.
  public let path: String

  init(store: ParameterStore, path: String) {
    self.store = store
    self.path = path
  }

  /// The scope below: `scope["blocks", 3, "attn"]`.
  public subscript(_ parts: any CustomStringConvertible...) -> ParameterScope {
    let path = ([path] + parts.map(\.description)).filter { !$0.isEmpty }.joined(separator: ".")
    return ParameterScope(store: store, path: path)
  }

  /// Makes (or loads) a learnt tensor.
  ///
  /// - Throws: `CheckpointError` if the checkpoint lacks it or has another shape.
  public func parameter(_ name: String, _ shape: [Int], _ initial: Initial) throws -> Parameter {
    try store.makeParameter(self[name].path, shape, initial)
  }

  /// Makes (or loads) a tensor that gradients do not change.
  ///
  /// - Throws: `CheckpointError` if the checkpoint lacks it or has another shape.
  public func buffer(_ name: String, _ shape: [Int], _ initial: Initial) throws -> Buffer {
    try store.makeBuffer(self[name].path, shape, initial)
  }
}
