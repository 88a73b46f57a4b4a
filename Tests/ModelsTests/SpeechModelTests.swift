import Autograd
import Foundation
import NN
import SafeTensors
import Tensor
import TestSupport
import Testing

@testable import Models

/// Reference cases of wav2vec 2.0 and HuBERT: every output and every gradient.
@Suite struct `speech models` {
  static let folders = [
    "models/wav2vec2_base", "models/wav2vec2_large", "models/hubert_base", "layouts/wav2vec2_pretraining_weight_g",
    "layouts/hubert_weight_g",
  ].filter { FileManager.default.fileExists(atPath: Fixtures.at($0).path) }

  static func open(_ folder: String) throws -> (ParameterStore, any Backbone) {
    let url = Fixtures.at(folder)
    let entry = try (folder.contains("hubert") ? HuBERT.base : Wav2Vec2.base).configured(by: url)
    let checkpoint = try entry.checkpoint(in: url)
    let store = ParameterStore(seed: 1, checkpoint: checkpoint)
    let backbone = try entry.family!.make(store.root, entry.configuration!)
    try store.finish()
    return (store, backbone)
  }

  @Test(arguments: folders)
  func `give the outputs and gradients of the reference`(folder: String) throws {
    let meta = try JSON.read(Fixtures.at(folder).appending(path: "meta.json"))
    let cases = meta["cases"]?.list ?? [.object(["file": .string("case.safetensors")])]
    for item in cases {
      let file = try SafeTensorsFile(Fixtures.at(folder).appending(path: item["file"]!.string!))
      let (store, backbone) = try Self.open(folder)
      let pass = Pass(training: false, recording: true)
      var inputs: [String: Variable] = [:]
      for name in file.names where name.hasPrefix("input.") {
        let value = try file.tensor(name)
        inputs[String(name.dropFirst(6))] = value.dtype == .float32 ? pass.leaf(value) : Variable(value)
      }
      let outputs = try backbone.outputs(inputs, pass)
      let expected = file.names.filter { $0.hasPrefix("expected.") && $0 != "expected.loss" }
      var loss: Variable?
      for name in expected {
        let output = try #require(outputs[String(name.dropFirst(9))])
        let error = relativeError(output.value, try file.tensor(name))
        #expect(error < 2e-5, "\(folder) \(name): \(error)")
        let key = "cotangent." + name.dropFirst(9)
        guard file.shape(of: key) != nil else { continue }
        let term = mean(output * Variable(try file.tensor(key)))
        loss = loss.map { $0 + term } ?? term
      }
      guard let loss else { continue }
      let zero = Set((item["gradients_zero_in_exact_arithmetic"]?.list ?? []).compactMap(\.string))
      let largest = item["largest_gradient_norm"]!.double!
      var gradients: [String: Tensor] = [:]
      pass.tape!.backward(from: loss) { index, gradient in
        if let owner = pass.owner(of: index) {
          gradients["grad." + owner.name] = gradient
        } else {
          gradients["grad_input.input_values"] = gradient
        }
      }
      for name in file.names where name.hasPrefix("grad") {
        let stored = try file.tensor(name)
        let gradient = gradients[name] ?? Tensor(zeros: stored.shape)
        if zero.contains(name) {
          #expect(gradient.sumOfSquares().squareRoot() < 1e-5 * largest, "\(folder) \(name)")
        } else if stored.sumOfSquares() == 0 {
          #expect(gradient.sumOfSquares() == 0, "\(folder) \(name)")
        } else {
          let error = relativeError(gradient, stored)
          #expect(error < 2e-4, "\(folder) \(name): \(error)")
        }
      }
      #expect(Set(gradients.keys).subtracting(file.names).isEmpty)
      #expect(
        store.parameters.allSatisfy { parameter in
          backbone.stages.count { $0.contains(where: parameter.name.hasPrefix) } == 1
        })
    }
  }

  @Test func `overlook padding when the mask says so`() throws {
    let (_, backbone) = try Self.open("models/wav2vec2_large")
    var random = RandomStream(seed: 5)
    let sound = Tensor(normal: 1, shape: [1, 3200], random: &random)
    let padding = Tensor(zeros: [1, 3200])
    let padded = Tensor.concatenated([sound, padding], axis: 1)
    let mask = Tensor.concatenated([Tensor(full: 1, shape: [1, 3200]), padding], axis: 1)
    let both = Tensor.concatenated([padded.reshaped([1, 1, 6400]), mask.reshaped([1, 1, 6400])], axis: 1)
    let whole = backbone.features(Variable(both), Pass(training: false)).value
    let alone = backbone.features(Variable(sound), Pass(training: false)).value
    // The convolutions see the same sound; only sums over keys differ in order.
    #expect(relativeError(whole, alone) < 1e-5)
  }

  @Test func `hide runs of frames in training, the same for the same stream`() throws {
    let json = try ModelConfiguration(
      json: Data(#"{"mask_time_prob": 0.5, "mask_time_length": 3, "mask_feature_prob": 0.2}"#.utf8), source: "test")
    let masking = try SpeechMasking(json)
    let pass = Pass(training: true, random: RandomStream(seed: 2))
    let mask = try #require(masking.times(2, 40, lengths: [40, 12], pass)).floats()
    #expect(mask[..<40].contains(1) && mask[40..<52].contains(1) && !mask[52...].contains(1))
    let again = masking.times(2, 40, lengths: [40, 12], Pass(training: true, random: RandomStream(seed: 2)))
    #expect(again?.floats() == mask)
    #expect(masking.times(2, 40, lengths: nil, Pass(training: false)) == nil)
    #expect(try #require(masking.channels(2, 50, pass)).shape == [2, 1, 50])
  }

  @Test(arguments: [
    #"{"hidden_size": 50}"#, #"{"add_adapter": true}"#, #"{"hidden_act": "mish"}"#, #"{"conv_dim": [8]}"#,
  ])
  func `refuse configurations they cannot follow`(text: String) throws {
    let json = try ModelConfiguration(json: Data(text.utf8), source: "config.json")
    #expect(throws: ModelError.self) { try SpeechConfiguration(json) }
  }
}

private func relativeError(_ a: Tensor, _ b: Tensor) -> Double {
  guard a.shape == b.shape else { return .infinity }
  let (x, y) = (a.floats(), b.floats())
  let difference = zip(x, y).reduce(0) { $0 + pow(Double($1.0) - Double($1.1), 2) }
  return (difference / y.reduce(0) { $0 + Double($1) * Double($1) }).squareRoot()
}
