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
  public static let families: [BackboneFamily] = imageFamilies + [R3D.family, SequenceLSTM.family]

  /// The family that reads a `config.json`, by its `model_type` or, where it has none, its `architecture`.
  ///
  /// - Throws: `ModelError` naming the type and those that there are.
  public static func family(of configuration: ModelConfiguration) throws -> BackboneFamily {
    let key = configuration.has("model_type") ? "model_type" : "architecture"
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
    let nearest = all.map(\.name).min { distance($0, name) < distance($1, name) }!
    throw ModelError(
      "no architecture is called \"\(name)\"; the nearest is \"\(nearest)\", `unmask models list` shows all")
  }

  /// Single-character edits between two names.
  private static func distance(_ a: String, _ b: String) -> Int {
    var row = Array(0...b.utf8.count)
    for (i, x) in a.utf8.enumerated() {
      var corner = row[0]
      row[0] = i + 1
      for (j, y) in b.utf8.enumerated() {
        let replaced = corner + (x == y ? 0 : 1)
        corner = row[j + 1]
        row[j + 1] = min(replaced, row[j] + 1, corner + 1)
      }
    }
    return row.last!
  }
}
