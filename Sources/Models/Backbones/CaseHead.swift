import Autograd
import NN
import Tensor

/// The classifier of a published checkpoint upon its backbone. Detectors leave it out and have a head of their own;
/// reference cases compute it, with gradients, under the checkpoint's names.
///
/// - Source: the `…ForImageClassification`, `…ForSequenceClassification` and `…ForAudioFrameClassification` of
///   transformers, and torchvision's `VideoResNet`.
struct CaseHead {
  private enum Input {
    /// An output of the backbone as it is.
    case whole(String)
    /// The mean of CLIP's patches, behind the class token.
    case patches
    /// DINOv2's class token, and beside it the mean of its patches, behind the registers.
    case classAndPatches(registers: Int)
    /// The mean, over the frames that are sound, of what the projector makes of speech.
    case speech(projector: Linear)
    /// What is not known here, and why.
    case unknown(String)
  }

  private let input: Input
  private let classifier: Linear

  /// Makes the classifier's parameters below `scope`, the backbone's own; nil if the checkpoint has none, or one that
  /// is not known here.
  ///
  /// - Parameter shapes: the checkpoint's tensors under its own names.
  /// - Throws: as layers do where the checkpoint lacks a tensor.
  init?(_ scope: ParameterScope, _ family: BackboneFamily, _ configuration: ModelConfiguration, shapes: [String: [Int]])
    throws
  {
    func linear(_ name: String) throws -> Linear? {
      guard let shape = shapes[name + ".weight"], shape.count == 2, !shape.contains(0) else { return nil }
      return try Linear(scope[name], in: shape[1], out: shape[0], bias: shapes[name + ".bias"] != nil)
    }
    // A speaker verification model has layers between its projector and its classifier.
    guard shapes["tdnn.0.kernel.weight"] == nil,
      let classifier = try linear(family.name == R3D.family.name ? "fc" : "classifier")
    else { return nil }
    self.classifier = classifier
    switch family.name {
    case R3D.family.name: input = .whole("features")
    case CLIPVision.family.name: input = .patches
    case DINOv2.family.name:
      let hasRegisters = try configuration.string("model_type", default: "") == "dinov2_with_registers"
      input = .classAndPatches(
        registers: hasRegisters ? try configuration.int("num_register_tokens", default: 4, in: 0...256) : 0)
    case Wav2Vec2.family.name, HuBERT.family.name:
      guard try !configuration.bool("use_weighted_layer_sum", default: false) else {
        input = .unknown(
          "\(configuration.source): \"use_weighted_layer_sum\" is true; classifiers are only known upon the last layer")
        return
      }
      input = try linear("projector").map { .speech(projector: $0) } ?? .whole("last_hidden_state")
    default: input = .whole("pooler_output")
    }
  }

  /// What the classifier says of a backbone's outputs.
  ///
  /// - Throws: `ModelError` if the classifier reads something else, or its width is not that of what it reads.
  func logits(
    _ outputs: [String: Variable], _ inputs: [String: Variable], _ backbone: any Backbone, _ pass: Pass
  ) throws -> Variable {
    let features: Variable
    switch input {
    case .unknown(let reason): throw ModelError(reason)
    case .whole(let name): features = try output(name, of: outputs)
    case .patches: features = try patches(outputs, from: 1)
    case .classAndPatches(let registers):
      let classToken = try output("pooler_output", of: outputs)
      features = concat([classToken, try patches(outputs, from: 1 + registers)], axis: 1)
    case .speech(let projector):
      let hidden = try output("last_hidden_state", of: outputs)
      try checkWidth(hidden, projector)
      let projected = projector(hidden, pass)
      let mask = inputs["attention_mask"]?.value
      features = (backbone as? any SpeechBackbone)?.model.mean(projected, mask: mask) ?? mean(projected, axes: [1])
    }
    try checkWidth(features, classifier)
    return classifier(features, pass)
  }

  private func output(_ name: String, of outputs: [String: Variable]) throws -> Variable {
    guard let output = outputs[name] else { throw ModelError("the classifier needs the output \(name)") }
    return output
  }

  private func patches(_ outputs: [String: Variable], from first: Int) throws -> Variable {
    let tokens = try output("last_hidden_state", of: outputs)
    return mean(slice(tokens, axis: 1, first..<tokens.shape[1]), axes: [1])
  }

  private func checkWidth(_ features: Variable, _ layer: Linear) throws {
    guard features.shape.last == layer.weight.value.dim(1) else {
      throw ModelError(
        "\(layer.weight.name) has shape \(layer.weight.value.shape), but reads features of shape \(features.shape)")
    }
  }
}
