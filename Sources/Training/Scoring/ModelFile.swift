public import Foundation
public import Models
import SafeTensors
public import Tensor

/// A model on disk: a safetensors file whose `unmask` note is the `ModelDescription`.
///
///     let (description, _) = try ModelFile.read(url)
///     print(description.architecture, description.decision.threshold)
public enum ModelFile {
  private static let note = "unmask"

  /// Writes a model, complete or not at all; equal models give equal bytes.
  ///
  /// - Throws: `FileProblem` when the file cannot be written.
  public static func write(_ description: ModelDescription, _ tensors: [String: Tensor], to file: URL) throws {
    try writeSafeTensors(tensors, metadata: [note: canonicalJSON(description)], to: file)
  }

  /// Reads a model's description and weights; the weights stay on disk until they are used.
  ///
  /// - Throws: `SafeTensorsError` or `TrainingError` naming the file.
  public static func read(_ file: URL) throws -> (description: ModelDescription, tensors: [String: Tensor]) {
    let contents = try SafeTensorsFile(file)
    return (try description(contents, file), try contents.tensors())
  }

  /// Reads a model's description alone.
  ///
  /// - Throws: as `read`.
  public static func description(of file: URL) throws -> ModelDescription {
    try description(SafeTensorsFile(file), file)
  }

  /// The architecture of a model, at the size that its description says, and the input that it was trained on.
  ///
  /// - Throws: as `read`.
  public static func architecture(of file: URL) throws -> (Architecture, Preprocessing) {
    let description = try description(of: file)
    return (try architecture(description, file), description.input)
  }

  static func architecture(_ description: ModelDescription, _ file: URL) throws -> Architecture {
    let entry = try ModelRegistry.find(description.architecture)
    guard let text = description.config else { return entry }
    return try entry.configured(by: ModelConfiguration(json: Data(text.utf8), source: file.path))
  }

  private static func description(_ contents: SafeTensorsFile, _ file: URL) throws -> ModelDescription {
    guard let text = contents.metadata[note] else {
      throw TrainingError(
        "\(file.path): these weights carry no description of their model; use a file that `unmask train` wrote")
    }
    do {
      struct Version: Decodable { let revision: Int }
      let found = try JSONDecoder().decode(Version.self, from: Data(text.utf8)).revision
      guard found == ModelDescription.currentRevision else {
        throw TrainingError(
          "\(file.path): it was written by \(found > ModelDescription.currentRevision ? "a newer" : "an older") version of "
            + "Unmask; use that version to read it, or train the model again")
      }
      let description = try JSONDecoder().decode(ModelDescription.self, from: Data(text.utf8))
      try description.input.validate()
      return description
    } catch let error as TrainingError {
      throw error
    } catch let error as DecodingError {
      throw TrainingError("\(file.path): the description of the model is damaged (\(error)); train the model again")
    }
  }
}
