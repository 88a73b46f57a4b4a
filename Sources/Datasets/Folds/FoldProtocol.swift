import Files

/// How training and test are kept apart: all are folds of the same kind, seeded and exportable.
public enum FoldProtocol: String, Codable, Sendable, CaseIterable {
  /// Cross-validation: every sample is tested once.
  case kFold = "k-fold"
  /// The parts that the data sets' authors published, one fold. Without a validation part a share of train becomes it.
  case official
  /// One fold a kind of fake: tested on it, trained on the others.
  case leaveOneTypeOut = "leave-one-type-out"
  /// One fold a data set: tested on it, trained on the others.
  case leaveOneDatasetOut = "leave-one-dataset-out"
  /// One fold a data set: trained on it, tested on a share of every one.
  case crossDataset = "cross-dataset"
  /// The parts of a file, such as an exported `folds.csv`.
  case given

  /// What it does, for help texts and reports.
  public var explanation: String {
    switch self {
    case .kFold: "each sample is tested once, by a model that saw nothing of its group"
    case .official: "the data sets' published parts"
    case .leaveOneTypeOut: "each kind of fake is tested by a model that was trained on the other kinds"
    case .leaveOneDatasetOut: "each data set is tested by a model that was trained on the others"
    case .crossDataset: "a model of each data set is tested on all of them"
    case .given: "the parts that a file gives"
    }
  }

  /// Reads a name; `leave-one-method-out` is another one for `leave-one-type-out`.
  ///
  /// - Throws: `DatasetError` naming the nearest one.
  public init(name: String) throws {
    if name == "leave-one-method-out" {
      self = .leaveOneTypeOut
      return
    }
    guard let known = FoldProtocol(rawValue: name) else {
      throw DatasetError(
        "folds.protocol",
        "\"\(name)\" is unknown; \(suggestion(name, among: Self.allCases.map(\.rawValue)))")
    }
    self = known
  }

  /// Reads a name.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    do { try self.init(name: container.decode(String.self)) } catch let error as DatasetError {
      throw DecodingError.dataCorruptedError(in: container, debugDescription: error.detail)
    }
  }
}

extension FoldPlan {
  /// What a sample is for in one fold before validation is divided off: `validation` and `train` are fixed, `rest` is yet to
  /// be dealt out to these two.
  enum Role: UInt8 {
    case rest, train, validation, test, unused
  }

  /// The folds of every protocol but `kFold`: names and roles.
  ///
  /// - Throws: `DatasetError` when the data does not suit the protocol.
  static func scheme(
    _ dataset: Dataset, _ settings: FoldSettings, _ groups: SampleGroups, deal: ([Int], Int) -> [Int]
  ) throws -> [(name: String, roles: [Role])] {
    switch settings.protocol {
    case .kFold, .given: preconditionFailure("FoldPlan: \(settings.protocol.rawValue) needs no scheme")
    case .official: return [("official", try officialRoles(dataset))]
    case .leaveOneTypeOut: return try typeRoles(dataset, groups, deal)
    case .leaveOneDatasetOut, .crossDataset:
      return try datasetRoles(dataset, groups, deal, isCross: settings.protocol == .crossDataset, count: settings.count)
    }
  }

  static func officialRoles(_ dataset: Dataset) throws -> [Role] {
    let names = Set(dataset.samples.compactMap { $0.split.map(partName) })
    guard names.isSuperset(of: ["train", "test"]) else {
      throw DatasetError(
        "folds.protocol",
        "the data has no official train and test parts"
          + (names.isEmpty ? "" : " (only \(names.sorted().joined(separator: ", ")))")
          + "; put the official lists beside it or use k-fold")
    }
    let hasValidation = names.contains("validation")
    return dataset.samples.map { sample in
      switch sample.split.map(partName) {
      case "train": hasValidation ? .train : .rest
      case "validation": .validation
      case "test": .test
      default: .unused
      }
    }
  }

  // The words for a part that label files use.
  static func partName(_ split: String) -> String {
    switch split.lowercased() {
    case "train", "training": "train"
    case "val", "valid", "validation", "dev", "development": "validation"
    case "test", "testing", "eval", "evaluation": "test"
    case let other: other
    }
  }

  // A group of one kind of fake alone is tested whole by its kind's fold. All others (of real samples, or of several kinds)
  // are dealt out: a fold tests the real samples and its kind's fakes of its share, and trains on the other shares.
  private static func typeRoles(
    _ dataset: Dataset, _ groups: SampleGroups, _ deal: ([Int], Int) -> [Int]
  ) throws -> [(name: String, roles: [Role])] {
    let kinds = dataset.samples.map { $0.label == .real ? "" : $0.type.isEmpty ? "unspecified" : $0.type }
    let names = Set(kinds).subtracting([""]).sorted()
    guard names.count > 1 else {
      throw DatasetError(
        "folds.protocol",
        "leave-one-type-out needs two kinds of fake, and the data has \(names.isEmpty ? "none" : names[0]); name them in "
          + "the column type or use k-fold")
    }
    let numbers = Dictionary(uniqueKeysWithValues: zip(names, names.indices))
    // -2: not seen yet, -1: mixed or real.
    var pure = [Int](repeating: -2, count: groups.count)
    for (index, kind) in kinds.enumerated() {
      let (group, number) = (groups.indices[index], numbers[kind] ?? -1)
      pure[group] = pure[group] == -2 || pure[group] == number ? number : -1
    }
    let mixed = pure.indices.filter { pure[$0] < 0 }
    guard mixed.count >= names.count else {
      throw DatasetError(
        "folds.protocol",
        "leave-one-type-out deals real samples out to \(names.count) folds, and the data has "
          + "\(counted(mixed.count, "group")) with real samples; add some or use k-fold")
    }
    var share = [Int](repeating: -1, count: groups.count)
    for (group, bin) in zip(mixed, deal(mixed, names.count)) { share[group] = bin }
    return names.enumerated().map { fold, name in
      (
        name,
        kinds.indices.map { index -> Role in
          let (group, kind) = (groups.indices[index], numbers[kinds[index]] ?? -1)
          if pure[group] >= 0 { return pure[group] == fold ? .test : .rest }
          if share[group] == fold { return kind == fold || kind < 0 ? .test : .unused }
          return kind == fold ? .unused : .rest
        }
      )
    }
  }

  private static func datasetRoles(
    _ dataset: Dataset, _ groups: SampleGroups, _ deal: ([Int], Int) -> [Int], isCross: Bool, count: Int
  ) throws -> [(name: String, roles: [Role])] {
    let names = Set(dataset.samples.map(\.dataset)).sorted()
    guard names.count > 1 else {
      throw DatasetError(
        "folds.protocol",
        "this protocol needs two data sets, and there is only \(names.first ?? "none"); add one under data")
    }
    guard isCross else {
      return names.map { name in
        let held = dataset.samples.map { $0.dataset == name }
        let blocked = Set(held.indices.filter { held[$0] }.map { groups.indices[$0] })
        return (
          name,
          held.indices.map { held[$0] ? .test : blocked.contains(groups.indices[$0]) ? .unused : .rest }
        )
      }
    }
    // The same share of each data set is tested by every model.
    let hasParts = Set(dataset.samples.filter { $0.split.map(partName) == "test" }.map(\.dataset))
    var isTest = [Bool](repeating: false, count: groups.count)
    for name in names {
      let own = dataset.samples.indices.filter { dataset.samples[$0].dataset == name }
      if hasParts.contains(name) {
        for index in own where dataset.samples[index].split.map(partName) == "test" {
          isTest[groups.indices[index]] = true
        }
      } else {
        let members = Set(own.map { groups.indices[$0] }).sorted()
        for (group, bin) in zip(members, deal(members, max(2, count))) where bin == 0 { isTest[group] = true }
      }
    }
    return names.map { name in
      (
        name,
        dataset.samples.indices.map { index -> Role in
          if isTest[groups.indices[index]] {
            return hasParts.contains(dataset.samples[index].dataset)
              && dataset.samples[index].split.map(partName) != "test" ? .unused : .test
          }
          return dataset.samples[index].dataset == name ? .rest : .unused
        }
      )
    }
  }
}
