import Evaluation

/// The samples' own labels, kinds and groups.
struct SampleIndex: Sendable {
  let kinds: [String]
  let visibleKinds: [String]
  let groupCount: Int
  let samples: [RunReport.Sample]
  private let byID: [SampleID: RunReport.Sample]
  private let groupNumbers: [String: Int]
  private let resamples: Int

  /// Without a sample list, the rows' labels stand for the samples'.
  init(_ given: [RunReport.Sample], rows: [ScoreRow], models: [String], resamples: Int) {
    self.resamples = resamples
    var samples = given
    if samples.isEmpty {
      var seen: Set<SampleID> = []
      for row in rows where row.part == .test && seen.insert(row.id).inserted {
        samples.append(
          RunReport.Sample(
            id: row.sample, dataset: row.dataset, label: row.type.isEmpty ? row.label : .fake, type: row.type))
      }
    }
    self.samples = samples
    byID = Dictionary(samples.map { ($0.name, $0) }, uniquingKeysWith: { first, _ in first })
    let fakes = samples.filter { $0.label == .fake }
    kinds = Set(fakes.map { Self.kind($0) }).sorted()
    // Visible: some model's own rows call a sample of the kind fake.
    let taught = Set(rows.filter { $0.isFake && models.contains($0.model) }.map(\.id))
    visibleKinds = Set(fakes.filter { taught.contains($0.name) }.map { Self.kind($0) }).sorted()
    var numbers: [String: Int] = [:]
    for sample in samples {
      let group = Self.group(sample)
      if numbers[group] == nil { numbers[group] = numbers.count }
    }
    groupNumbers = numbers
    groupCount = numbers.count
  }

  /// A sample without a group is its own.
  private static func group(_ sample: RunReport.Sample) -> String {
    sample.group.isEmpty ? "\u{1F}\(sample.name)" : sample.group
  }

  static func kind(_ sample: RunReport.Sample) -> String { sample.type.isEmpty ? "unspecified" : sample.type }

  /// How intervals are made: fewer resamples for more than 2,500 items, so that a report of many items and models is a
  /// matter of a minute.
  func bootstrap(_ items: Int, _ seed: UInt64) -> Bootstrap {
    Bootstrap(resamples: min(resamples, max(200, 5_000_000 / max(items, 1))), seed: seed, expanded: true)
  }

  func label(_ id: SampleID) -> Truth? { byID[id]?.label }

  /// All real samples, and the fakes of some kinds (nil: all).
  func slice(_ kinds: [String]?) -> [RunReport.Sample] {
    let wanted = kinds.map(Set.init)
    return samples.filter { $0.label == .real || wanted?.contains(Self.kind($0)) ?? true }
  }

  /// Group indices from 0 without gaps.
  func groups(_ ids: [SampleID]) -> [Int] {
    var dense: [Int: Int] = [:]
    return ids.map { id in
      let sample = byID[id]
      // A sample that is not listed is its own group.
      let number = sample.flatMap { groupNumbers[Self.group($0)] } ?? -1 - dense.count
      if let index = dense[number] { return index }
      dense[number] = dense.count
      return dense.count - 1
    }
  }

  /// Each fold's AUC by the samples' own labels.
  func foldAreas(_ entry: RunAnalysis.Entry, _ folds: [RunAnalysis.FoldResult]) -> [Double?] {
    folds.map { fold in
      let ids = entry.foldMembers[fold.fold] ?? []
      let items = ids.compactMap { byID[$0] }.filter { entry.scores[$0.name] != nil }
      return RankedScores(scores: items.map { entry.scores[$0.name]! }, fake: items.map { $0.label == .fake })
        .areaUnderCurve.value
    }
  }
}

/// A seed that depends on names only, so that equal runs draw alike (FNV-1a).
func seed(_ names: String...) -> UInt64 {
  names.joined(separator: "\u{1F}").utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
}
