import Files
/// Every architecture that an experiment can name. To add one: a file beside the others, and its line here.
public enum ModelRegistry {
  /// All entries, image, audio, then video.
  public static let all: [Architecture] =
    [
      ConvNeXtAtto.entry,
      ThumbnailLogistic.entry,
      CLIPVision.basePatch32,
      DINOv2.small,
      ConvNeXt.tiny,
    ] + EfficientNet.sizes + [
      AudioCNN.entry,
      Wav2Vec2.base,
      HuBERT.base,
      MFCCLogistic.entry,
      TemporalDifference.entry,
      R3D.r3d18,
      VideoLSTM.entry,
    ]

  /// Families of pictures.
  public static let imageFamilies: [BackboneFamily] = [
    CLIPVision.family, DINOv2.family, ConvNeXt.family, EfficientNet.family,
  ]

  /// Every family of checkpoints that some architecture reads.
  public static let families: [BackboneFamily] =
    imageFamilies + [Wav2Vec2.family, HuBERT.family, R3D.family, SequenceLSTM.family]

  /// The family that reads a `config.json`, by its `model_type` or, where it has none, its `architecture`.
  ///
  /// - Throws: `ModelError` naming the type and those that there are.
  public static func family(of configuration: ModelConfiguration) throws -> BackboneFamily {
    let key = configuration.has("architecture") && !configuration.has("model_type") ? "architecture" : "model_type"
    let type = try configuration.string(key)
    if let family = families.first(where: { $0.modelTypes.contains(type) }) { return family }
    let known = families.flatMap(\.modelTypes).sorted().joined(separator: ", ")
    throw ModelError("\(configuration.source) is of model type \"\(type)\"; known are \(known)")
  }

  /// The entry of that name.
  ///
  /// - Throws: `ModelError` naming the nearest one.
  public static func find(_ name: String) throws -> Architecture {
    if let entry = all.first(where: { $0.name == name }) { return entry }
    throw ModelError(
      "no architecture is called \"\(name)\"; \(suggestion(name, among: all.map(\.name))), `unmask models list` shows all"
    )
  }

  /// A bidirectional LSTM of two layers over the features of 16 frames, 512 each, without the network that makes them:
  /// what benchmarks measure. No experiment names it, and its preprocessing is a placeholder.
  ///
  /// - Shapes: `[B, 16, 512]` → `[B]`
  public static let frameLSTM = Architecture(
    name: "lstm", modality: .video, summary: "LSTM over 16 frames' features.", paper: VideoLSTM.entry.paper,
    licence: VideoLSTM.entry.licence, preprocessing: VideoLSTM.entry.preprocessing, recipe: VideoLSTM.entry.recipe,
    build: { scope, _ in
      try Detector(scope, backbone: SequenceLSTM(scope, inputs: 512, hidden: 256, layers: 2, bidirectional: true))
    })
}
