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
        unmask models check Tests/Fixtures/models
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
        unmask models list --memory
      """)

  @Flag(help: "Print a JSON array.")
  var json = false

  @Flag(help: "Measure the memory of a view too, by a forward pass of each.")
  var memory = false

  func run() throws {
    let facts = try ModelRegistry.all.map { try ModelFacts($0, measuringMemory: memory) }
    if json { return print(try prettyJSON(facts)) }
    let width = facts.map(\.name.count).max()! + 2
    print("name".padded(to: width) + "modality  parameters  " + (memory ? "  MB a view  " : "") + "summary")
    for fact in facts {
      let parameters = "\(fact.parameters)".aligned(to: 10)
      let bytes = fact.activationBytes.map { megabytes($0).aligned(to: 11) + "  " } ?? ""
      print("\(fact.name.padded(to: width))\(fact.modality.padded(to: 8))  \(parameters)  \(bytes)\(fact.summary)")
    }
  }
}

/// All that is known of one architecture.
struct ModelsDescribe: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "describe",
    abstract: "Describe one architecture: input, parameters, memory, paper, licence.",
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
    let facts = try ModelFacts(entry, measuringMemory: true)
    if json { return print(try prettyJSON(facts)) }
    print("\(facts.name): \(facts.summary)")
    for (key, value) in [
      ("modality", facts.modality), ("input", facts.input), ("parameters", "\(facts.parameters)"),
      ("memory", facts.memory), ("training", facts.training), ("paper", facts.paper), ("licence", facts.licence),
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
  /// Weights, gradients and AdamW's two moments.
  let stateBytes: Int
  /// What a view keeps from the forward pass until backward; nil if it is not measured.
  let activationBytes: Int?

  enum CodingKeys: String, CodingKey {
    case name, modality, input, summary, paper, licence, training, parameters
    case stateBytes = "state_bytes", activationBytes = "activation_bytes_per_view"
  }

  /// In training, in words.
  var memory: String {
    (activationBytes.map { "\(megabytes($0)) MB a view in training, " } ?? "")
      + "\(megabytes(stateBytes)) MB for weights, gradients and moments"
  }

  init(_ entry: Architecture, measuringMemory: Bool) throws {
    let store = ParameterStore.outline()
    _ = try entry.build(store.root, entry.preprocessing)
    (name, modality, summary) = (entry.name, entry.modality.rawValue, entry.summary)
    (input, paper, licence) = (entry.preprocessing.parts, entry.paper, entry.licence)
    parameters = store.parameterCount
    stateBytes = 16 * store.parameterCount
    activationBytes = measuringMemory ? try entry.activationBytesPerView() : nil
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

/// Millions of bytes, to a tenth where they are few.
private func megabytes(_ bytes: Int) -> String {
  bytes < 10_000_000 ? "\(bytes / 1_000_000).\(bytes / 100_000 % 10)" : "\(bytes / 1_000_000)"
}

extension String {
  fileprivate func aligned(to width: Int) -> String { String(repeating: " ", count: max(0, width - count)) + self }
  fileprivate func padded(to width: Int) -> String { self + String(repeating: " ", count: max(0, width - count)) }
}
