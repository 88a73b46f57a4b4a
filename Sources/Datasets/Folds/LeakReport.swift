/// What the parts of a fold share although they should not: groups, identities, sources, and files of the same content;
/// and how many samples of each class every part has. It looks at the finished plan, whoever made it.
public struct LeakReport: Codable, Sendable, Equatable {
  /// What two parts share.
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// A group of the plan.
    case group
    /// A person.
    case identity
    /// Material that something was made from.
    case source
    /// Files with the same bytes.
    case content
  }

  /// One thing that lies in several parts of a fold.
  public struct Crossing: Codable, Sendable, Equatable {
    /// What it is.
    public let kind: Kind
    /// The group, identity, source or hash.
    public let value: String
    /// The fold.
    public let fold: Int
    /// The parts that have it.
    public let parts: [Part]
    /// How many samples have it.
    public let samples: Int
  }

  /// The class counts of one part of one fold.
  public struct PartCounts: Codable, Sendable, Equatable {
    /// The fold.
    public let fold: Int
    /// The part.
    public let part: Part
    /// Real and fake samples.
    public let counts: ClassCounts
    /// Groups.
    public let groups: Int
  }

  /// The first crossings of each kind, at most 20 a kind.
  public var crossings: [Crossing] = []
  /// How many crossings of each kind there are in all.
  public var crossingCounts: [String: Int] = [:]
  /// Class counts of every part.
  public var parts: [PartCounts] = []
  /// Sets of files with the same bytes.
  public var duplicateSets = 0
  /// Of these, sets whose samples have different labels, by one sample of each.
  public var conflictingDuplicates: [String] = []
  /// Samples without a content hash, which could not be compared.
  public var unhashed = 0

  /// Whether nothing crosses.
  public var isClean: Bool { crossings.isEmpty }

  /// Looks for leaks in a plan.
  ///
  /// - Cost: samples × folds.
  public init(_ plan: FoldPlan, of dataset: Dataset) {
    let samples = dataset.samples
    precondition(samples.count == plan.testFold.count, "LeakReport: the plan is of another data set")
    countParts(plan, samples)
    find(.group, plan, samples.indices.map { [plan.groups.indices[$0]] }) { plan.groups.names[$0] }
    for (kind, cell) in [(Kind.identity, \Sample.identity), (.source, \Sample.source)] {
      var values = NameTable()
      let numbers = samples.map { sample -> [Int] in
        guard let text = sample[keyPath: cell] else { return [] }
        return SampleGroups.values(text).map { values.number(of: sample.dataset, $0) }
      }
      find(kind, plan, numbers) { values.names[$0] }
    }
    var hashes = NameTable()
    let numbers = samples.map { sample in sample.sha256.map { [hashes.number(of: "", $0)] } ?? [] }
    unhashed = numbers.count { $0.isEmpty }
    find(.content, plan, numbers) { hashes.names[$0] }
    var firstOfHash = [Int](repeating: -1, count: hashes.names.count)
    var isSet = [Bool](repeating: false, count: hashes.names.count)
    for (index, number) in numbers.enumerated() {
      guard let hash = number.first else { continue }
      guard firstOfHash[hash] >= 0 else {
        firstOfHash[hash] = index
        continue
      }
      if !isSet[hash] { duplicateSets += 1 }
      isSet[hash] = true
      let first = samples[firstOfHash[hash]]
      if first.label != samples[index].label {
        conflictingDuplicates.append(
          "\(first.id) is \(first.label.name), \(samples[index].id) \(samples[index].label.name)")
      }
    }
  }

  /// Sentences for the user, worst first; empty when all is well.
  public var warnings: [String] {
    var result: [String] = []
    for kind in Kind.allCases {
      guard let count = crossingCounts[kind.rawValue], let example = crossings.first(where: { $0.kind == kind }) else {
        continue
      }
      let what = kind == .content ? "files with the same content" : "\(kind.rawValue) \"\(example.value)\""
      result.append(
        "LEAK: \(count) times \(kind == .identity ? "an" : "a") \(kind.rawValue) lies in several parts of a fold; for example \(what) in "
          + "\(example.parts.map(\.rawValue).joined(separator: " and ")) of fold \(example.fold)")
    }
    if let conflict = conflictingDuplicates.first {
      result.append(
        "\(conflictingDuplicates.count) files have the same content as a file of the other label: \(conflict)")
    }
    for part in parts where part.counts.smaller == 0 && part.part != .unused {
      result.append(
        "fold \(part.fold) has \(part.counts.real) real and \(part.counts.fake) fake samples in \(part.part.rawValue): "
          + "its metrics will be undefined; use fewer folds or add groups of the missing class")
    }
    return result
  }

  private mutating func countParts(_ plan: FoldPlan, _ samples: [Sample]) {
    for fold in 0..<plan.count {
      var counts = [Part: ClassCounts]()
      var groups = [Part: Int]()
      var seen = [UInt8](repeating: 0, count: plan.groups.count)
      for (index, part) in plan.parts[fold].enumerated() {
        counts[part, default: ClassCounts()].add(samples[index].label)
        let group = plan.groups.indices[index]
        if seen[group] & part.bit == 0 { groups[part, default: 0] += 1 }
        seen[group] |= part.bit
      }
      for part in Part.allCases where part != .unused || counts[part] != nil {
        parts.append(
          PartCounts(fold: fold, part: part, counts: counts[part] ?? ClassCounts(), groups: groups[part] ?? 0))
      }
    }
  }

  // `numbers` are, for each sample, the values of this kind that it has.
  private mutating func find(_ kind: Kind, _ plan: FoldPlan, _ numbers: [[Int]], _ name: (Int) -> String) {
    let count = (numbers.lazy.compactMap { $0.max() }.max() ?? -1) + 1
    guard count > 0 else { return }
    var occurrences = [Int32](repeating: 0, count: count)
    for list in numbers { for value in list { occurrences[value] += 1 } }
    var shown = 0
    for fold in 0..<plan.count {
      var places = [UInt8](repeating: 0, count: count)
      for (index, list) in numbers.enumerated() { for value in list { places[value] |= plan.parts[fold][index].bit } }
      for value in 0..<count where (places[value] & ~Part.unused.bit).nonzeroBitCount > 1 {
        crossingCounts[kind.rawValue, default: 0] += 1
        guard shown < 20 else { continue }
        shown += 1
        crossings.append(
          Crossing(
            kind: kind, value: name(value), fold: fold,
            parts: Part.allCases.filter { $0 != .unused && places[value] & $0.bit != 0 },
            samples: Int(occurrences[value])))
      }
    }
  }
}

extension Part {
  fileprivate var bit: UInt8 {
    switch self {
    case .train: 1
    case .validation: 2
    case .test: 4
    case .unused: 8
    }
  }
}

/// Numbers for names, by first appearance.
private struct NameTable {
  private(set) var names: [String] = []
  private var numbers: [SampleKey: Int] = [:]

  mutating func number(of dataset: String, _ name: String) -> Int {
    let key = SampleKey(dataset: dataset, id: name)
    if let known = numbers[key] { return known }
    numbers[key] = names.count
    names.append(name)
    return names.count - 1
  }
}
