internal import Evaluation

/// A quantity that should tell nothing about the label, and how well it does tell. A detector can learn it instead of
/// the manipulation, and then fails on other data.
public struct ShortcutProbe: Codable, Sendable {
  /// What is measured of a file.
  public enum Quantity: String, Codable, Sendable, CaseIterable {
    /// Length.
    case duration
    /// Root mean square of the sound.
    case loudness
    /// Bytes of all files.
    case fileSize = "file size"
    /// Until the sound first comes within 40 dB of its loudest.
    case leadingSilence = "leading silence"
    /// Root mean square of the first 50 ms of sound: digital silence and a noise floor differ here.
    case leadingLevel = "leading level"
    /// Sound samples per second.
    case sampleRate = "sample rate"
    /// Picture elements of a frame.
    case resolution
    /// Container and coding: the share of fakes among other samples of the same.
    case codec
    /// Who is seen or heard, and nothing else: the share of fakes among the person's other samples.
    case identity

    /// The unit of its values.
    public var unit: String {
      switch self {
      case .duration, .leadingSilence: "s"
      case .loudness, .leadingLevel: "dB"
      case .fileSize: "bytes"
      case .sampleRate: "Hz"
      case .resolution: "pixels"
      case .codec, .identity: "share of fakes"
      }
    }

    /// Whether its values are frequencies among other samples of the same name. Those can only tell by being larger in
    /// fakes: where each person has one of each, the others' share is the wrong way round by itself.
    public var isCategorical: Bool { self == .codec || self == .identity }
  }

  /// The name of the quantity.
  public let name: String
  /// Its unit.
  public let unit: String
  /// How many real and fake samples have a value.
  public let counts: ClassCounts
  /// Area under the ROC curve when larger values mean fake; nil with too few samples of a class.
  public let auc: Double?
  /// Whether only areas above 0.5 tell anything; see `Quantity.isCategorical`.
  public let isCategorical: Bool
  /// 95% interval of the area (DeLong).
  public let lower, upper: Double?
  /// Half the samples of each class have a smaller value.
  public let medianReal, medianFake: Double?

  /// Above this area (or below its mirror image) a quantity is called a shortcut.
  public static let limit = 0.6

  /// How well the quantity separates the classes, in whichever direction: 0.5 to 1.
  public var strength: Double? { auc.map { max($0, isCategorical ? 0.5 : 1 - $0) } }

  /// Whether the interval leaves chance open.
  public var mayBeChance: Bool { (lower ?? 0) <= 0.5 && (upper ?? 1) >= 0.5 }

  /// A sentence when the quantity tells the label; nil otherwise.
  public var warning: String? {
    guard let strength, let auc, strength > Self.limit else { return nil }
    if isCategorical {
      return "\(name) alone reaches AUC \(strength.rounded(to: 3)); "
        + (mayBeChance
          ? "with so few samples this may be chance"
          : "a detector can learn it: give both classes the same, or test on others")
    }
    let side = auc > 0.5 ? "larger in fakes" : "smaller in fakes"
    let values =
      medianReal.flatMap { real in
        medianFake.map { "median \(real.rounded(to: 3)) \(unit) in real, \($0.rounded(to: 3)) \(unit) in fake samples" }
      } ?? ""
    return "\(name) alone reaches AUC \(strength.rounded(to: 3)) (\(side): \(values)); "
      + (mayBeChance
        ? "with so few samples this may be chance"
        : "a detector can learn it: make it equal in both classes or trim it")
  }

  /// The probe of some values with their labels.
  public init(name: String, unit: String, values: [Double], labels: [Label], isCategorical: Bool = false) {
    (self.name, self.unit, self.isCategorical) = (name, unit, isCategorical)
    var counts = ClassCounts()
    for label in labels { counts.add(label) }
    self.counts = counts
    let found = DeLong(scores: [values], fake: labels.map { $0 == .fake })
    auc = found?.areas[0]
    let interval = found?.interval()
    (lower, upper) = (interval?.lower, interval?.upper)
    func median(_ label: Label) -> Double? {
      let sorted = zip(values, labels).filter { $0.1 == label }.map(\.0).sorted()
      guard !sorted.isEmpty else { return nil }
      return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
    }
    (medianReal, medianFake) = (median(.real), median(.fake))
  }
}
