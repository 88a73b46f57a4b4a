import Autograd
import Foundation
import NN

/// HuBERT: the network of wav2vec 2.0, pre-trained to name the cluster of hidden frames; layers are in
/// `SpeechTransformer`.
///
/// - Source: Hsu et al. 2021, arXiv:2106.07447; names after `transformers`' `HubertModel`.
struct HuBERT: SpeechBackbone {
  let model: SpeechTransformer

  init(_ scope: ParameterScope, _ json: ModelConfiguration) throws {
    model = try SpeechTransformer(scope, json)
  }

  var featureCount: Int { model.configuration.width }
  var stages: [[String]] { model.stages }

  func features(_ input: Variable, _ pass: Pass) -> Variable { model.features(input, pass) }

  func outputs(_ inputs: [String: Variable], _ pass: Pass) throws -> [String: Variable] {
    ["last_hidden_state": try model(named: inputs, pass).hidden]
  }

  static let family = BackboneFamily(
    name: "hubert", modelTypes: ["hubert"], optional: ["masked_spec_embed"],
    make: { try HuBERT($0, $1) }, rename: { SpeechTransformer.name($0, prefix: "hubert.") },
    preprocessing: SpeechTransformer.preprocessing)

  static let base = try! Architecture(
    name: "hubert-base", modality: .audio, family: family,
    configuration: ModelConfiguration(json: Data(#"{"model_type": "hubert"}"#.utf8), source: "hubert-base"),
    summary: "HuBERT on raw sound: 7 convolutions and 12 transformer layers of width 768.",
    paper: "Hsu et al. 2021, arXiv:2106.07447", licence: "facebook/hubert-base-ls960: Apache-2.0",
    recipe: Recipe(views: 1))
}
