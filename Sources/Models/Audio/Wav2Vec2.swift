import Autograd
import Foundation
import NN

/// wav2vec 2.0: speech representations learnt by telling masked frames from others. The base model normalises groups
/// after the first convolution, the large one every convolution's output; layers are in `SpeechTransformer`.
///
/// - Source: Baevski et al. 2020, arXiv:2006.11477; names after `transformers`' `Wav2Vec2Model`.
struct Wav2Vec2: SpeechBackbone {
  let model: SpeechTransformer

  init(_ scope: ParameterScope, _ json: ModelConfiguration) throws {
    model = try SpeechTransformer(scope, json)
  }

  var featureCount: Int { model.configuration.width }
  var stages: [[String]] { model.stages }

  func features(_ input: Variable, _ pass: Pass) -> Variable { model.features(input, pass) }

  func outputs(_ inputs: [String: Variable], _ pass: Pass) throws -> [String: Variable] {
    let result = try model(named: inputs, pass)
    return ["last_hidden_state": result.hidden, "extract_features": result.features]
  }

  static let family = BackboneFamily(
    name: "wav2vec2", modelTypes: ["wav2vec2"], optional: ["masked_spec_embed"],
    make: { try Wav2Vec2($0, $1) }, rename: { SpeechTransformer.name($0, prefix: "wav2vec2.") },
    preprocessing: SpeechTransformer.preprocessing)

  static let base = try! Architecture(
    name: "wav2vec2-base", modality: .audio, family: family,
    configuration: ModelConfiguration(json: Data(#"{"model_type": "wav2vec2"}"#.utf8), source: "wav2vec2-base"),
    summary: "wav2vec 2.0 on raw sound: 7 convolutions and 12 transformer layers of width 768.",
    paper: "Baevski et al. 2020, arXiv:2006.11477", licence: "facebook/wav2vec2-base: Apache-2.0",
    recipe: Recipe(views: 1))
}
