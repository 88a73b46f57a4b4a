/// Two models on the same items: how their areas differ, and whether that is more than chance.
public struct PairedComparison: Sendable, Hashable, Codable {
  /// The first model's name.
  public let first: String
  /// The second model's name.
  public let second: String
  /// How many items both scored.
  public let items: Int
  /// Area under the first model's ROC curve.
  public let firstArea: Double
  /// Area under the second model's.
  public let secondArea: Double
  /// DeLong's test of the difference, first minus second; items count as independent.
  public let delong: DeLong.Comparison
  /// p of `delong`, adjusted by Holm over the pairs that were tested together.
  public private(set) var adjustedP: Double?
  /// Interval of the difference by resampling groups.
  public let bootstrap: Interval?
  /// Test of the decisions.
  public let mcNemar: McNemar
  /// p of `mcNemar`.
  public let mcNemarP: Double
  /// Corrected resampled t-test of the folds' areas.
  public let folds: PairedT?
  /// p of Wilcoxon's test of the folds' areas; at least six folds are worth it.
  public let wilcoxonP: Double?

  /// What is known of one model.
  public struct Model {
    /// Its name.
    public var name: String
    /// Its score of each item.
    public var scores: [Double]
    /// Its decision on each item: fake or not.
    public var decisions: [Bool]
    /// Its area in each fold.
    public var foldAreas: [Double?]

    /// Makes a model's side.
    public init(name: String, scores: [Double], decisions: [Bool], foldAreas: [Double?] = []) {
      (self.name, self.scores, self.decisions, self.foldAreas) = (name, scores, decisions, foldAreas)
    }
  }

  /// Compares.
  ///
  /// - Parameters:
  ///   - strata: the fold of each item; only items of one fold are compared then.
  ///   - groups: group index of each item for the bootstrap; nil when each item is its own.
  /// - Returns: nil with fewer than two items of a class.
  public init?(_ a: Model, _ b: Model, fake: [Bool], strata: [Int]? = nil, groups: [Int]?, bootstrap: Bootstrap) {
    guard let delong = DeLong(scores: [a.scores, b.scores], fake: fake, strata: strata) else { return nil }
    (first, second, items) = (a.name, b.name, fake.count)
    (firstArea, secondArea) = (delong.areas[0], delong.areas[1])
    self.delong = delong.compare(0, 1)
    self.bootstrap = bootstrap.areaDifference(
      first: a.scores, second: b.scores, fake: fake, strata: strata, groups: groups)
    let right = { (model: Model) in zip(model.decisions, fake).map { $0 == $1 ? 1 : 0 } }
    mcNemar = McNemar(labels: fake.map { _ in 1 }, first: right(a), second: right(b))
    mcNemarP = mcNemar.p
    let differences = zip(a.foldAreas, b.foldAreas).compactMap { x, y in x.flatMap { x in y.map { x - $0 } } }
    let complete =
      differences.count > 2 && differences.count == a.foldAreas.count && a.foldAreas.count == b.foldAreas.count
    // k folds: a test part is 1 / (k - 1) of the rest.
    folds = complete ? PairedT(differences: differences, train: Double(differences.count - 1), test: 1) : nil
    wilcoxonP = complete && differences.count >= 6 ? WilcoxonSignedRank(differences: differences)?.p : nil
  }

  /// Adjusts the p-values of pairs that are tested together. A pair that ranks alike has none and does not count.
  public static func adjust(_ pairs: [PairedComparison]) -> [PairedComparison] {
    var pairs = pairs
    let tested = pairs.indices.filter { pairs[$0].delong.p.value != nil }
    for (index, p) in zip(tested, holm(tested.map { pairs[$0].delong.p.value! })) { pairs[index].adjustedP = p }
    return pairs
  }
}
