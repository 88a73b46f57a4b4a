import Files
import Foundation
import Yams

/// Merges an experiment's YAML over the defaults: every key must be one of the defaults' own, every `~` must be filled.
///
/// Works on nodes and not on decoded values, so that an error can name its line.
struct SettingsMerge {
  /// The experiment file's name in errors.
  let file: String

  /// Sections of an experiment that a model may have its own keys of.
  static let modelSections = ["train", "balance", "prepare"]

  /// `over` laid on `base`; keys unknown to `base` are errors.
  func merge(_ base: Node, _ over: Node, path: [String] = []) throws -> Node {
    switch (base, over) {
    case (.mapping(let pattern), .mapping(let given)):
      if pattern.isEmpty && path.last == "columns" { return over }
      // A model's own sections are checked once the whole is known.
      if pattern.isEmpty && Self.modelSections.contains(path.last ?? "") { return over }
      var merged = pattern
      for (key, value) in given {
        let name = key.string ?? ""
        guard let own = pattern[key] else {
          let valid: [String] = pattern.keys.compactMap { $0.string }
          throw error(
            key, "unknown key \"\((path + [name]).joined(separator: "."))\"; \(suggestion(name, among: valid))")
        }
        merged[key] = try merge(own, value, path: path + [name])
      }
      return .mapping(merged)
    case (.sequence(let pattern), .sequence(let given)):
      guard let entry = pattern.first, case .mapping = entry else { return over }
      return Node(try given.map { try merge(entry, $0, path: path) })
    case (.mapping(let pattern), .scalar) where path.last == "balance" && over.null == nil:
      // `balance: auto` is short for `balance: {strategy: auto}`.
      let whole = Node([(Node("strategy"), over)])
      return pattern.isEmpty ? whole : try merge(base, whole, path: path)
    case (.mapping, _), (.sequence, _):
      let wanted = if case .mapping = base { "a mapping of keys" } else { "a list" }
      throw error(over, "\"\(path.joined(separator: "."))\" must be \(wanted)")
    default:
      return over
    }
  }

  /// Names the first key that is still `~`.
  func requireFilled(_ node: Node, path: [String] = []) throws {
    switch node {
    case .mapping(let mapping):
      for (key, value) in mapping { try requireFilled(value, path: path + [key.string ?? ""]) }
    case .sequence(let sequence):
      for (index, value) in sequence.enumerated() { try requireFilled(value, path: path + ["\(index + 1)"]) }
    case .scalar where node.null != nil:
      throw ExperimentError(
        place: file, reason: "\"\(path.joined(separator: "."))\" is missing; the experiment must say it")
    default: break
    }
  }

  /// A `--set a.b=value` override as a node of the same shape.
  func override(_ text: String) throws -> Node {
    guard let equals = text.firstIndex(of: "="), equals != text.startIndex else {
      throw ExperimentError(place: "--set \(text)", reason: "write KEY=VALUE, e.g. train.epochs=3")
    }
    let keys = text[..<equals].split(separator: ".").map(String.init)
    let parsed = try Yams.compose(yaml: String(text[text.index(after: equals)...]))
    return keys.reversed().reduce(parsed ?? Node("")) { value, key in Node([(Node(key), value)]) }
  }

  /// The node as a JSON value: what decoding and hashing work on.
  func json(_ node: Node) throws -> Any {
    switch node {
    case .mapping(let mapping):
      var object: [String: Any] = [:]
      for (key, value) in mapping { object[key.string ?? ""] = try json(value) }
      return object
    case .sequence(let sequence): return try sequence.map(json)
    case .scalar(let scalar):
      if scalar.style == .singleQuoted || scalar.style == .doubleQuoted { return scalar.string }
      if let value = node.bool { return value }
      if let value = node.int { return value }
      if let value = node.float {
        guard value.isFinite else { throw error(node, "\(scalar.string) is not a finite number") }
        return value
      }
      return node.null != nil ? NSNull() : scalar.string
    case .alias: throw error(node, "aliases are not supported here")
    }
  }

  func error(_ node: Node, _ reason: String) -> ExperimentError {
    ExperimentError(place: node.mark.map { "\(file):\($0.line)" } ?? file, reason: reason)
  }
}
