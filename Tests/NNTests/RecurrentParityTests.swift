import Autograd
import Foundation
import NN
import SafeTensors
import Tensor
import TestSupport
import Testing

/// A whole two-layer bidirectional LSTM against the reference, with initial states and with sequences of several lengths.
@Suite struct `recurrent layers` {
  private static let folder = Fixtures.at("models/lstm/model.safetensors").deletingLastPathComponent()
  private static let files: [String] =
    ((try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []).sorted()
    .filter { $0.hasPrefix("case") && $0.hasSuffix(".safetensors") }

  @Test func `there are cases`() { #expect(!Self.files.isEmpty) }

  @Test(arguments: files) func `agree with the reference`(_ name: String) throws {
    let folder = Self.folder
    let config = try JSON.read(folder.appending(path: "config.json"))
    let weights = try SafeTensorsFile(folder.appending(path: "model.safetensors")).tensors()
    let file = try SafeTensorsFile(folder.appending(path: name))
    let store = ParameterStore(seed: 0, checkpoint: weights)
    let layer = try LSTM(
      store.root, in: config["input_size"]!.int!, hidden: config["hidden_size"]!.int!,
      layers: config["num_layers"]!.int!, bidirectional: config["bidirectional"]!.bool!)
    try store.finish()

    let pass = Pass(training: false, recording: true)
    func input(_ key: String) throws -> Variable? {
      file.shape(of: "input.\(key)") == nil ? nil : pass.leaf(try file.tensor("input.\(key)"))
    }
    let (x, h0, c0) = (try input("sequence")!, try input("h0"), try input("c0"))
    let lengths = file.shape(of: "input.lengths") == nil ? nil : try file.tensor("input.lengths").integers()
    let (y, h, c) = layer(x, h0: h0, c0: c0, lengths: lengths, pass)

    var seeds: [(variable: Variable, gradient: Tensor)] = []
    for (key, output) in [("output", y), ("h_n", h), ("c_n", c)] {
      expectClose(output.value, try file.tensor("expected.\(key)"), tolerance: 2e-5, "\(name) \(key)")
      let cotangent = try file.tensor("cotangent.\(key)")
      seeds.append((output, cotangent.affine(1 / Float(cotangent.count), 0)))
    }
    var gradients: [String: Tensor] = [:]
    let inputs = [("sequence", x), ("h0", h0), ("c0", c0)]
    pass.tape!.backward(from: seeds) { index, gradient in
      if let parameter = pass.owner(of: index) { gradients["grad.\(parameter.name)"] = gradient }
      for (key, variable) in inputs where variable?.index == index { gradients["grad_input.\(key)"] = gradient }
    }
    let expected = file.names.filter { $0.hasPrefix("grad") }
    #expect(!expected.isEmpty)
    for key in expected {
      expectClose(try #require(gradients[key]), try file.tensor(key), tolerance: 2e-4, "\(name) \(key)")
    }
  }
}
