import Autograd
import Foundation
import NN
import SafeTensors
import Tensor
import TestSupport
import Testing

@testable import Models

/// What reference cases of wav2vec 2.0 and HuBERT do not say.
@Suite struct `speech models` {
  static func open(_ folder: String) throws -> (ParameterStore, any Backbone) {
    let url = Fixtures.at(folder)
    let entry = try (folder.contains("hubert") ? HuBERT.base : Wav2Vec2.base).configured(by: url)
    let checkpoint = try entry.checkpoint(in: url)
    let store = ParameterStore(seed: 1, checkpoint: checkpoint)
    let backbone = try entry.family!.make(store.root, entry.configuration!)
    try store.finish()
    return (store, backbone)
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
    #"{"hidden_size": 50}"#, #"{"add_adapter": true}"#, #"{"hidden_act": "laplace"}"#, #"{"conv_dim": [8]}"#,
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
