public import Foundation

/// What a person should know of a published data set before and after getting it.
public struct DatasetDescription: Encodable, Sendable {
  /// Counts that the authors, or the official lists, state.
  public struct Published: Encodable, Sendable {
    /// Which part: `train`, `test`, `all`.
    public let part: String
    /// Its samples.
    public let counts: ClassCounts
    /// What is counted.
    public let unit: Unit
    /// Whether the authors give round numbers.
    public let isRounded: Bool
    /// The values that a sample of the part has in columns of the data; nil where a copy cannot have the part.
    let columns: [String: String]?
    /// A column each of whose values has the whole part: a compression, a version.
    let each: String?
    /// Whether the part was published apart: a copy without any of it is whole.
    let isAddition: Bool

    /// What is counted.
    public enum Unit: String, Encodable, Sendable {
      /// Samples.
      case samples
      /// Folders of samples, such as the frames of a sequence.
      case folders
    }

    private enum CodingKeys: String, CodingKey {
      case part, counts, unit
      case isRounded = "is_rounded"
    }

    init(
      _ part: String, real: Int, fake: Int, where columns: [String: String]? = [:], each: String? = nil,
      unit: Unit = .samples, isRounded: Bool = false, isAddition: Bool = false
    ) {
      (self.part, counts, self.isAddition) = (part, ClassCounts(real: real, fake: fake), isAddition)
      (self.columns, self.each, self.unit, self.isRounded) = (columns, each, unit, isRounded)
    }
  }

  /// The classes of one modality by that modality's own label.
  public struct Classes: Encodable, Sendable {
    /// The modality.
    public let modality: Modality
    /// Real and fake samples of the whole set.
    public let counts: ClassCounts

    init(_ modality: Modality, real: Int, fake: Int) {
      (self.modality, counts) = (modality, ClassCounts(real: real, fake: fake))
    }
  }

  /// The full name.
  public let title: String
  /// What it holds.
  public let what: String
  /// What it is good for, when to add it, and what to beware of.
  public let use: String
  /// How it lies on disk, one line a folder or file.
  public let layout: [String]
  /// Disk space, roughly.
  public let size: String
  /// The terms, as far as known; the data set's own page decides.
  public let licence: String
  /// Where to ask for it.
  public let source: String
  /// What models of each modality find in the whole set.
  public let classes: [Classes]
  /// Counts to compare a copy with.
  public let published: [Published]
}

/// The reader of a published data set's official layout.
public protocol OfficialLayout: DatasetLayout {
  /// What the set is.
  var description: DatasetDescription { get }
  /// Relative paths of which one is there when the folder is this set.
  var marks: [String] { get }
  /// The samples of a tree.
  func read(_ tree: OfficialTree) throws -> SampleList
}

extension OfficialLayout {
  /// What the reader expects, from the description.
  public var expectation: String { "\(description.title) has \(description.layout.joined(separator: ", "))" }

  /// Whether one of the marks is there.
  public func recognises(_ url: URL) -> Bool {
    marks.contains { FileManager.default.fileExists(atPath: url.appendingPathComponent($0).path) }
  }

  /// Reads the folder.
  ///
  /// - Throws: `DatasetError` naming the list and the line, or what was expected in the folder and where it may be.
  public func read(_ url: URL, _ options: LayoutOptions) throws -> Dataset {
    let tree = OfficialTree(root: url, dataset: options.name)
    let list: SampleList
    do { list = try read(tree) } catch let error as DatasetError where error.subject == url.path {
      throw DatasetError(url.path, error.detail + hint(tree))
    }
    guard !list.samples.isEmpty else {
      throw DatasetError(url.path, "no samples found; \(expectation)\(hint(tree))")
    }
    return Dataset(samples: list.samples, extraColumns: list.extraColumns)
  }

  // What a folder that cannot be read may be instead: another set, or the parent of this one.
  private func hint(_ tree: OfficialTree) -> String {
    for name in tree.names(in: "") where recognises(tree.root.appendingPathComponent(name)) {
      return "; the folder \(name) in it looks like it, give \(tree.root.appendingPathComponent(name).path)"
    }
    let others = DatasetLayouts.official.filter { $0.name != name && $0.recognises(tree.root) }.map(\.name)
    return others.isEmpty ? "" : "; the folder looks like \(others.joined(separator: " or "))"
  }
}
