import Autograd
import Foundation
import NN
import SafeTensors
import Tensor
import Testing

@testable import Models

@Suite struct `model registry` {
  @Test(arguments: TinyModel.all)
  func `gives one logit a part and a gradient to every parameter`(model: TinyModel) throws {
    let entry = model.architecture
    let store = ParameterStore(seed: 1)
    let network = try entry.build(store.root, entry.preprocessing)
    let pass = Pass(training: true)
    let logits = network.logits(Variable(model.batch()), pass)
    #expect(logits.shape == [4])
    var seen: Set<String> = []
    pass.backward(from: logits, gradient: Tensor([1, -2, 3, 0.5], shape: [4])) { parameter, gradient in
      #expect(gradient.shape == parameter.value.shape, "\(parameter.name)")
      #expect(gradient.floats().contains { $0 != 0 && $0.isFinite }, "\(parameter.name)")
      seen.insert(parameter.name)
    }
    // A detector masks nothing.
    let unused: Set = ["embeddings.mask_token", "masked_spec_embed"]
    #expect(seen == Set(store.parameters.filter(\.trainable).map(\.name)).subtracting(unused))
  }

  @Test(arguments: TinyModel.all)
  func `has the slope that a small step of all parameters shows`(model: TinyModel) throws {
    let entry = model.architecture
    let store = ParameterStore(seed: 1)
    let network = try entry.build(store.root, entry.preprocessing)
    let input = Variable(model.batch())
    let weights: [Double] = [1, -2, 3, 0.5]
    func loss() -> Double {
      let logits = network.logits(input, Pass(training: true)).value.floats()
      return zip(weights, logits).reduce(0) { $0 + $1.0 * Double($1.1) }
    }
    // Along the gradient itself the slope is its length, so no rounding of a near-zero sum hides a mistake.
    var gradients: [String: Tensor] = [:]
    let pass = Pass(training: true)
    let logits = network.logits(input, pass)
    pass.backward(from: logits, gradient: Tensor(weights.map(Float.init), shape: [4])) { gradients[$0.name] = $1 }
    let moving = store.parameters.filter { gradients[$0.name] != nil }
    for group in Dictionary(grouping: moving, by: { $0.value.rank }).values {
      let length = group.reduce(0) { sum, parameter in
        gradients[parameter.name]!.floats().reduce(sum) { $0 + Double($1) * Double($1) }
      }.squareRoot()
      let before = group.map(\.value)
      func moved(_ step: Double) -> Double {
        for (parameter, value) in zip(group, before) {
          parameter.value = value.combined(.add, gradients[parameter.name]!.affine(Float(step / length), 0))
        }
        defer { for (parameter, value) in zip(group, before) { parameter.value = value } }
        return loss()
      }
      let step = 2e-3
      let slope = (moved(step) - moved(-step)) / (2 * step)
      // 3%: the step is finite, and ReLU and max-pooling have kinks within it.
      #expect(abs(slope - length) < 0.03 * length, "\(group.count) parameters of rank \(group[0].value.rank)")
    }
  }

  @Test(arguments: TinyModel.all)
  func `scores with the same bits after saving and loading`(model: TinyModel) throws {
    let entry = model.architecture
    let store = ParameterStore(seed: 1)
    let network = try entry.build(store.root, entry.preprocessing)
    let file = FileManager.default.temporaryDirectory.appending(path: "\(UUID().uuidString).safetensors")
    defer { try? FileManager.default.removeItem(at: file) }
    try writeSafeTensors(store.state, to: file)
    let loaded = ParameterStore(seed: 2, checkpoint: try SafeTensorsFile(file).tensors())
    let copy = try entry.build(loaded.root, entry.preprocessing)
    try loaded.finish()
    let input = Variable(model.batch())
    let expected = network.logits(input, Pass(training: false)).value.floats()
    #expect(copy.logits(input, Pass(training: false)).value.floats() == expected)
    #expect(expected.allSatisfy { $0.isFinite })
  }

  @Test(arguments: TinyModel.all)
  func `scores a part alike alone and in company`(model: TinyModel) throws {
    let entry = model.architecture
    let network = try entry.build(ParameterStore(seed: 1).root, entry.preprocessing)
    let batch = model.batch()
    let all = network.logits(Variable(batch), Pass(training: false)).value.floats()
    let one = network.logits(Variable(batch.sliced(axis: 0, 2..<3)), Pass(training: false)).value.floats()
    // 1e-5: other blocking for another batch may round float32 sums differently.
    #expect(abs(one[0] - all[2]) < 1e-5 * max(1, abs(all[2])))
  }

  @Test func `has the reference's audio network`() throws {
    let store = ParameterStore(seed: 1)
    _ = try ModelRegistry.find("audio-cnn").build(store.root, .logMel(.init()))
    // PyTorch counts 389057 for four blocks 32-64-128-256 and a linear layer.
    #expect(store.parameterCount == 389_057)
  }

  @Test func `every family is tested at a small size`() {
    let tested = Set(TinyModel.backbones.map { $0.architecture.family!.name + $0.architecture.modality.rawValue })
    let all = ModelRegistry.all.compactMap { entry in entry.family.map { $0.name + entry.modality.rawValue } }
    // The video network may stand on any image family.
    #expect(Set(all).subtracting(tested).subtracting(["efficientnetvideo"]).isEmpty)
  }

  @Test func `names the nearest architecture`() {
    let error = #expect(throws: ModelError.self) { _ = try ModelRegistry.find("audio-cn") }
    #expect(error?.description.contains("did you mean \"audio-cnn\"?") == true)
  }

  @Test func `names are unique, and inputs valid`() throws {
    #expect(Set(ModelRegistry.all.map(\.name)).count == ModelRegistry.all.count)
    for entry in ModelRegistry.all { try entry.preprocessing.validate() }
  }

  @Test(arguments: ModelRegistry.all.map(\.name))
  func `input survives its description`(name: String) throws {
    let input = try ModelRegistry.find(name).preprocessing
    #expect(try JSONDecoder().decode(Preprocessing.self, from: JSONEncoder().encode(input)) == input)
  }
}
