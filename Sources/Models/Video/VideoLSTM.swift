import Autograd
import NN
import Tensor

/// An image backbone frame by frame, and a two-layer bidirectional LSTM over what it says of them.
///
/// The image backbone keeps the names of its checkpoint, the LSTM's begin with `lstm.`: any image weights folder can be
/// named, and the LSTM starts fresh upon it.
///
/// - Source: Güera and Delp 2018, "Deepfake video detection using recurrent neural networks"; LSTM: Hochreiter and
///   Schmidhuber 1997.
struct VideoLSTM: TwoPartBackbone {
  let image: any Backbone
  private let sequence: SequenceLSTM
  var featureCount: Int { sequence.featureCount }

  /// - Parameter scope: where the image backbone's own names begin.
  init(_ scope: ParameterScope, image: any Backbone, hidden: Int = 256, layers: Int = 2) throws {
    self.image = image
    sequence = try SequenceLSTM(
      scope["lstm"], inputs: image.featureCount, hidden: hidden, layers: layers, bidirectional: true)
  }

  /// - Shapes: `[B, 3, T, H, W]` → `[B, featureCount]`
  func features(_ input: Variable, _ pass: Pass) -> Variable { sequence.features(frameFeatures(input, pass), pass) }

  func outputs(_ inputs: [String: Variable], _ pass: Pass) throws -> [String: Variable] {
    let video = try checked(inputs, "video", "[N, C, T, H, W]") { $0.count == 5 && !$0.contains(0) }
    var steps = inputs
    steps["sequence"] = frameFeatures(video, pass)
    return try sequence.outputs(steps, pass)
  }

  func lower(_ input: Variable, _ pass: Pass) -> Variable { flatten(frameFeatures(input, pass)) }

  func lowerCount(partShape: [Int]) -> Int { partShape[1] * image.featureCount }

  func upper(_ lower: Variable, _ pass: Pass) -> Variable {
    sequence.features(reshape(lower, [lower.shape[0], -1, image.featureCount]), pass)
  }

  var stages: [[String]] { image.stages + sequence.stages }

  /// `[B, C, T, H, W]` → `[B, T, F]`
  private func frameFeatures(_ video: Variable, _ pass: Pass) -> Variable {
    let (B, C, T, H, W) = (video.shape[0], video.shape[1], video.shape[2], video.shape[3], video.shape[4])
    let pictures = reshape(permute(video, [0, 2, 1, 3, 4]), [B * T, C, H, W])
    return reshape(image.features(pictures, pass), [B, T, image.featureCount])
  }

  /// The family that reads an image family's folders for its frames.
  static func family(over images: BackboneFamily) -> BackboneFamily {
    BackboneFamily(
      name: images.name, modelTypes: images.modelTypes, optional: images.optional, fresh: ["lstm."],
      make: { scope, configuration in try VideoLSTM(scope, image: images.make(scope, configuration)) },
      rename: images.rename,
      preprocessing: { configuration, processor in
        guard case .frames(let frames) = try images.preprocessing(configuration, processor) else {
          throw ModelError("\(configuration.source) is not of an image backbone, whose frames an LSTM can read")
        }
        return .clips(
          .init(
            count: 3, length: 16, rate: 8, size: frames.size, mean: frames.mean, deviation: frames.deviation,
            scaling: frames.scaling))
      },
      variant: { type in ModelRegistry.imageFamilies.first { $0.modelTypes.contains(type) }.map(family(over:)) })
  }

  static let entry = Architecture(
    name: "lstm", modality: .video, family: family(over: EfficientNet.family),
    configuration: """
      {"model_type": "efficientnet", "architectures": ["EfficientNetModel"], "width_coefficient": 1.0,
       "depth_coefficient": 1.0, "image_size": 224, "hidden_dim": 1280, "dropout_rate": 0.2}
      """,
    summary: "Bidirectional LSTM over 16 frames' features of any image backbone (EfficientNet-B0 unless told).",
    paper: "Güera and Delp 2018, doi:10.1109/AVSS.2018.8639163",
    licence: "the image backbone's; the LSTM starts fresh", recipe: Recipe(views: 2, minimumShard: 4))
}
