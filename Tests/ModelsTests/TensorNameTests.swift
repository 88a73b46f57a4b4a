import Foundation
import NN
import Tensor
import TestSupport
import Testing

@testable import Models

@Suite struct `full-size models` {
  /// Our name and shape of every parameter and buffer, without memory for any.
  private func outline(_ family: BackboneFamily, _ configuration: ModelConfiguration) throws -> [String: [Int]] {
    let store = ParameterStore.outline()
    _ = try family.make(store.root, configuration)
    return Dictionary(
      uniqueKeysWithValues: store.parameters.map { ($0.name, $0.value.shape) }
        + store.buffers.map { ($0.name, $0.value.shape) })
  }

  private static let lists = [
    "clip-vit-base-patch32": "clip-vit-base-patch32", "dinov2-small": "dinov2-small",
    "convnext-tiny": "convnext-tiny-224",
    "efficientnet-b0": "efficientnet-b0", "wav2vec2-base": "wav2vec2-base", "hubert-base": "hubert-base-ls960",
    "r3d-18": "r3d_18",
  ]
  private static let entries = ModelRegistry.all.filter { lists[$0.name] != nil }.map(\.name)

  @Test(arguments: entries)
  func `have the reference's names and shapes`(name: String) throws {
    let entry = try ModelRegistry.find(name)
    var wanted = try TensorNames.read(Fixtures.at("full/names/\(Self.lists[name]!).txt"))
    // The classifier of torchvision's checkpoint is no part of a detector.
    if name == "r3d-18" { wanted = wanted.filter { !$0.key.hasPrefix("fc.") } }
    #expect(try outline(entry.family!, entry.configuration!) == wanted)
  }

  @Test(arguments: entries.filter { $0 != "r3d-18" })
  func `find each of their names once in a published checkpoint`(name: String) throws {
    let entry = try ModelRegistry.find(name)
    let published = try TensorNames.read(Fixtures.at("full/names/\(Self.lists[name]!).published.txt"))
    let ours = try outline(entry.family!, entry.configuration!)
    var found: [String: [Int]] = [:]
    for (key, shape) in published {
      guard let renamed = entry.family!.rename(key) else { continue }
      #expect(found.updateValue(shape, forKey: renamed) == nil, "\(key) is a second \(renamed)")
    }
    #expect(found == ours)
  }

  @Test(arguments: ModelRegistry.all.filter { $0.family != nil }.map(\.name))
  func `name every parameter in one stage, the head aside`(name: String) throws {
    let entry = try ModelRegistry.find(name)
    let store = ParameterStore.outline()
    let detector = try #require(try entry.build(store.root, entry.preprocessing) as? Detector)
    let stages = detector.backbone.stages
    #expect(stages.count > 2)
    for parameter in store.parameters where !parameter.name.hasPrefix("head.") {
      let owners = stages.filter { isStage($0, of: parameter.name) }
      #expect(owners.count == 1, "\(parameter.name) is in \(owners.count) stages")
    }
    #expect(
      stages.allSatisfy { stage in
        store.parameters.contains { isStage(stage, of: $0.name) }
      })
  }

  /// Parameters as the papers or published files count them.
  @Test(arguments: [
    ("efficientnet-b0", 4_007_548), ("efficientnet-b1", 6_513_184), ("efficientnet-b2", 7_700_994),
    ("efficientnet-b3", 10_696_232), ("efficientnet-b4", 17_548_616), ("efficientnet-b5", 28_340_784),
    ("efficientnet-b6", 40_735_704), ("efficientnet-b7", 63_786_960), ("r3d-18", 33_166_272),
    ("clip-vit-base-patch32", 87_849_216), ("dinov2-small", 22_056_576), ("convnext-tiny", 27_820_128),
  ])
  func `have as many parameters as published`(name: String, count: Int) throws {
    let entry = try ModelRegistry.find(name)
    let store = ParameterStore.outline()
    _ = try entry.family!.make(store.root, entry.configuration!)
    #expect(store.parameterCount == count)
  }
}
