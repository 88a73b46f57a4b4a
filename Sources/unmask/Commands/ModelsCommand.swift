import ArgumentParser
import Foundation
import Models
import NN
import Tensor

/// What can be trained.
struct ModelsCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "models",
    abstract: "List and describe the architectures that an experiment can name.",
    discussion: """
      EXAMPLE
        unmask models list
        unmask models describe audio-cnn
      """,
    subcommands: [ModelsList.self, ModelsDescribe.self, ModelsCheck.self, ModelsImport.self])
}

/// One line an architecture.
struct ModelsList: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "list",
    abstract: "List all architectures.",
    discussion: """
      EXAMPLE
        unmask models list --json
      """)

  @Flag(help: "Print a JSON array.")
  var json = false

  func run() throws {
    let facts = try ModelRegistry.all.map(ModelFacts.init)
    if json { return print(try prettyJSON(facts)) }
    let width = facts.map(\.name.count).max()! + 2
    print("name".padded(to: width) + "modality  parameters  summary")
    for fact in facts {
      let parameters = String(repeating: " ", count: max(0, 10 - "\(fact.parameters)".count)) + "\(fact.parameters)"
      print("\(fact.name.padded(to: width))\(fact.modality.padded(to: 8))  \(parameters)  \(fact.summary)")
    }
  }
}

/// All that is known of one architecture.
struct ModelsDescribe: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "describe",
    abstract: "Describe one architecture: input, parameters, paper, licence.",
    discussion: """
      EXAMPLE
        unmask models describe convnext-atto
      """)

  @Argument(help: "The architecture's name.")
  var name: String

  @Flag(help: "Print a JSON object.")
  var json = false

  @Flag(help: "Also print every parameter with its shape.")
  var tensors = false

  func run() throws {
    let entry = try ModelRegistry.find(name)
    let facts = try ModelFacts(entry)
    if json { return print(try prettyJSON(facts)) }
    print("\(facts.name): \(facts.summary)")
    for (key, value) in [
      ("modality", facts.modality), ("input", facts.input), ("parameters", "\(facts.parameters)"),
      ("training", facts.training), ("paper", facts.paper), ("licence", facts.licence),
    ] { print("  \(key.padded(to: 12))\(value)") }
    guard tensors else { return }
    let store = ParameterStore.outline()
    _ = try entry.build(store.root, entry.preprocessing)
    for parameter in store.parameters { print("  \(parameter.name) \(parameter.value.shape)") }
    for buffer in store.buffers { print("  \(buffer.name) \(buffer.value.shape) (buffer)") }
  }
}

/// An architecture as the commands print it.
struct ModelFacts: Encodable {
  let name, modality, input, summary, paper, licence, training: String
  let parameters: Int

  init(_ entry: Architecture) throws {
    let store = ParameterStore.outline()
    _ = try entry.build(store.root, entry.preprocessing)
    (name, modality, summary) = (entry.name, entry.modality.rawValue, entry.summary)
    (input, paper, licence) = (entry.preprocessing.parts, entry.paper, entry.licence)
    parameters = store.parameterCount
    switch entry.fitting {
    case .logistic: training = "logistic regression in closed form"
    case .gradient:
      let recipe = entry.recipe
      training =
        "gradient steps, up to \(recipe.views) views of a sample an epoch"
        + (recipe.minimumShard > 1 ? ", at least \(recipe.minimumShard) in a shard" : "")
    }
  }
}

func prettyJSON(_ value: some Encodable) throws -> String {
  let encoder = JSONEncoder()
  encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
  return String(decoding: try encoder.encode(value), as: UTF8.self)
}

extension String {
  fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
