public import Autograd
public import Foundation
import SafeTensors
import Tensor
public import Testing

/// Where fixtures are: the tree that `UNMASK_CASES` names, or `Tests/Fixtures`.
public enum Fixtures {
  /// `Tests/Fixtures` itself, whatever `UNMASK_CASES` says.
  public static let own = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .appending(path: "Fixtures")
  /// The tree of reference cases.
  public static let cases: URL =
    ProcessInfo.processInfo.environment["UNMASK_CASES"].map { URL(filePath: $0) } ?? own

  /// A file or folder of the tree of cases, or our own where that tree has none of this name.
  public static func at(_ path: String) -> URL {
    let url = cases.appending(path: path)
    return FileManager.default.fileExists(atPath: url.path) ? url : own.appending(path: path)
  }
}

/// One operation with inputs, expected outputs and gradients, made by a reference implementation.
public struct ReferenceCase: Sendable, CustomTestStringConvertible {
  /// Its name, and the prefix of its tensors.
  public let name: String
  /// Which operation.
  public let op: String
  /// The operation's settings, named as in PyTorch's functional interface.
  public let attributes: JSON
  private let description: JSON
  private let file: SafeTensorsFile

  /// How tests print it.
  public var testDescription: String { name }

  /// Every case of `numeric/cases.json`.
  public static let all: [ReferenceCase] = {
    do {
      let folder = Fixtures.at("numeric/cases.json").deletingLastPathComponent()
      let list = try JSON.read(folder.appending(path: "cases.json"))["cases"]?.list ?? []
      var files: [String: SafeTensorsFile] = [:]
      return try list.map { item in
        guard let name = item["name"]?.string, let op = item["op"]?.string, let file = item["file"]?.string else {
          fatalError("a case without name, op or file in \(folder.path)")
        }
        let opened = try files[file] ?? SafeTensorsFile(folder.appending(path: file))
        files[file] = opened
        return ReferenceCase(
          name: name, op: op, attributes: item["attrs"] ?? .object([:]), description: item, file: opened)
      }
    } catch {
      fatalError("reference cases: \(error)")
    }
  }()

  /// The cases of some operations.
  public static func of(_ operations: Set<String>) -> [ReferenceCase] { all.filter { operations.contains($0.op) } }

  private func tensor(_ kind: String, _ key: String) throws -> Tensor { try file.tensor("\(name)/\(kind).\(key)") }

  /// Runs `body` on the inputs and compares every output, the objective and every gradient within the case's tolerance.
  ///
  /// `body` gets the inputs by name, those that have gradients as leaves, and returns the outputs by name, `updated.*`
  /// included.
  public func check(
    sourceLocation: SourceLocation = #_sourceLocation, _ body: ([String: Variable]) throws -> [String: Variable]
  ) throws {
    let tolerance = description["tolerance"]?.double ?? 1e-5
    let withGradient = Set((description["gradients"]?.list ?? []).compactMap(\.string))
    let tape = Tape()
    var inputs: [String: Variable] = [:]
    for key in description["inputs"]?.keys ?? [] {
      let value = try tensor("input", key)
      inputs[key] = withGradient.contains(key) ? tape.leaf(value) : Variable(value)
    }
    let outputs = try body(inputs)

    var seeds: [(variable: Variable, gradient: Tensor)] = []
    var objective = 0.0
    for key in description["outputs"]?.keys ?? [] {
      guard let output = outputs[key] else {
        Issue.record("\(name): no output \(key)", sourceLocation: sourceLocation)
        continue
      }
      if key.hasPrefix("updated.") {
        let expected = try file.tensor("\(name)/\(key)")
        expectClose(output.value, expected, tolerance: tolerance, "\(name) \(key)", sourceLocation: sourceLocation)
        continue
      }
      let expected = try tensor("expected", key)
      expectClose(output.value, expected, tolerance: tolerance, "\(name) \(key)", sourceLocation: sourceLocation)
      guard output.shape == expected.shape else { continue }
      if expected.isFinite {
        #expect(output.value.isFinite, "\(name) \(key) is not finite", sourceLocation: sourceLocation)
      }
      let cotangent: Tensor
      if file.shape(of: "\(name)/cotangent.\(key)") != nil {
        let stored = try tensor("cotangent", key)
        objective +=
          zip(output.value.floats(), stored.floats()).reduce(0) { $0 + Double($1.0) * Double($1.1) }
          / Double(stored.count)
        cotangent = stored.affine(1 / Float(stored.count), 0)
      } else {
        objective += Double(output.value.scalar)
        cotangent = Tensor(full: 1, shape: output.shape)
      }
      if output.needsGradient { seeds.append((output, cotangent)) }
    }
    if file.shape(of: "\(name)/objective") != nil {
      let expected = Double(try file.tensor("\(name)/objective").scalar)
      let scale = max(Swift.abs(expected), 1)
      #expect(
        Swift.abs(objective - expected) <= 10 * tolerance * scale, "\(name): objective \(objective), not \(expected)",
        sourceLocation: sourceLocation)
    }
    var gradients: [Int: Tensor] = [:]
    if !seeds.isEmpty { tape.backward(from: seeds) { gradients[$0] = $1 } }
    for key in withGradient.sorted() {
      let expected = try tensor("grad", key)
      let gradient = gradients[inputs[key]!.index!] ?? Tensor(zeros: expected.shape)
      expectClose(
        gradient, expected, tolerance: tolerance, "\(name) gradient of \(key)", sourceLocation: sourceLocation)
      if expected.isFinite {
        #expect(gradient.isFinite, "\(name) gradient of \(key) is not finite", sourceLocation: sourceLocation)
      }
    }
  }
}
