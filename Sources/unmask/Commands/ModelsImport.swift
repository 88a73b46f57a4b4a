import ArgumentParser
import Foundation
import Models

/// Brings weights from elsewhere into a folder that experiments can name.
struct ModelsImport: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "import",
    abstract: "Check weights from elsewhere, and copy them into a folder that experiments can name.",
    discussion: """
      Reads folders with config.json and model.safetensors (or shards, or pytorch_model.bin), and single files of
      torch.save without running anything in them. Every key, shape and value is checked; the copy holds config.json,
      model.safetensors and, where there is one, preprocessor_config.json.

      EXAMPLE
        unmask models import ~/downloads/wav2vec2-base --output weights/wav2vec2-base
        unmask models import r3d_18-b3b3357e.pth --architecture r3d-18
      """)

  @Argument(help: "A folder with config.json and weights, or a file of weights.", completion: .file())
  var path: String

  @Option(help: "The folder to write; weights/NAME by default.", completion: .directory)
  var output: String?

  @Option(help: "What the weights are, where no config.json says so; see `unmask models list`.")
  var architecture: String?

  @Flag(help: "Print a JSON object.")
  var json = false

  func run() throws {
    let source = URL(filePath: path)
    let found = try ModelImport(source, architecture: architecture)
    let name =
      source.hasDirectoryPath || source.pathExtension.isEmpty
      ? source.lastPathComponent : source.deletingPathExtension().lastPathComponent
    let folder = URL(filePath: output ?? "weights/\(name)")
    let facts = ImportFacts(found, output: folder.path, written: try found.write(to: folder))
    if json { return print(try prettyJSON(facts)) }
    print("read     \(facts.files.joined(separator: ", ")): \(facts.tensors) tensors")
    print("model    \(facts.family) (\(facts.architecture)), \(facts.parameters) parameters, all keys and shapes fit")
    if let first = facts.mapped.first {
      print("mapped   \(facts.mapped.count) names, such as \(first.key) to \(first.name)")
    }
    if !facts.ignored.isEmpty { print("ignored  \(facts.ignored.count): \(listed(facts.ignored))") }
    if !facts.fresh.isEmpty { print("fresh    \(facts.fresh.count), not in the file: \(listed(facts.fresh))") }
    print("input    \(facts.input)")
    print("wrote    \(facts.output): \(facts.written.joined(separator: ", "))")
  }

  private func listed(_ names: [String]) -> String {
    names.prefix(6).joined(separator: ", ") + (names.count > 6 ? " and \(names.count - 6) more" : "")
  }
}

/// An import as the command prints it.
private struct ImportFacts: Encodable {
  struct Mapping: Encodable { let key, name: String }

  let files, ignored, fresh, written: [String]
  let family, architecture, input, output: String
  let tensors, parameters: Int
  let mapped: [Mapping]

  init(_ found: ModelImport, output: String, written: [String]) {
    (files, ignored, fresh, self.written) = (found.files, found.ignored, found.fresh, written)
    (family, architecture) = (found.architecture.family?.name ?? "", found.architecture.name)
    (input, self.output) = (found.architecture.preprocessing.parts, output)
    (tensors, parameters) = (found.tensorCount, found.parameterCount)
    mapped = found.renamed.map { Mapping(key: $0.key, name: $0.name) }
  }
}
