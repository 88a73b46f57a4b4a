/// What a sample is. Labels are names everywhere in files; a number is never read as a label, because half of the field
/// writes 1 for fake and the other half 1 for real.
public enum Label: UInt8, Sendable, Hashable, CaseIterable {
  /// Recorded, not manipulated.
  case real = 0
  /// Manipulated or synthetic; scores are probabilities of this one.
  case fake = 1

  /// The name in files: `real` or `fake`.
  public var name: String { self == .real ? "real" : "fake" }

  /// The label of a name, in any letter case; nil for every other text.
  public init?(name: some StringProtocol) {
    switch name.lowercased() {
    case "real": self = .real
    case "fake": self = .fake
    default: return nil
    }
  }
}

extension Label: Codable {
  /// Reads the name.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    let name = try container.decode(String.self)
    guard let label = Label(name: name) else {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: "\"\(name)\" is neither real nor fake")
    }
    self = label
  }

  /// Writes the name.
  public func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    try container.encode(name)
  }
}

/// What a model can look at: single pictures (stills, or frames of a video), sound, or moving pictures.
public enum Modality: String, Sendable, Hashable, Codable, CaseIterable {
  case image, audio, video

  /// The name as a heading: `Image`, `Audio`, `Video`.
  public var title: String { rawValue.prefix(1).uppercased() + rawValue.dropFirst() }
}

/// The modalities that a sample offers. A video offers its frames as pictures too.
public struct Modalities: OptionSet, Sendable, Hashable {
  /// One bit a modality.
  public let rawValue: UInt8
  /// The set of these bits.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// Pictures: a still, or the frames of a video.
  public static let image = Modalities(rawValue: 1)
  /// Sound.
  public static let audio = Modalities(rawValue: 2)
  /// Moving pictures.
  public static let video = Modalities(rawValue: 4)

  /// The set of one modality.
  public init(_ modality: Modality) {
    switch modality {
    case .image: self = .image
    case .audio: self = .audio
    case .video: self = .video
    }
  }

  /// The members, in the order image, audio, video.
  public var members: [Modality] { Modality.allCases.filter { contains(Modalities($0)) } }

  /// The form in `samples.csv`: `image;audio;video`.
  public var text: String { members.map(\.rawValue).joined(separator: ";") }

  /// Reads the form in `samples.csv`; nil for an unknown name.
  public init?(text: String) {
    self = []
    for part in text.split(separator: ";") {
      guard let modality = Modality(rawValue: String(part)) else { return nil }
      insert(Modalities(modality))
    }
  }
}

/// A part of a sample's time, in seconds.
public struct FakeInterval: Sendable, Hashable, Codable {
  /// First second of the part.
  public let start: Double
  /// Its end, later than `start`.
  public let end: Double

  /// An interval; `start` is before `end`.
  public init(start: Double, end: Double) {
    precondition(start >= 0 && end > start, "FakeInterval: \(start) to \(end) is not a part of a recording")
    self.start = start
    self.end = end
  }

  /// Reads `start-end;start-end`; nil when the text is anything else.
  public static func list(_ text: String) -> [FakeInterval]? {
    var result: [FakeInterval] = []
    for part in text.split(separator: ";") {
      // Every hyphen is tried, for "1e-05-0.5" has two.
      let ends = part.indices.lazy.filter { part[$0] == "-" }.compactMap { hyphen -> (Double, Double)? in
        guard let start = Double(part[..<hyphen].trimmed) else { return nil }
        return Double(part[part.index(after: hyphen)...].trimmed).map { (start, $0) }
      }
      guard let (start, end) = ends.first, start >= 0, end > start, end.isFinite else { return nil }
      result.append(FakeInterval(start: start, end: end))
    }
    return result
  }

  /// Writes `start-end;start-end`.
  public static func text(_ intervals: [FakeInterval]) -> String {
    intervals.map { "\($0.start)-\($0.end)" }.joined(separator: ";")
  }
}

extension StringProtocol {
  /// Without spaces and tabs at either end.
  var trimmed: String {
    let space: (Character) -> Bool = { $0 == " " || $0 == "\t" }
    guard let first = firstIndex(where: { !space($0) }), let last = lastIndex(where: { !space($0) }) else { return "" }
    return String(self[first...last])
  }
}

/// One item with any of image, sound and moving pictures. Paths are relative to the folder of its data entry (`root`),
/// so that machines may keep the data in different places.
public struct Sample: Sendable, Hashable {
  /// The path relative to the root: unique within its data set, and the name in every score file.
  public var id: String
  /// The data set's name.
  public var dataset: String
  /// The data entry whose folder the paths are relative to; see `DataRoots`.
  public var root: String
  /// Separate streams, relative to the root; nil where the file of `id` has them.
  public var imagePath, audioPath, videoPath: String?
  /// Whether anything about the sample is manipulated; what fusion learns.
  public var label: Label
  /// The sound's own label.
  public var audioLabel: Label
  /// The picture's own label.
  public var visualLabel: Label
  /// The kind of manipulation; empty when there is none or when it is unknown.
  public var type = ""
  /// Who is seen or heard; several are separated by semicolons.
  public var identity: String?
  /// What it was made from (an identity, a recording, another sample's path); several are separated by semicolons.
  public var source: String?
  /// The group given by hand, which replaces what follows from identity and source.
  public var group: String?
  /// The official part (`train`, `validation`, `test`, or another name).
  public var split: String?
  /// The fake parts; empty when unknown or when everything is fake.
  public var intervals: [FakeInterval] = []
  /// Its weight in the loss.
  public var weight = 1.0
  /// The values of `Dataset.extraColumns`, in their order.
  public var extra: [String] = []
  /// SHA-256 of the content of all its files, once scanned.
  public var sha256: String?
  /// Size of all its files, once scanned.
  public var bytes: Int?
  /// Hash and size of each of `paths`, once scanned, where there are several; `content(of:)` knows both cases.
  public var contents: [FileContent] = []
  /// What it offers to models.
  public var modalities: Modalities = []
  /// The line of the manifest that lists it; not kept in `samples.csv`.
  public var line: Int?
  /// Why it cannot be used; it still has a row in every score file, with this reason.
  public var problem: String?

  /// A sample with the same label for sound and picture; the rest is filled in by the reader.
  public init(id: String, dataset: String, root: String? = nil, label: Label) {
    self.id = id
    self.dataset = dataset
    self.root = root ?? dataset
    self.label = label
    audioLabel = label
    visualLabel = label
  }

  /// The label that a model of this modality learns and is judged by.
  public func label(for modality: Modality) -> Label {
    modality == .audio ? audioLabel : visualLabel
  }

  /// The relative path of the file that has this modality; nil when the sample does not offer it.
  public func path(for modality: Modality) -> String? {
    guard modalities.contains(Modalities(modality)) else { return nil }
    switch modality {
    case .image: return imagePath ?? main(.image)
    case .audio: return audioPath ?? main(.audio)
    case .video: return videoPath ?? id
    }
  }

  // Where a stream without a path of its own is: in the file of `id`, unless only the video can have it.
  private func main(_ modality: Modalities) -> String {
    guard let videoPath, !FileKind.promised(by: id).contains(modality) else { return id }
    return videoPath
  }

  /// What the file at one of `paths` has in it; nil before the scan.
  public func content(of path: String) -> FileContent? {
    guard let index = paths.firstIndex(of: path) else { return nil }
    if contents.indices.contains(index) { return contents[index] }
    guard index == 0, paths.count == 1, let sha256, let bytes else { return nil }
    return FileContent(sha256: sha256, bytes: bytes)
  }

  /// All files, each once.
  public var paths: [String] {
    var result = [id]
    for path in [imagePath, audioPath, videoPath] {
      if let path, !result.contains(path) { result.append(path) }
    }
    return result
  }
}

/// What a file has in it: who has these bytes has the file, whatever its name.
public struct FileContent: Sendable, Hashable {
  /// SHA-256, 64 lower-case hexadecimal digits.
  public let sha256: String
  /// The size.
  public let bytes: Int

  /// A content from its parts.
  public init(sha256: String, bytes: Int) { (self.sha256, self.bytes) = (sha256, bytes) }

  /// Reads `sha256:bytes;sha256:bytes`; nil when the text is anything else.
  static func list(_ text: String) -> [FileContent]? {
    var result: [FileContent] = []
    for part in text.split(separator: ";") {
      let halves = part.split(separator: ":")
      guard halves.count == 2, halves[0].utf8.count == 64, let bytes = Int(halves[1]), bytes >= 0 else { return nil }
      result.append(FileContent(sha256: String(halves[0]), bytes: bytes))
    }
    return result
  }

  /// Writes `sha256:bytes;sha256:bytes`.
  static func text(_ contents: [FileContent]) -> String {
    contents.map { "\($0.sha256):\($0.bytes)" }.joined(separator: ";")
  }
}
