import Files

/// A part of the data within one fold.
public enum Part: String, Codable, Sendable, CaseIterable {
  /// Weights are fitted on it.
  case train
  /// Epochs, thresholds, calibration and fusion weights are chosen on it.
  case validation
  /// It is scored once.
  case test
  /// It takes no part in the fold: either side would be a leak, or the protocol has no use for it.
  case unused
}

/// Which part every sample has in every fold. Over the k folds of a cross-validation each sample is tested exactly once; other
/// protocols may leave samples out. A pure function of the samples, the settings and the seed; the order of the samples does
/// not matter.
public struct FoldPlan: Sendable {
  /// The settings that it was made with.
  public let settings: FoldSettings
  /// The group of each sample.
  public let groups: SampleGroups
  /// The first fold that tests each sample; -1 where none does.
  public let testFold: [Int]
  /// `parts[fold][sample]`.
  public let parts: [[Part]]
  /// What each fold is called: what it leaves out or is trained on. Empty for the folds of a cross-validation.
  public let names: [String]

  /// Number of folds.
  public var count: Int { parts.count }

  /// Divides a data set.
  ///
  /// - Throws: `DatasetError` when there are fewer groups than folds, only one class, or an unknown column.
  /// - Cost: samples × folds; a few seconds for a million samples.
  public init(_ dataset: Dataset, _ settings: FoldSettings, seed: UInt64) throws {
    try settings.validate()
    try dataset.requireTwoClasses(usableOnly: false)
    if settings.protocol == .given {
      self = try FoldTable.given(dataset, settings, seed: seed)
      return
    }
    let samples = dataset.samples
    let groups = try SampleGroups(dataset, rule: settings.group)
    let least = settings.protocol == .kFold ? max(settings.count, 3) : 3  // train, validation and test need one each
    guard groups.count >= least else {
      throw DatasetError(
        "folds",
        "the \(counted(samples.count, "sample")) form only \(counted(groups.count, "group")) (\(settings.group) over identity and "
          + "source), and \(settings.count) folds need at least \(least); ask for fewer folds, add samples of others, or "
          + "choose another column with --group. \(Self.alternatives(dataset))")
    }
    let (strata, stratumCount) = try Self.strata(dataset, settings.stratify)
    let balancer = GroupBalancer(
      groups: groups, strata: strata, stratumCount: stratumCount, labels: samples.map { Int32($0.label.rawValue) },
      labelCount: Label.allCases.count)
    var (test, parts, names) = ([Int](repeating: -1, count: samples.count), [[Part]](), [String]())
    for (time, seed) in settings.seeds(seed).enumerated() {
      let ranks = Self.ranks(groups, samples, seed: seed)
      let found =
        settings.protocol == .kFold
        ? Self.crossValidation(settings, groups, balancer, ranks, seed)
        : try Self.dividing(dataset, settings, groups, balancer, ranks, seed)
      for (fold, part) in found.enumerated() {
        for index in part.parts.indices where part.parts[index] == .test && test[index] < 0 {
          test[index] = parts.count
        }
        parts.append(part.parts)
        if settings.protocol != .kFold {
          names.append(time == 0 ? part.name : "\(part.name) (\(time + 1))")
        } else if settings.repeats > 1 {
          names.append("\(fold) of repetition \(time + 1)")
        }
      }
    }
    (testFold, self.parts, self.names) = (test, parts, names)
    (self.settings, self.groups) = (settings, groups)
    guard settings.protocol != .kFold else { return }
    for (fold, name) in names.enumerated() {
      for part in [Part.train, .validation, .test] where !parts[fold].contains(part) {
        throw DatasetError(
          "folds.protocol",
          "the \(part.rawValue) part of the fold \(name) is empty; add samples or use another protocol")
      }
    }
  }

  // k folds over all groups: one fold tests each.
  private static func crossValidation(
    _ settings: FoldSettings, _ groups: SampleGroups, _ balancer: GroupBalancer, _ ranks: [UInt64], _ seed: UInt64
  ) -> [(name: String, parts: [Part])] {
    let all = ordered(Array(0..<groups.count), ranks)
    let dealt = balancer.deal(
      all, shares: [Double](repeating: 1 / Double(settings.count), count: settings.count), rank: ranks)
    var foldOfGroup = [Int](repeating: 0, count: groups.count)
    for (position, group) in all.enumerated() { foldOfGroup[group] = dealt[position] }
    return (0..<settings.count).map { fold in
      var partOfGroup = [Part](repeating: .test, count: groups.count)
      let rest = all.filter { foldOfGroup[$0] != fold }
      let isValidation = validation(rest, settings, balancer, ranks, seed, fold)
      for (position, group) in rest.enumerated() { partOfGroup[group] = isValidation[position] ? .validation : .train }
      return ("", groups.indices.map { partOfGroup[$0] })
    }
  }

  /// Divides validation off the training part of folds that only say what is tested.
  static func withValidation(
    _ parts: [[Part]], _ dataset: Dataset, _ settings: FoldSettings, _ groups: SampleGroups, seed: UInt64
  ) throws -> [[Part]] {
    let (strata, stratumCount) = try strata(dataset, settings.stratify)
    let balancer = GroupBalancer(
      groups: groups, strata: strata, stratumCount: stratumCount,
      labels: dataset.samples.map { Int32($0.label.rawValue) }, labelCount: Label.allCases.count)
    let ranks = ranks(groups, dataset.samples, seed: seed)
    return parts.enumerated().map { fold, parts in
      var isRest = [Bool](repeating: false, count: groups.count)
      for index in parts.indices where parts[index] == .train { isRest[groups.indices[index]] = true }
      let rest = ordered((0..<groups.count).filter { isRest[$0] }, ranks)
      var chosen = [Bool](repeating: false, count: groups.count)
      for (group, isValidation) in zip(rest, validation(rest, settings, balancer, ranks, seed, fold)) {
        chosen[group] = isValidation
      }
      return parts.indices.map { index in
        parts[index] == .train && chosen[groups.indices[index]] ? .validation : parts[index]
      }
    }
  }

  // The folds of another protocol.
  private static func dividing(
    _ dataset: Dataset, _ settings: FoldSettings, _ groups: SampleGroups, _ balancer: GroupBalancer, _ ranks: [UInt64],
    _ seed: UInt64
  ) throws -> [(name: String, parts: [Part])] {
    let scheme = try scheme(dataset, settings, groups) { chosen, bins in
      let sorted = ordered(chosen, ranks)
      let dealt = balancer.deal(sorted, shares: [Double](repeating: 1 / Double(bins), count: bins), rank: ranks)
      var bin = [Int: Int]()
      for (position, group) in sorted.enumerated() { bin[group] = dealt[position] }
      return chosen.map { bin[$0]! }
    }
    return scheme.enumerated().map { fold, found in
      // Whole groups are divided: one of which anything is dealt out goes to one side.
      var isRest = [Bool](repeating: false, count: groups.count)
      for (index, role) in found.roles.enumerated() where role == .rest { isRest[groups.indices[index]] = true }
      let rest = ordered((0..<groups.count).filter { isRest[$0] }, ranks)
      let isValidation = validation(rest, settings, balancer, ranks, seed, fold)
      var chosen = [Bool](repeating: false, count: groups.count)
      for (position, group) in rest.enumerated() { chosen[group] = isValidation[position] }
      let parts = found.roles.enumerated().map { index, role -> Part in
        switch role {
        case .rest: chosen[groups.indices[index]] ? .validation : .train
        case .train: .train
        case .validation: .validation
        case .test: .test
        case .unused: .unused
        }
      }
      return (found.name, parts)
    }
  }

  private static func validation(
    _ rest: [Int], _ settings: FoldSettings, _ balancer: GroupBalancer, _ ranks: [UInt64], _ seed: UInt64, _ fold: Int
  ) -> [Bool] {
    var random = KeyedRandom(seed: seed, purpose: "validation", fold)
    let key = random.next()
    let order = ranks.map { KeyedRandom.mixed($0 ^ key) }  // other ties in every fold
    var isValidation = balancer.deal(rest, shares: [1 - settings.validation, settings.validation], rank: order)
      .map { $0 == 1 }
    repair(&isValidation, rest, balancer, order)
    return isValidation
  }

  init(settings: FoldSettings, groups: SampleGroups, testFold: [Int], parts: [[Part]], names: [String] = []) {
    (self.settings, self.groups, self.testFold, self.parts) = (settings, groups, testFold, parts)
    self.names = names
  }

  /// Which repetition a fold belongs to, from 0.
  public func repetition(of fold: Int) -> Int { fold / max(1, count / max(1, settings.repeats)) }

  /// The samples of a part of a fold, by position.
  public func indices(_ part: Part, fold: Int) -> [Int] {
    parts[fold].indices.filter { parts[fold][$0] == part }
  }

  // The combination of the columns' values, numbered; label always belongs to it through the balancer's own labels.
  private static func strata(_ dataset: Dataset, _ columns: [String]) throws -> ([Int32], Int) {
    let readers = try columns.map { try SampleGroups.column($0, of: dataset) }
    var numbers: [[String]: Int32] = [:]
    let strata = dataset.samples.map { sample in
      let values = readers.map { $0(sample) ?? "" }
      if let known = numbers[values] { return known }
      numbers[values] = Int32(numbers.count)
      return Int32(numbers.count - 1)
    }
    // Numbers by value, not by first appearance: the order of the samples must not matter.
    let sorted = numbers.keys.sorted { $0.lexicographicallyPrecedes($1) }
    var renumbered = [Int32](repeating: 0, count: sorted.count)
    for (new, key) in sorted.enumerated() { renumbered[Int(numbers[key]!)] = Int32(new) }
    return (strata.map { renumbered[Int($0)] }, max(sorted.count, 1))
  }

  // A random number of each group: the smallest of its samples'.
  private static func ranks(_ groups: SampleGroups, _ samples: [Sample], seed: UInt64) -> [UInt64] {
    var ranks = [UInt64](repeating: .max, count: groups.count)
    for (index, sample) in samples.enumerated() {
      let rank = KeyedRandom.rank(seed: seed, sample.dataset, sample.id)
      ranks[groups.indices[index]] = min(ranks[groups.indices[index]], rank)
    }
    return ranks
  }

  private static func ordered(_ groups: [Int], _ ranks: [UInt64]) -> [Int] {
    var keyed = groups.map { (rank: ranks[$0], group: $0) }
    keyed.sort { $0.rank < $1.rank }
    return keyed.map(\.group)
  }

  // A small share of few groups may leave validation without a class, or train: then the smallest group that mends it
  // moves, if its old part can spare it.
  private static func repair(_ isValidation: inout [Bool], _ groups: [Int], _ balancer: GroupBalancer, _ rank: [UInt64])
  {
    var counts = [ClassCounts(), ClassCounts()]  // groups with each label, in train and in validation
    let present = groups.map { balancer.labelBits($0) }
    for (position, bits) in present.enumerated() {
      for label in Label.allCases where bits & label.bit != 0 { counts[isValidation[position] ? 1 : 0].add(label) }
    }
    for part in [1, 0] {
      for label in Label.allCases where counts[part][label] == 0 {
        let other = 1 - part
        let candidates = groups.indices.filter { position in
          (isValidation[position] ? 1 : 0) == other && present[position] & label.bit != 0
            && Label.allCases.allSatisfy { present[position] & $0.bit == 0 || counts[other][$0] > 1 }
        }
        let smallest = candidates.min {
          (balancer.size(groups[$0]), rank[groups[$0]]) < (balancer.size(groups[$1]), rank[groups[$1]])
        }
        guard let smallest else { continue }
        isValidation[smallest] = part == 1
        for moved in Label.allCases where present[smallest] & moved.bit != 0 {
          counts[part].add(moved)
          counts[other].remove(moved)
        }
      }
    }
  }
}

extension Label {
  fileprivate var bit: UInt8 { 1 << rawValue }
}
