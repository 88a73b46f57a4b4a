public import Foundation
import Datasets
import Files
import Training
import Yams

/// Reads an experiment file: merges it over `cluster/defaults.yaml`, refuses unknown keys, decodes once, validates once.
public enum ExperimentFile {
  /// The experiment that a YAML file describes, with `--set KEY=VALUE` overrides applied last.
  ///
  /// Data paths are taken relative to the working directory, as on any command line.
  /// - Throws: `ExperimentError` or `FileProblem`, naming file, line and key.
  public static func load(_ url: URL, overrides: [String] = []) throws -> Experiment {
    let text = String(decoding: try readFile(url, limit: 1 << 20), as: UTF8.self)
    return try parse(text, name: url.lastPathComponent, overrides: overrides)
  }

  /// As `load`, from text.
  public static func parse(_ text: String, name: String, overrides: [String] = []) throws -> Experiment {
    let merge = SettingsMerge(file: name)
    let defaults = try Yams.compose(yaml: defaultsText)!
    let given: Node
    do {
      given = try Yams.compose(yaml: text) ?? Node([(Node, Node)]())
    } catch let error as YamlError {
      throw ExperimentError(place: name, reason: "not valid YAML: \(error)".replacing("\n", with: " "))
    }
    guard case .mapping = given else {
      throw ExperimentError(place: name, reason: "the file must be a mapping of keys")
    }
    var node = try merge.merge(withoutPatterns(defaults, given), given)
    for text in overrides {
      let override = try SettingsMerge(file: "--set \(text)").override(text)
      node = try SettingsMerge(file: "--set").merge(node, override)
    }
    node = try modelsWithWholeSections(node, merge)
    try merge.requireFilled(node)
    let json = try merge.json(node)
    let data = try JSONSerialization.data(withJSONObject: json, options: [.sortedKeys])
    let experiment: Experiment
    do {
      experiment = try JSONDecoder().decode(Experiment.self, from: data)
    } catch let error as DecodingError {
      throw ExperimentError(place: name, reason: sentence(error))
    }
    try experiment.validate(place: name)
    return experiment
  }

  private static let defaultsText = String(decoding: PackageResources.defaults_yaml, as: UTF8.self)

  /// The defaults, with the lists that the experiment does not mention emptied of their pattern entries.
  private static func withoutPatterns(_ defaults: Node, _ given: Node) -> Node {
    guard case .mapping(var mapping) = defaults, case .mapping(let own) = given else { return defaults }
    for (key, value) in mapping {
      if case .sequence(let sequence) = value, case .mapping? = sequence.first, own[key] == nil {
        mapping[key] = Node([Node]())
      }
    }
    return .mapping(mapping)
  }

  /// Lays each model's own `train`, `balance` and `prepare` over the experiment's.
  private static func modelsWithWholeSections(_ node: Node, _ merge: SettingsMerge) throws -> Node {
    guard case .mapping(var mapping) = node, case .sequence(let models)? = mapping["models"] else { return node }
    mapping["models"] = Node(
      try models.map { model in
        guard case .mapping(var entry) = model else { return model }
        for name in SettingsMerge.modelSections {
          guard let whole = mapping[name] else { continue }
          entry[name] = try merge.merge(whole, entry[name] ?? Node([(Node, Node)]()), path: ["models", name])
        }
        return .mapping(entry)
      })
    return .mapping(mapping)
  }

  /// The words of every key that has a choice, by the name of their type.
  private static let words: [String: [String]] = [
    "Strategy": BalanceSettings.Strategy.allCases.map(\.rawValue),
    "Loss": BalanceSettings.Loss.allCases.map(\.rawValue),
    "Sampler": BalanceSettings.Sampler.allCases.map(\.rawValue),
    "Precision": TrainSettings.Precision.allCases.map(\.rawValue),
    "Optimizer": TrainSettings.Optimizer.allCases.map(\.rawValue),
    "Schedule": TrainSettings.Schedule.allCases.map(\.rawValue),
    "BatchNormMode": TrainSettings.BatchNormMode.allCases.map(\.rawValue),
    "FaceMode": PrepareSettings.FaceMode.allCases.map(\.rawValue),
    "Missing": PrepareSettings.Missing.allCases.map(\.rawValue),
  ]

  private static func sentence(_ error: DecodingError) -> String {
    func path(_ context: DecodingError.Context) -> String {
      context.codingPath.map { $0.intValue.map { "\($0 + 1)" } ?? $0.stringValue }.joined(separator: ".")
    }
    switch error {
    case .typeMismatch(let type, let context):
      let wanted =
        switch "\(type)" {
        case "Int": "a whole number"
        case "Double", "Float": "a number"
        case "Bool": "true or false"
        case "String": "text"
        default: "a value of another kind"
        }
      return "\"\(path(context))\" must be \(wanted)"
    case .keyNotFound(let key, let context):
      return "\"\((context.codingPath.map(\.stringValue) + [key.stringValue]).joined(separator: "."))\" is missing"
    case .valueNotFound(_, let context): return "\"\(path(context))\" is missing"
    case .dataCorrupted(let context):
      // What the standard library says of a word that is none of an enumeration's.
      if let found = context.debugDescription.wholeMatch(of: /Cannot initialize (\w+) from invalid String value (.*)/),
        let valid = words["\(found.1)"]
      {
        return "\"\(path(context))\": \"\(found.2)\" is unknown; \(suggestion("\(found.2)", among: valid))"
      }
      return "\"\(path(context))\": \(context.debugDescription)"
    @unknown default: return "\(error)"
    }
  }
}

extension Experiment {
  /// The experiment with every default filled in, as a file that can be run again.
  public func yaml() throws -> String {
    let encoder = YAMLEncoder()
    encoder.options.sortKeys = true
    let text = try encoder.encode(self).replacing(/(?m): (-?[0-9.]+e[+-][0-9]+)$/) { number in
      ": \(Double(number.1)!)"  // 1.5e+1 reads well to machines only
    }
    return "# The experiment with every default filled in.\n" + text
  }
}
