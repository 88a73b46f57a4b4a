public import Foundation

/// What a person should know of a published data set before and after getting it.
public struct DatasetDescription: Codable, Sendable {
  /// Counts that the authors, or the official lists, state.
  public struct Published: Codable, Sendable {
    /// Which part: `train`, `test`, `all`.
    public let part: String
    /// Its samples.
    public let counts: ClassCounts

    init(_ part: String, real: Int, fake: Int) {
      (self.part, counts) = (part, ClassCounts(real: real, fake: fake))
    }
  }

  /// The full name.
  public let title: String
  /// What it holds.
  public let what: String
  /// What it is good for, and what to beware of.
  public let use: String
  /// How it lies on disk, one line a folder or file.
  public let layout: [String]
  /// Disk space, roughly.
  public let size: String
  /// The terms, as far as known; the data set's own page decides.
  public let licence: String
  /// Where to ask for it.
  public let source: String
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
  /// - Throws: `DatasetError` naming the list and the line, or what was expected in the folder.
  public func read(_ url: URL, _ options: LayoutOptions) throws -> Dataset {
    let list = try read(OfficialTree(root: url, dataset: options.name))
    guard !list.samples.isEmpty else { throw DatasetError(url.path, "no samples found; \(expectation)") }
    return Dataset(samples: list.samples, extraColumns: list.extraColumns)
  }
}
