internal import Files
public import Foundation

// Datasets: layouts, statistics, folds, leak report, sampling plans: everything known of samples before their content
// is decoded for a model.

/// One `data` entry of an experiment: which reader reads which path.
public struct DataSource: Codable, Sendable, Hashable {
  /// Names the data set in tables; workers may give it another path.
  public var name: String
  /// The name of a `DatasetLayout`: `manifest`, `folders`, …; `auto` looks at the path.
  public var layout: String
  /// The manifest file, or the folder.
  public var path: String
  /// The data set's own column names by ours, e.g. `identity: speaker`.
  public var columns: [String: String]
  /// What its samples' weights in the loss are multiplied by, against other sets of the experiment.
  public var weight: Double

  /// An entry from its parts.
  public init(
    name: String, layout: String = "auto", path: String, columns: [String: String] = [:], weight: Double = 1
  ) {
    (self.name, self.layout, self.path, self.columns, self.weight) = (name, layout, path, columns, weight)
  }
}

/// Samples of one data entry, or of several joined ones.
public struct Dataset: Sendable {
  /// The samples; ids are unique within a data set.
  public var samples: [Sample]
  /// Names of the columns that Unmask does not know, kept and reported by; values are in `Sample.extra`.
  public var extraColumns: [String]

  /// A data set of these samples.
  ///
  /// - Traps: if a sample has other extra columns.
  public init(samples: [Sample], extraColumns: [String] = []) {
    precondition(
      samples.allSatisfy { $0.extra.count == extraColumns.count },
      "Dataset: a sample does not have the \(extraColumns.count) extra columns")
    self.samples = samples
    self.extraColumns = extraColumns
  }

  /// Reads what a source's label files and file names say; no media file is opened.
  ///
  /// - Throws: `DatasetError` or `FileProblem`, naming the file and the line.
  public init(reading source: DataSource) throws {
    let url = URL(fileURLWithPath: source.path)
    let layout = try DatasetLayouts.named(source.layout, at: url)
    guard source.columns.isEmpty || layout.name == "manifest" else {
      throw DatasetError(
        source.path, "column names can be given for a manifest only, and this is read as \(layout.name)")
    }
    self = try layout.read(url, LayoutOptions(name: source.name, columns: source.columns))
    guard source.weight > 0, source.weight.isFinite else {
      throw DatasetError(
        "data set \(source.name)", "its weight \(source.weight) is not a positive number; 1 changes nothing")
    }
    if source.weight != 1 { for index in samples.indices { samples[index].weight *= source.weight } }
    guard !samples.isEmpty else {
      throw DatasetError(source.path, "no samples are listed there; \(layout.expectation)")
    }
  }

  /// Several data entries as one; extra columns are united.
  ///
  /// Data sets of the same name in two entries stay one, unless both list a sample of the same name: then they are called
  /// as their entries are.
  ///
  /// - Throws: `DatasetError` when two entries have the same name, or such a sample still stands in two of them.
  public init(joining parts: [Dataset]) throws {
    if parts.count == 1 {
      self = parts[0]
      return
    }
    var columns: [String] = []
    for part in parts {
      for column in part.extraColumns where !columns.contains(column) { columns.append(column) }
    }
    var joined: [Sample] = []
    var roots: Set<String> = []
    for part in parts {
      let here = Set(part.samples.map(\.root))
      if let twice = here.intersection(roots).min() {
        throw DatasetError("data", "two entries are called \"\(twice)\"; give each its own name")
      }
      roots.formUnion(here)
      let places = columns.map { part.extraColumns.firstIndex(of: $0) }
      for var sample in part.samples {
        sample.extra = places.map { $0.map { sample.extra[$0] } ?? "" }
        joined.append(sample)
      }
    }
    // Manifests of two sets may call both alike and name their samples alike: then each goes by its entry's name.
    let firstRoot = Dictionary(joined.map { (SampleKey($0), $0.root) }, uniquingKeysWith: { first, _ in first })
    let unclear = Set(joined.filter { firstRoot[SampleKey($0)] != $0.root }.map(\.dataset))
    for index in joined.indices where unclear.contains(joined[index].dataset) {
      joined[index].dataset = joined[index].root
    }
    self.init(samples: joined, extraColumns: columns)
    var seen: Set<SampleKey> = []
    for sample in joined where !seen.insert(SampleKey(sample)).inserted {
      throw DatasetError(
        "data", "sample \(sample.id) of data set \(sample.dataset) stands in two entries; name one of the sets anew")
    }
  }

  /// The samples that can be used, by position.
  public var usable: [Int] { samples.indices.filter { samples[$0].problem == nil } }

  /// Refuses data that nothing can be learnt from.
  ///
  /// - Parameters:
  ///   - modality: whose labels to look at; nil for the samples' own.
  ///   - usableOnly: whether to leave out samples with a problem.
  /// - Throws: `DatasetError` when all of these samples have one class.
  public func requireTwoClasses(for modality: Modality? = nil, usableOnly: Bool = true) throws {
    var counts = [0, 0]
    for sample in samples where sample.problem == nil || !usableOnly {
      guard let modality else {
        counts[Int(sample.label.rawValue)] += 1
        continue
      }
      guard sample.modalities.contains(Modalities(modality)) else { continue }
      counts[Int(sample.label(for: modality).rawValue)] += 1
    }
    guard counts.contains(0) else { return }
    let names = Set(samples.map(\.dataset)).sorted().prefix(3).joined(separator: ", ")
    let what = modality.map { "\($0.rawValue) label" } ?? "label"
    throw DatasetError(
      names.isEmpty ? "data" : "data set \(names)",
      counts == [0, 0]
        ? "it has no usable \(modality?.rawValue ?? "sample"); `unmask datasets verify` says why"
        : "every\(usableOnly ? " usable" : "") sample has the \(what) \(counts[0] == 0 ? "fake" : "real") (\(counts.max()!) of them); "
          + "add samples of the other class, a detector needs both")
  }
}

/// What makes a sample unique in a run.
public struct SampleKey: Hashable, Sendable {
  /// The data set's name.
  public let dataset: String
  /// The sample's id in it.
  public let id: String

  /// The key of a sample.
  public init(_ sample: Sample) { (dataset, id) = (sample.dataset, sample.id) }

  /// A key from its parts.
  public init(dataset: String, id: String) { (self.dataset, self.id) = (dataset, id) }
}

/// Where this machine has each data entry. The coordinator and every worker have their own.
public struct DataRoots: Sendable {
  private var folders: [String: URL]
  /// Files of one sample that are elsewhere, by their relative paths.
  private var elsewhere: [String: URL] = [:]

  /// The places that the experiment names, each replaced by `overrides[name]` where given. A path may be a manifest
  /// file (its folder counts) or a folder.
  ///
  /// - Parameter mayLack: whether the experiment's own paths may be missing on this machine, as where files are fetched
  ///   from elsewhere; an override must be there.
  /// - Throws: `DatasetError` for an override of an unknown name, or a path that does not exist.
  public init(_ sources: [DataSource], overrides: [String: String] = [:], mayLack: Bool = false) throws {
    let names = sources.map(\.name)
    if let unknown = overrides.keys.sorted().first(where: { !names.contains($0) }) {
      throw DatasetError(
        "data set \"\(unknown)\"", "the experiment has no data of that name; \(suggestion(unknown, among: names))")
    }
    folders = [:]
    for source in sources {
      let url = URL(fileURLWithPath: overrides[source.name] ?? source.path)
      var isFolder: ObjCBool = false
      guard FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder) else {
        guard !mayLack || overrides[source.name] != nil else {
          folders[source.name] = url
          continue
        }
        throw DatasetError(
          url.path,
          "data set \"\(source.name)\" is not there; give its path on this machine with "
            + "--data \(source.name)=PATH")
      }
      folders[source.name] = isFolder.boolValue ? url : url.deletingLastPathComponent()
    }
  }

  /// The folder of a data entry.
  ///
  /// - Traps: if the roots were made without it.
  public func folder(of root: String) -> URL {
    guard let folder = folders[root] else { preconditionFailure("DataRoots: no data entry \"\(root)\"") }
    return folder
  }

  /// The file of a sample that has this modality; nil when it has none.
  public func file(_ sample: Sample, _ modality: Modality) -> URL? {
    sample.path(for: modality).map { url(sample, $0) }
  }

  /// The same for one sample, of which some files are elsewhere: these, by their relative paths.
  public func replacing(_ files: [String: URL]) -> DataRoots {
    var roots = self
    roots.elsewhere = files
    return roots
  }

  /// The place of one of a sample's relative paths.
  public func url(_ sample: Sample, _ path: String) -> URL {
    if let url = elsewhere[path] { return url }
    return folder(of: sample.root).appendingPathComponent(path, isDirectory: false)
  }
}
