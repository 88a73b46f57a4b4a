/// What is in a data set: classes of each modality by that modality's own label, kinds of fake, parts, problems.
public struct DatasetStatistics: Codable, Sendable {
  /// How unequal two classes are.
  public enum Verdict: String, Codable, Sendable {
    /// Below 3:1.
    case good = "GOOD"
    /// 3:1 to 5:1.
    case moderate = "MODERATE"
    /// Above 5:1.
    case severe = "SEVERE"
    /// Only one class.
    case oneClass = "ONE CLASS"

    /// The verdict on classes of these counts.
    public init(_ counts: ClassCounts) {
      let ratio = Self.ratio(counts)
      self = ratio.map { $0 < 3 ? .good : $0 <= 5 ? .moderate : .severe } ?? .oneClass
    }

    /// Larger to smaller class; nil with one class.
    static func ratio(_ counts: ClassCounts) -> Double? {
      counts.smaller == 0 ? nil : Double(counts.larger) / Double(counts.smaller)
    }

    /// The ratio for people: `10.0:1`, or `one class`.
    static func ratioText(_ counts: ClassCounts) -> String {
      ratio(counts).map { "\(oneDecimal($0)):1" } ?? "one class"
    }

    // Without Foundation's locale-aware formatting: 10.0, not 10 or 10,0.
    static func oneDecimal(_ value: Double) -> String {
      let tenths = Int((value * 10).rounded())
      return "\(tenths / 10).\(tenths % 10)"
    }

    /// The ratios that it stands for, as the end of a sentence.
    var range: String {
      switch self {
      case .good: "below 3:1"
      case .moderate: "between 3:1 and 5:1"
      case .severe: "above 5:1"
      case .oneClass: "no ratio"
      }
    }
  }

  /// The classes of one modality.
  public struct Balance: Codable, Sendable {
    /// The modality; nil for the samples' own label.
    public let modality: Modality?
    /// Real and fake samples.
    public let counts: ClassCounts
    /// Larger to smaller class; nil with one class.
    public let ratio: Double?
    /// The ratio for people: `10.0:1`, or `one class`.
    public let ratioText: String
    /// How unequal they are.
    public let verdict: Verdict
    /// The line for the user: `Audio: real 25000, fake 2500 (10.0:1) SEVERE`.
    public let line: String
    /// What follows from it, as a sentence.
    public let advice: String

    /// The balance of these counts; `title` begins the line, by default the modality or "Samples".
    public init(_ modality: Modality? = nil, _ counts: ClassCounts, title: String? = nil) {
      (self.modality, self.counts) = (modality, counts)
      ratio = Verdict.ratio(counts)
      verdict = Verdict(counts)
      ratioText = Verdict.ratioText(counts)
      let shown = "(\(ratioText))"
      line =
        "\(title ?? modality?.title ?? "Samples"): real \(counts.real), fake \(counts.fake) \(shown) \(verdict.rawValue)"
      advice = Self.advice(modality, counts, verdict)
    }

    // Published sets below 3:1 in this modality's own labels, the most equal first.
    private static func balancedSets(_ modality: Modality?) -> String {
      let known = DatasetLayouts.official.flatMap { layout in
        layout.description.classes.filter { modality == nil || $0.modality == modality }
          .filter { $0.counts.smaller > 0 && $0.counts.larger < 3 * $0.counts.smaller }
          .map { (layout: layout, ratio: Double($0.counts.larger) / Double($0.counts.smaller)) }
      }.sorted { ($0.ratio, $0.layout.name) < ($1.ratio, $1.layout.name) }
      var names: [String] = []
      for set in known where !names.contains(where: { $0.hasPrefix(set.layout.name) }) {
        names.append("\(set.layout.name) (\(Verdict.oneDecimal(set.ratio)):1, \(set.layout.description.size))")
      }
      return names.prefix(3).joined(separator: ", ")
    }

    private static func advice(_ modality: Modality?, _ counts: ClassCounts, _ verdict: Verdict) -> String {
      let rarer = counts.real < counts.fake ? "real" : "fake"
      let constant = counts.total == 0 ? 0 : 1000 * counts.larger / counts.total
      let answer = "a constant answer is right for \(constant / 10).\(constant % 10)% of the samples"
      let first =
        "first add \(rarer) samples, best from a set that is balanced itself: \(balancedSets(modality)) "
        + "(`unmask datasets describe NAME` says what it is and where to ask); then"
      let auto = "balance: auto, which \(BalanceSettings.automatic(for: counts)); \(answer), so judge by AUC and EER"
      switch verdict {
      case .good: return "train as it is"
      case .moderate where 3 * counts.smaller == counts.larger: return "use \(auto) before accuracy"
      case .moderate: return "\(first) \(auto) before accuracy"
      case .severe: return "\(first) \(auto), not by accuracy"
      case .oneClass:
        return "no \(modality?.rawValue ?? "") model can be trained or judged on it: add samples of the other class"
          .replacing("  ", with: " ")
      }
    }
  }

  /// A kind of fake, a part, or a reason, and how many samples have it.
  public struct Count: Codable, Sendable {
    /// Its name.
    public let name: String
    /// Samples.
    public let count: Int
  }

  /// All samples.
  public let samples: Int
  /// By the samples' own label.
  public let overall: Balance
  /// Modalities that are there, by their own labels.
  public let modalities: [Balance]
  /// Kinds of fake, most frequent first; samples without a kind are counted as `unnamed`.
  public let types: [Count]
  /// Data sets, most samples first.
  public let datasets: [Count]
  /// Official parts.
  public let splits: [Count]
  /// Different identities, and groups that folds keep together.
  public let identities, groups: Int
  /// Fakes with intervals: fake in part of their time only.
  public let partial: Int
  /// Bytes of all scanned files.
  public let bytes: Int
  /// Why samples cannot be used, most frequent reason first, each without its file name.
  public let problems: [Count]

  /// Counts a data set; samples that cannot be used are counted too, by what their names promise.
  ///
  /// - Throws: `DatasetError` only for what `SampleGroups` throws; one class is a verdict here, see
  ///   `Dataset.requireTwoClasses`.
  public init(_ dataset: Dataset) throws {
    var overall = ClassCounts()
    var each = [ClassCounts](repeating: ClassCounts(), count: Modality.allCases.count)
    var types: [String: Int] = [:]
    var datasets: [String: Int] = [:]
    var splits: [String: Int] = [:]
    var problems: [String: Int] = [:]
    var identities: Set<SampleKey> = []
    var partial = 0
    var bytes = 0
    for sample in dataset.samples {
      overall.add(sample.label)
      for (place, modality) in Modality.allCases.enumerated() where sample.modalities.contains(Modalities(modality)) {
        each[place].add(sample.label(for: modality))
      }
      if sample.label == .fake { types[sample.type.isEmpty ? "unnamed" : sample.type, default: 0] += 1 }
      datasets[sample.dataset, default: 0] += 1
      if let split = sample.split { splits[split, default: 0] += 1 }
      if let problem = sample.problem { problems[problem, default: 0] += 1 }
      for value in sample.identity.map(SampleGroups.values) ?? [] {
        identities.insert(SampleKey(dataset: sample.dataset, id: value))
      }
      if !sample.intervals.isEmpty { partial += 1 }
      bytes += sample.bytes ?? 0
    }
    func sorted(_ counts: [String: Int]) -> [Count] {
      counts.sorted { ($1.value, $0.key) < ($0.value, $1.key) }.map { Count(name: $0.key, count: $0.value) }
    }
    samples = dataset.samples.count
    self.overall = Balance(nil, overall)
    modalities = Modality.allCases.indices.compactMap {
      each[$0].total == 0 ? nil : Balance(Modality.allCases[$0], each[$0])
    }
    self.types = sorted(types)
    self.datasets = sorted(datasets)
    self.splits = sorted(splits)
    self.problems = sorted(problems)
    self.identities = identities.count
    groups = try SampleGroups(dataset, rule: "auto").count
    self.partial = partial
    self.bytes = bytes
  }
}
