import Autograd
import Foundation
import NN
import SafeTensors
import Tensor
import TestSupport
import Testing

@testable import Models

@Suite struct `learning` {
  /// What `Scripts/parity/model_trajectories.py` wrote, of models whose weights are at hand.
  private static let trajectories: [String] = {
    let file = try? JSON.read(Fixtures.own.appending(path: "models/trajectories.json"))
    return (file?["trajectories"]?.list ?? []).compactMap { $0["model"]?.string }
  }()

  @Test(arguments: trajectories)
  func `twenty steps of AdamW take the reference's way`(name: String) throws {
    let file = try JSON.read(Fixtures.own.appending(path: "models/trajectories.json"))
    let item = try #require(file["trajectories"]?.list.first { $0["model"]?.string == name })
    let rule = WeightRule(seed: try #require(file["seed"]?.int), gain: 1)
    let folder = Fixtures.at("models/\(name)")
    let configuration = try ModelConfiguration(contentsOf: folder.appending(path: "config.json"))
    let family = try ModelRegistry.family(of: configuration)

    var checkpoint: [String: Tensor] = [:]
    let outline = ParameterStore.outline()
    let width = try family.make(outline.root, configuration).featureCount
    for (key, tensor) in try SafeTensorsFile(folder.appending(path: "model.safetensors")).tensors() {
      let isOurs = outline.parameter(named: key) != nil || outline.buffer(named: key) != nil
      if let own = isOurs ? key : family.rename(key) { checkpoint[own] = tensor }
    }
    checkpoint["head.weight"] = rule.values("head.weight", [1, width], scale: (3 / Double(width)).squareRoot())
    checkpoint["head.bias"] = rule.values("head.bias", [1], scale: 0.1)
    let store = ParameterStore(seed: 0, checkpoint: checkpoint)
    let detector = try Detector(store.root, backbone: family.make(store.root, configuration))
    try store.finish()

    let shape = item["input"]!.ints
    let input = rule.values("input", shape, scale: 3.0.squareRoot())
    let target = Tensor((0..<shape[0]).map { Float($0 % 2) }, shape: [shape[0]])
    var training = TinyTraining(detector, store)
    for (step, expected) in item["losses"]!.doubles.enumerated() {
      let loss = training.step(
        input, target, rate: Float(item["rate"]!.double!), weightDecay: Float(file["weight_decay"]!.double!),
        training: item["training"]!.bool!
      ).loss
      // 1e-3: twenty steps of float32 in another order of summation; a wrong rule is off by more in the first few.
      #expect(abs(loss - expected) <= 1e-3 * expected, "step \(step): \(loss), not \(expected)")
    }
  }

  @Test(arguments: TinyModel.backbones)
  func `sixteen samples of noise are learnt by heart`(model: TinyModel) throws {
    let store = ParameterStore(seed: 1)
    let detector = try #require(
      try model.architecture.build(store.root, model.architecture.preprocessing) as? Detector)
    var random = RandomStream(seed: 5, "labels")
    let target = Tensor((0..<16).map { _ in random.chance(0.5) ? 1 : 0 }, shape: [16])
    let input = model.batch(16)
    var training = TinyTraining(detector, store)
    var (loss, steps) = (Double.infinity, 0)
    while loss > 0.05 && steps < 200 {
      loss = training.step(input, target, rate: 3e-3, weightDecay: 0, training: true).loss
      steps += 1
    }
    #expect(loss <= 0.05, "\(steps) steps end at \(loss)")
  }
}
