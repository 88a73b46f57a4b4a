/// The image processors of published models, and what each does where `preprocessor_config.json` is silent or absent.
///
///     let frames = try ImageProcessor.clip.frames(processor, imageSize: 224)
///
/// Scaling, cropping, rescaling and normalising end up in a `Preprocessing.Frames`: everything behind the crop is one
/// affine map a channel, so the processor's own factors are folded into mean and deviation.
///
/// - Source: `transformers` 5.23, the Pillow processors of each model.
public enum ImageProcessor: String, Sendable, CaseIterable {
  /// CLIP: shorter side, bicubic, middle.
  case clip = "CLIP"
  /// BiT, which DINOv2 uses with sizes of its own.
  case bit = "Bit"
  /// ConvNeXt: shorter side by `crop_pct`, middle; from 384 pixels on scaled to the square.
  case convNext = "ConvNext"
  /// EfficientNet: scaled to the square, and normalised twice.
  case efficientNet = "EfficientNet"
  /// ViT: scaled to the square.
  case vit = "ViT"

  private static let imageNet: (mean: [Double], deviation: [Double]) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
  private static let openAI: (mean: [Double], deviation: [Double]) = (
    [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]
  )

  /// What a picture becomes by `preprocessor_config.json`, or by the family's usual one where there is none.
  ///
  /// - Parameters:
  ///   - processor: the file; the processor that it names is used, whoever asks.
  ///   - imageSize: the model's input without a file; the processor's own by default.
  /// - Throws: `ModelError` naming file and key for what this implementation cannot do: another processor, or an input
  ///   that is not square.
  public func frames(_ processor: ModelConfiguration?, imageSize: Int? = nil) throws -> Preprocessing.Frames {
    guard let processor else { return usual(imageSize) }
    let kind = try named(in: processor) ?? self
    var mean = try processor.doubles("image_mean", default: kind.defaults.mean, count: 3)
    var deviation = try processor.doubles("image_std", default: kind.defaults.deviation, count: 3)
    let second = deviation
    if try !processor.bool("do_normalize", default: true) { (mean, deviation) = ([0, 0, 0], [1, 1, 1]) }
    if kind == .efficientNet, try processor.bool("include_top", default: true) {
      deviation = zip(deviation, second).map(*)
    }
    let rescales = try processor.bool("do_rescale", default: true)
    let factor = rescales ? try processor.double("rescale_factor", default: 1.0 / 255, in: 1e-9...1e9) : 1
    if kind == .efficientNet, rescales, try processor.bool("rescale_offset", default: false) {
      mean = mean.map { $0 + 1 }
    }
    // (p·factor - mean) / deviation, on our scale where white is 1.
    let (scaling, size) = try kind.geometry(processor)
    let frames = Preprocessing.Frames(
      size: size, mean: mean.map { Float($0 / (255 * factor)) },
      deviation: deviation.map { Float($0 / (255 * factor)) },
      scaling: scaling)
    guard frames.mean.allSatisfy({ abs($0) <= Preprocessing.largestMean }),
      frames.deviation.allSatisfy(Preprocessing.deviations.contains)
    else {
      throw ModelError(
        "\(processor.source): with its \"image_mean\", \"image_std\" and \"rescale_factor\" pictures come to "
          + "impossible numbers (white minus \(frames.mean) over \(frames.deviation)); is it of another model?")
    }
    return frames
  }

  private var defaults: (mean: [Double], deviation: [Double]) {
    switch self {
    case .clip, .bit: Self.openAI
    case .convNext, .efficientNet, .vit: ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5])
    }
  }

  private func named(in processor: ModelConfiguration) throws -> ImageProcessor? {
    let keys = ["image_processor_type", "feature_extractor_type"]
    guard let key = keys.first(where: processor.has) else { return nil }
    let type = try processor.string(key)
    var name = type
    for ending in ["Fast", "Pil", "ImageProcessor", "FeatureExtractor"] where name.hasSuffix(ending) {
      name = String(name.dropLast(ending.count))
    }
    guard let kind = ImageProcessor(rawValue: name) else {
      let known = Self.allCases.map { $0.rawValue + "ImageProcessor" }.joined(separator: ", ")
      throw ModelError("\(processor.source): \"\(key)\" is \"\(type)\"; the processors known here are \(known)")
    }
    return kind
  }

  private func geometry(_ processor: ModelConfiguration) throws -> (Preprocessing.Scaling, size: Int) {
    // Pillow's numbers.
    let filters = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"]
    let filter = filters[try processor.int("resample", default: self == .vit ? 2 : 3, in: 0...5)]
    let size = try extent("size", processor)
    let crops = try processor.bool("do_center_crop", default: self == .clip || self == .bit)
    let crop = crops ? try extent("crop_size", processor).side : nil
    guard try processor.bool("do_resize", default: true) else {
      guard let crop else {
        throw ModelError(
          "\(processor.source) neither resizes nor crops; one of \"do_resize\" and \"do_center_crop\" must be true"
        )
      }
      return (.init(.none, side: crop, filter: filter), crop)
    }
    if self == .convNext, size.isShortSide {
      guard size.side < 384 else { return (.init(.exact, side: size.side, filter: filter), crop ?? size.side) }
      let share = try processor.double("crop_pct", default: 224.0 / 256, in: 0.05...1)
      let side = Int(Double(size.side) / share)
      // A second crop in the middle of the first.
      return (.init(.shortSide, side: side, filter: filter), min(crop ?? size.side, size.side))
    }
    return (.init(size.isShortSide ? .shortSide : .exact, side: size.side, filter: filter), crop ?? size.side)
  }

  /// `224`, `{"shortest_edge": 224}` or `{"height": 224, "width": 224}`.
  private func extent(_ key: String, _ processor: ModelConfiguration) throws -> (side: Int, isShortSide: Bool) {
    let keepsAspect = key == "size" && [.clip, .bit, .convNext].contains(self)
    guard processor.has(key) else {
      switch (self, key) {
      case (.efficientNet, "size"): return (346, false)
      case (.efficientNet, _): return (289, false)
      case (.convNext, "size"): return (384, true)
      default: return (224, keepsAspect)
      }
    }
    guard let section = try? processor.section(key) else {
      return (try processor.int(key, in: 1...4096), keepsAspect)
    }
    if section.has("shortest_edge"), !section.has("longest_edge") {
      return (try section.int("shortest_edge", in: 1...4096), true)
    }
    let (height, width) = (try section.int("height", in: 1...4096), try section.int("width", in: 1...4096))
    guard height == width else {
      throw ModelError("\(processor.source): \"\(key)\" is \(height)x\(width); only square inputs are supported")
    }
    return (height, false)
  }

  /// The file that the family's best-known checkpoint comes with.
  private func usual(_ imageSize: Int?) -> Preprocessing.Frames {
    func frames(
      _ scaling: Preprocessing.Scaling, _ size: Int, _ values: (mean: [Double], deviation: [Double])
    ) -> Preprocessing.Frames {
      Preprocessing.Frames(
        size: size, mean: values.mean.map { Float($0) }, deviation: values.deviation.map { Float($0) }, scaling: scaling
      )
    }
    let size = imageSize ?? 224
    switch self {
    case .clip: return frames(.init(.shortSide, side: size, filter: "bicubic"), size, Self.openAI)
    // 256 to 224, as DINOv2's: an eighth is left out.
    case .bit: return frames(.init(.shortSide, side: size * 8 / 7, filter: "bicubic"), size, Self.imageNet)
    case .convNext:
      let scaling =
        size < 384
        ? Preprocessing.Scaling(.shortSide, side: size * 8 / 7, filter: "bicubic")
        : Preprocessing.Scaling(.exact, side: size, filter: "bicubic")
      return frames(scaling, size, Self.imageNet)
    case .efficientNet: return frames(.init(.exact, side: size, filter: "bicubic"), size, Self.imageNet)
    case .vit: return frames(.init(.exact, side: size, filter: "bilinear"), size, ([0.5, 0.5, 0.5], [0.5, 0.5, 0.5]))
    }
  }
}
