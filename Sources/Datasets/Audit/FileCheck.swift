internal import Files
public import Foundation

/// What is there of a data set, what is missing, and what is wrong with it.
public struct FileCheck: Encodable, Sendable {
  /// Whether a copy is whole, and if not, whether it can be trained on. Scripts tell them apart by the exit status.
  public enum Verdict: String, Codable, Sendable {
    /// All that lists name, and that the authors state, is here and can be used.
    case complete
    /// Something is not here; the rest can be used.
    case partial
    /// Something that is here is wrong: a file that cannot be read, equal files with both labels, or nothing to use.
    case faulty
  }

  /// A sample and what is wrong with it.
  public struct Finding: Codable, Sendable {
    /// The sample's id.
    public let sample: String
    /// The manifest's line that lists it, where there is a manifest.
    public let line: Int?
    /// What is wrong.
    public let reason: String
  }

  /// Samples that labels and names promise.
  public let listed: Int
  /// Samples whose files are there and can be used.
  public let have: Int
  /// Samples with a file that is not there.
  public let missing: [Finding]
  /// Samples with a file that is there but cannot be used.
  public let unreadable: [Finding]
  /// Media files that no sample names.
  public let extra: [String]
  /// Sets of samples whose files have the same bytes.
  public let duplicates: [[String]]
  /// Of these, sets with both labels.
  public let conflicts: [[String]]

  /// The counts beside the published ones; empty for other data.
  public let published: [PublishedCounts]

  /// What follows from all of it.
  public let verdict: Verdict

  /// Why it is not complete, as a clause; empty if it is.
  public var reason: String {
    let lacking = published.filter { !$0.isComplete }
    return [
      have == 0 ? "no sample can be used" : "",
      unreadable.isEmpty ? "" : "\(counted(unreadable.count, "sample")) cannot be read",
      conflicts.isEmpty ? "" : "\(counted(conflicts.count, "set")) of equal files with both labels",
      missing.isEmpty ? "" : "\(counted(missing.count, "listed sample")) missing",
      lacking.isEmpty ? "" : "\(counted(lacking.count, "published part")) not whole (\(lacking[0].part))",
    ].filter { !$0.isEmpty }.joined(separator: ", ")
  }

  /// Checks a scanned data set against its folder.
  ///
  /// - Parameter layout: how it was read; a published set is compared with what its authors state.
  /// - Throws: `DatasetError` when the folder cannot be read.
  public init(_ dataset: Dataset, root: URL, layout: (any DatasetLayout)? = nil) throws {
    var missing: [Finding] = []
    var unreadable: [Finding] = []
    var named: Set<String> = []
    var sets: [String: [Int]] = [:]
    for (index, sample) in dataset.samples.enumerated() {
      named.formUnion(sample.paths)
      if let hash = sample.sha256 { sets[hash, default: []].append(index) }
      guard let problem = sample.problem else { continue }
      let finding = Finding(sample: sample.id, line: sample.line, reason: problem)
      if problem.hasSuffix("the file is missing") { missing.append(finding) } else { unreadable.append(finding) }
    }
    var extra: [String] = []
    try FolderWalk.files(below: root) { path in
      if !FileKind.promised(by: path).isEmpty, !named.contains(path) { extra.append(path) }
    }
    let same = sets.values.filter { $0.count > 1 }.sorted { $0[0] < $1[0] }
    func ids(_ set: [Int]) -> [String] { set.map { dataset.samples[$0].id } }
    listed = dataset.samples.count
    have = dataset.usable.count
    published =
      try (layout as? any OfficialLayout).map { try PublishedCounts.compare(dataset, with: $0.description) } ?? []
    (self.missing, self.unreadable, self.extra) = (missing, unreadable, extra.sorted())
    duplicates = same.map(ids)
    conflicts = same.filter { set in Set(set.map { dataset.samples[$0].label }).count > 1 }.map(ids)
    let isFaulty = have == 0 || !unreadable.isEmpty || !conflicts.isEmpty
    let isPartial = !missing.isEmpty || !published.allSatisfy(\.isComplete)
    verdict = isFaulty ? .faulty : isPartial ? .partial : .complete
  }
}
