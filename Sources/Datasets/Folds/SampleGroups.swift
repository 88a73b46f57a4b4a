import Files

/// Which samples must stay on one side of every split.
///
/// With `auto`, two samples belong together when they share an identity, a source, an identity that is the other's
/// source, the content of their files, or when one's source is the other's path: connected components over all of that.
/// A sample with a group of its own belongs to that group instead. Names count within a data set only, but for those
/// that begin with @: they mean the same person or recording in every data set.
public struct SampleGroups: Sendable {
  /// The group of each sample, from 0 on.
  public let indices: [Int]
  /// Names of the groups, for `folds.csv`.
  public let names: [String]

  /// How many groups there are.
  public var count: Int { names.count }

  /// The groups of a data set's samples.
  ///
  /// - Parameter rule: `auto`, `none` (each sample alone), or the name of a column: identity, source, group, type, split
  ///   or an extra one. A sample without a value is a group of its own.
  /// - Throws: `DatasetError` for an unknown column.
  /// - Cost: near linear.
  public init(_ dataset: Dataset, rule: String) throws {
    var builder = Builder(count: dataset.samples.count)
    switch rule {
    case "auto": builder.joinRelated(dataset.samples)
    case "none": break
    default:
      let value = try Self.column(rule, of: dataset)
      for (index, sample) in dataset.samples.enumerated() {
        if let value = value(sample), !value.isEmpty { builder.tie(index, to: value, in: sample.dataset, naming: true) }
      }
    }
    (indices, names) = builder.finish(dataset.samples)
  }

  init(indices: [Int], names: [String]) { (self.indices, self.names) = (indices, names) }

  /// How to read a column of a sample.
  ///
  /// - Throws: `DatasetError` listing the columns.
  static func column(_ name: String, of dataset: Dataset) throws -> @Sendable (Sample) -> String? {
    switch name {
    case "identity": return { $0.identity }
    case "source": return { $0.source }
    case "group": return { $0.group }
    case "type": return { $0.type }
    case "split": return { $0.split }
    case "dataset": return { $0.dataset }
    case "label": return { $0.label.name }
    case "audio_label": return { $0.audioLabel.name }
    case "visual_label": return { $0.visualLabel.name }
    default:
      if let place = dataset.extraColumns.firstIndex(of: name) { return { $0.extra[place] } }
      let known =
        ["identity", "source", "group", "type", "split", "dataset", "label", "audio_label", "visual_label"]
        + dataset.extraColumns
      throw DatasetError("column \"\(name)\"", "the data has no such column; \(suggestion(name, among: known))")
    }
  }

  /// Where a name counts: in its data set, or everywhere.
  static func scope(_ name: String, of dataset: String) -> String {
    name.utf8.first == UInt8(ascii: "@") ? "" : dataset
  }

  /// The values of an identity or source cell.
  static func values(_ cell: String) -> [String] {
    guard cell.utf8.contains(UInt8(ascii: ";")) else { return [cell] }
    return cell.split(separator: ";").map(\.trimmed).filter { !$0.isEmpty }
  }
}

/// Union and find over samples and the names that tie them.
private struct Builder {
  private var parents: [Int32]
  private var nodes: [TieName: Int32] = [:]
  private var nodeNames: [(node: Int32, name: String)] = []
  private let samples: Int

  private struct TieName: Hashable {
    let dataset: String
    let name: String
    let isGroup: Bool
  }

  init(count: Int) {
    precondition(count < 1 << 30, "SampleGroups: \(count) samples are more than the index type holds")
    samples = count
    parents = (0..<Int32(count)).map { $0 }
  }

  mutating func tie(_ sample: Int, to name: String, in dataset: String, naming isGroup: Bool = false) {
    let key = TieName(dataset: SampleGroups.scope(name, of: dataset), name: name, isGroup: isGroup)
    let node: Int32
    if let known = nodes[key] {
      node = known
    } else {
      node = Int32(parents.count)
      nodes[key] = node
      parents.append(node)
      nodeNames.append((node, name))
    }
    join(Int32(sample), node)
  }

  mutating func joinRelated(_ all: [Sample]) {
    var hasSource = false
    var firstOfHash: [String: Int32] = [:]
    for (index, sample) in all.enumerated() {
      if let group = sample.group {
        tie(index, to: group, in: sample.dataset, naming: true)
      } else {
        for cell in [sample.identity, sample.source] {
          guard let cell else { continue }
          for value in SampleGroups.values(cell) { tie(index, to: value, in: sample.dataset) }
        }
        hasSource = hasSource || sample.source != nil
      }
      guard let hash = sample.sha256 else { continue }
      if let first = firstOfHash[hash] { join(Int32(index), first) } else { firstOfHash[hash] = Int32(index) }
    }
    guard hasSource else { return }
    for (index, sample) in all.enumerated() where sample.group == nil {
      if let node = nodes[TieName(dataset: sample.dataset, name: sample.id, isGroup: false)] {
        join(Int32(index), node)
      }
    }
  }

  func finish(_ all: [Sample]) -> ([Int], [String]) {
    var roots = [Int32](repeating: 0, count: parents.count)
    for index in parents.indices {
      var root = Int32(index)
      while parents[Int(root)] != root { root = parents[Int(root)] }
      roots[index] = root
    }
    // A component is called by the smallest name that ties it, or by its smallest sample when nothing does: this and
    // the order of the groups do not depend on the order of the samples.
    var names = [String?](repeating: nil, count: parents.count)
    for (node, name) in nodeNames {
      let root = Int(roots[Int(node)])
      if names[root].map({ name < $0 }) ?? true { names[root] = name }
    }
    let tied = names.map { $0 != nil }
    for (index, sample) in all.enumerated() {
      let root = Int(roots[index])
      guard !tied[root] else { continue }
      if names[root].map({ sample.id < $0 }) ?? true { names[root] = sample.id }
    }
    var groupOfRoot = [Int](repeating: -1, count: parents.count)
    var indices: [Int] = []
    var groupNames: [String] = []
    indices.reserveCapacity(samples)
    for index in 0..<samples {
      let root = Int(roots[index])
      if groupOfRoot[root] < 0 {
        groupOfRoot[root] = groupNames.count
        groupNames.append(names[root]!)
      }
      indices.append(groupOfRoot[root])
    }
    return (indices, groupNames)
  }

  private mutating func join(_ a: Int32, _ b: Int32) {
    let (first, second) = (root(a), root(b))
    guard first != second else { return }
    parents[Int(max(first, second))] = min(first, second)
  }

  // With path halving, so that long chains stay short.
  private mutating func root(_ start: Int32) -> Int32 {
    var node = Int(start)
    while Int(parents[node]) != node {
      parents[node] = parents[Int(parents[node])]
      node = Int(parents[node])
    }
    return Int32(node)
  }
}
