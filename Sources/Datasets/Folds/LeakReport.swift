import Files

/// What the parts of a fold share although they should not: groups, identities, sources, and files of the same content;
/// and how many samples of each class every part has. It looks at the finished plan, whoever made it.
public struct LeakReport: Codable, Sendable, Equatable {
  /// What two parts share.
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// A group of the plan.
    case group
    /// A person.
    case identity
    /// Material, or a person, that something in another part was made from.
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
    /// Samples that share a group, a person, a source or their content with another part.
    public internal(set) var shared = 0
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
    var (names, hashes) = (NameTable(), NameTable())
    let identities = Values(samples) { sample, add in
      for value in sample.identity.map(SampleGroups.values) ?? [] { add(names.number(of: sample.dataset, value)) }
    }
    let sources = Values(samples) { sample, add in
      for value in sample.source.map(SampleGroups.values) ?? [] { add(names.number(of: sample.dataset, value)) }
    }
    // A sample that others were made from may be named by its path.
    let own = Values(samples) { sample, add in names.known(sample.dataset, sample.id).map(add) }
    let contents = Values(samples) { sample, add in sample.sha256.map { add(hashes.number(of: "", $0)) } }
    let groups = Values(indices: plan.groups.indices)
    unhashed = samples.count { $0.sha256 == nil }
    var isSource = [Bool](repeating: false, count: names.names.count)
    for value in sources.values { isSource[Int(value)] = true }
    for fold in 0..<plan.count {
      let parts = plan.parts[fold]
      var isShared = [Bool](repeating: false, count: samples.count)
      // Of people who are joined only through others, not every sample shares something: a group counts by itself where it
      // was given.
      var inSharedGroup = isShared
      let inGroups = crossing([groups], parts, plan.groups.count, &inSharedGroup)
      if plan.settings.group == "auto" {
        for index in samples.indices where samples[index].group == nil { inSharedGroup[index] = false }
      }
      isShared = inSharedGroup
      let inIdentities = crossing([identities], parts, names.names.count, &isShared)
      // Someone's own recordings on one side, and what was made from them on the other.
      var inSources = crossing([sources, identities, own], parts, names.names.count, &isShared) { isSource[$0] }
      inSources.removeAll { value in inIdentities.contains { $0.value == value.value } }
      let inContents = crossing([contents], parts, hashes.names.count, &isShared)
      add(.group, inGroups, fold, [groups]) { plan.groups.names[$0] }
      add(.identity, inIdentities, fold, [identities]) { names.names[$0] }
      add(.source, inSources, fold, [sources, identities, own]) { names.names[$0] }
      add(.content, inContents, fold, [contents]) { hashes.names[$0] }
      for place in self.parts.indices where self.parts[place].fold == fold {
        let part = self.parts[place].part
        self.parts[place].shared = parts.indices.count { parts[$0] == part && isShared[$0] }
      }
    }
    let order = Dictionary(uniqueKeysWithValues: zip(Kind.allCases, 0...))
    crossings.sort { (order[$0.kind]!, $0.fold) < (order[$1.kind]!, $1.fold) }
    var firstOfHash = [Int](repeating: -1, count: hashes.names.count)
    var isSet = [Bool](repeating: false, count: hashes.names.count)
    for index in samples.indices {
      guard let hash = contents.of(index).first.map(Int.init) else { continue }
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
        "LEAK: \(counted(count, "time")) \(kind == .identity ? "an" : "a") \(kind.rawValue) lies in several parts of a fold; for example \(what) in "
          + "\(example.parts.map(\.rawValue).joined(separator: " and ")) of fold \(example.fold)")
    }
    if let sharedTests { result.append("LEAK: \(sharedTests)") }
    if let conflict = conflictingDuplicates.first {
      let files = counted(conflictingDuplicates.count, "file has", "files have")
      result.append("\(files) the same content as a file of the other label: \(conflict)")
    }
    for part in parts where part.counts.smaller == 0 && part.part != .unused {
      result.append(
        "fold \(part.fold) has \(part.counts.real) real and \(part.counts.fake) fake samples in \(part.part.rawValue) "
          + "by their own label: metrics by it will be undefined; use fewer folds or add groups of the missing class")
    }
    return result
  }

  /// The worst of what is shared, as a clause; nil if nothing is.
  var leak: String? {
    sharedTests
      ?? crossings.first.map { crossing in
        "the \(crossing.kind.rawValue) \"\(crossing.value)\" lies in "
          + crossing.parts.map(\.rawValue).joined(separator: " and ")
      }
  }

  // How many test samples share something, in the fold where it is worst.
  private var sharedTests: String? {
    parts.filter { $0.part == .test && $0.shared > 0 }.max { $0.shared < $1.shared }.map { worst in
      "\(worst.shared) of \(counted(worst.counts.total, "test sample")) of fold \(worst.fold) share a group, a person, a "
        + "source or their content with training or validation"
    }
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

  // The values that lie in several parts of a fold, with these parts as bits; `isShared` is set for samples with one.
  private func crossing(
    _ lists: [Values], _ parts: [Part], _ count: Int, _ isShared: inout [Bool],
    where counts: (Int) -> Bool = { _ in true }
  ) -> [(value: Int, parts: UInt8)] {
    var places = [UInt8](repeating: 0, count: count)
    for list in lists {
      for index in parts.indices { for value in list.of(index) { places[Int(value)] |= parts[index].bit } }
    }
    var found: [(value: Int, parts: UInt8)] = []
    for value in 0..<count {
      if (places[value] & ~Part.unused.bit).nonzeroBitCount > 1, counts(value) {
        found.append((value, places[value]))
      } else {
        places[value] = 0
      }
    }
    guard !found.isEmpty else { return [] }
    for list in lists {
      for index in parts.indices where list.of(index).contains(where: { places[Int($0)] != 0 }) {
        isShared[index] = true
      }
    }
    return found
  }

  private mutating func add(
    _ kind: Kind, _ found: [(value: Int, parts: UInt8)], _ fold: Int, _ lists: [Values], _ name: (Int) -> String
  ) {
    guard !found.isEmpty else { return }
    let shown = crossings.count { $0.kind == kind }
    crossingCounts[kind.rawValue, default: 0] += found.count
    for (value, parts) in found.prefix(max(0, 20 - shown)) {
      crossings.append(
        Crossing(
          kind: kind, value: name(value), fold: fold,
          parts: Part.allCases.filter { $0 != .unused && parts & $0.bit != 0 },
          samples: lists.reduce(0) { $0 + $1.values.count { $0 == Int32(value) } }))
    }
  }
}

/// The numbers of what each sample has of some kind, one sample after the other.
private struct Values {
  private(set) var values: [Int32] = []
  private var starts: [Int32] = [0]

  init(_ samples: [Sample], _ fill: (Sample, (Int) -> Void) -> Void) {
    starts.reserveCapacity(samples.count + 1)
    var all: [Int32] = []
    for sample in samples {
      fill(sample) { all.append(Int32($0)) }
      starts.append(Int32(all.count))
    }
    values = all
  }

  init(indices: [Int]) {
    values = indices.map(Int32.init)
    starts = (0...indices.count).map(Int32.init)
  }

  func of(_ sample: Int) -> ArraySlice<Int32> { values[Int(starts[sample])..<Int(starts[sample + 1])] }
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

  /// The number of a name that has one.
  func known(_ dataset: String, _ name: String) -> Int? { numbers[key(dataset, name)] }

  private func key(_ dataset: String, _ name: String) -> SampleKey {
    SampleKey(dataset: SampleGroups.scope(name, of: dataset), id: name)
  }

  mutating func number(of dataset: String, _ name: String) -> Int {
    let key = key(dataset, name)
    if let known = numbers[key] { return known }
    numbers[key] = names.count
    names.append(name)
    return names.count - 1
  }
}
