internal import Files
public import Foundation

/// Reads one way of laying out samples, labels and splits on disk. A new one is a file in Layouts/ and a line in
/// `DatasetLayouts.all`.
public protocol DatasetLayout: Sendable {
  /// The name in experiment files and on the command line.
  var name: String { get }
  /// What the reader expects to find, as the end of a sentence: "a manifest has a header line with path and label".
  var expectation: String { get }
  /// Whether the path looks like this layout; asked when the user names none.
  func recognises(_ url: URL) -> Bool
  /// The samples that label files and names promise. No media file is opened: `Dataset.scanned` does that.
  ///
  /// - Throws: `DatasetError` or `FileProblem`, naming file and line.
  func read(_ url: URL, _ options: LayoutOptions) throws -> Dataset
}

/// What a reader is told besides the path.
public struct LayoutOptions: Sendable {
  /// The data entry's name: the `dataset` of samples that name none, and their `root`.
  public var name: String
  /// The data set's own column names by ours.
  public var columns: [String: String]

  /// Options from their parts.
  public init(name: String, columns: [String: String] = [:]) {
    (self.name, self.columns) = (name, columns)
  }
}

/// The layouts that Unmask reads.
public enum DatasetLayouts {
  /// The published data sets.
  public static let official: [any OfficialLayout] = [
    Faces140k(), CIFAKE(), WildDeepfake(), FaceForensics(), CelebDF(), DFDC(), DeeperForensics(), ASVspoof2019(),
    ASVspoof2021(.la), ASVspoof2021(.df), ASVspoof5(), WaveFake(), InTheWild(), FakeOrReal(), FakeAVCeleb(), LAVDF(),
    AVDeepfake1M(),
  ]

  /// All of them, in the order in which an unnamed layout is looked for.
  public static let all: [any DatasetLayout] = [ManifestLayout()] + official + [FolderLayout()]

  /// Refuses a name that is no layout's and not `auto`.
  ///
  /// - Throws: `DatasetError` naming the nearest one.
  public static func check(name: String) throws {
    let names = ["auto"] + all.map(\.name)
    guard !names.contains(name) else { return }
    throw DatasetError(
      "layout \"\(name)\"",
      "there is no such layout; \(suggestion(name, among: names)); `unmask datasets describe` "
        + "lists the published data sets")
  }

  /// The published data set of a name.
  ///
  /// - Throws: `DatasetError` naming the nearest one.
  public static func published(_ name: String) throws -> any OfficialLayout {
    if let layout = official.first(where: { $0.name == name }) { return layout }
    throw DatasetError(
      "data set \"\(name)\"", "no published data set is called so; \(suggestion(name, among: official.map(\.name)))")
  }

  /// The layout of a name; `auto` takes the first that recognises the path.
  ///
  /// - Throws: `DatasetError` naming the nearest layout, or saying that the path does not exist.
  public static func named(_ name: String, at url: URL) throws -> any DatasetLayout {
    try check(name: name)
    let names = all.map(\.name).joined(separator: ", ")
    guard FileManager.default.fileExists(atPath: url.path) else {
      throw DatasetError(url.path, "no such file or folder; give the path of a manifest or of a data set's folder")
    }
    if let layout = all.first(where: { name == "auto" ? $0.recognises(url) : $0.name == name }) { return layout }
    throw DatasetError(
      url.path, "no layout fits; give a CSV manifest, or a folder with real/ and fake/ in it, or name one of \(names)")
  }
}

/// Which modality a file name promises. Content decides later; see `Dataset.scanned`.
enum FileKind {
  /// Extensions that are taken for media, by what they usually hold.
  static let modalities: [String: Modalities] = {
    var table: [String: Modalities] = [:]
    for name in ["jpg", "jpeg", "png", "webp", "bmp", "tif", "tiff"] { table[name] = .image }
    for name in ["wav", "flac", "ogg", "oga", "opus", "mp3", "m4a", "aac"] { table[name] = .audio }
    for name in ["mp4", "m4v", "mkv", "mov", "avi", "webm", "mpg", "mpeg", "wmv", "flv", "3gp"] {
      table[name] = [.image, .audio, .video]
    }
    return table
  }()

  /// What a path's extension promises; nothing when it is not a media file's.
  static func promised(by path: String) -> Modalities {
    // Byte by byte: a million names are looked at.
    let bytes = path.utf8
    guard let dot = bytes.lastIndex(of: UInt8(ascii: ".")) else { return [] }
    let tail = path[bytes.index(after: dot)...]
    guard tail.utf8.count <= 4 else { return [] }
    return modalities[tail.lowercased()] ?? []
  }
}

/// A relative path without `.` and doubled slashes.
enum RelativePath {
  /// The cleaned path; nil when it is absolute, empty, or leaves the root.
  static func clean(_ path: String) -> String? {
    let bytes = path.utf8
    guard let first = bytes.first, first != UInt8(ascii: "/") else { return nil }
    var simple = true  // nothing to clean: no "//", no part that starts with a full stop
    var previous = UInt8(ascii: "/")
    for byte in bytes {
      if byte == 0 { return nil }
      if previous == UInt8(ascii: "/"), byte == UInt8(ascii: "/") || byte == UInt8(ascii: ".") { simple = false }
      previous = byte
    }
    if simple, previous != UInt8(ascii: "/") { return path }
    var parts: [Substring] = []
    for part in path.split(separator: "/") where part != "." {
      if part != ".." {
        parts.append(part)
      } else if parts.popLast() == nil {
        return nil
      }
    }
    return parts.isEmpty ? nil : parts.joined(separator: "/")
  }
}
