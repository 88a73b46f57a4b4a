import Foundation

/// Variance of areas under ROC curves, and tests of their differences on the same items.
///
/// Items must be independent: give it one score per video, not per frame.
///
/// - Cost: O(n log n) a model.
/// - Source: DeLong et al. 1988; fast form: Sun and Xu 2014, doi 10.1109/LSP.2014.2337313. Ties count one half.
public struct DeLong: Sendable, Hashable, Codable {
  /// The area of each model.
  public let areas: [Double]
  /// Their covariances, `[model][model]`.
  public let covariance: [[Double]]
  /// Fakes and real items, for intervals where the variance is 0.
  public let positives: Int, negatives: Int

  /// Computes areas and covariances of models that scored the same items.
  ///
  /// - Parameter strata: the fold of each item. Only items of one fold are compared then, since another fold's model
  ///   has a scale of its own: the area is the share of all such pairs, and placements vary around their fold's mean.
  /// - Returns: nil when no fold has both classes, or one class has a single item in every fold.
  public init?(scores models: [[Double]], fake: [Bool], strata: [Int]? = nil) {
    let names = Set(strata ?? [0]).sorted()
    let position = Dictionary(uniqueKeysWithValues: zip(names, names.indices))
    var folds = names.map { _ in (fakes: [Int](), reals: [Int]()) }
    for index in fake.indices {
      let fold = strata.map { position[$0[index]]! } ?? 0
      if fake[index] { folds[fold].fakes.append(index) } else { folds[fold].reals.append(index) }
    }
    folds.removeAll { $0.fakes.isEmpty || $0.reals.isEmpty }
    let (m, n) = (folds.map(\.fakes.count), folds.map(\.reals.count))
    (positives, negatives) = (m.reduce(0, +), n.reduce(0, +))
    // Degrees of freedom of the placements' variances.
    let freedom = (fakes: positives - folds.count, reals: negatives - folds.count)
    guard freedom.fakes > 0, freedom.reals > 0 else { return nil }
    let pairs = zip(m, n).reduce(0.0) { $0 + Double($1.0 * $1.1) }
    let shares = zip(m, n).map { Double($0 * $1) / pairs }

    // Placements less their fold's mean: of fakes among real items, and of real items among fakes.
    var placements: (fakes: [[Double]], reals: [[Double]]) = ([], [])
    var areas: [Double] = []
    for scores in models {
      precondition(scores.count == fake.count, "DeLong: \(scores.count) scores, \(fake.count) labels")
      var (ofFakes, ofReals, area): ([Double], [Double], Double) = ([], [], 0)
      for (fold, share) in zip(folds, shares) {
        let (high, low) = (fold.fakes.map { scores[$0] }, fold.reals.map { scores[$0] })
        let (sortedHigh, sortedLow) = (high.sorted(), low.sorted())
        // Share of real items below a fake (half of the equal ones), and of fakes above a real item.
        let above = high.map { midrank($0, in: sortedLow) / Double(low.count) }
        let below = low.map { 1 - midrank($0, in: sortedHigh) / Double(high.count) }
        let (centre, other) = (mean(above), mean(below))
        ofFakes += above.map { $0 - centre }
        ofReals += below.map { $0 - other }
        area += share * centre
      }
      areas.append(area)
      placements.fakes.append(ofFakes)
      placements.reals.append(ofReals)
    }
    self.areas = areas
    // Σ share² / count over folds; 1 / count with one fold.
    let spreadOfFakes = zip(shares, m).reduce(0) { $0 + $1.0 * $1.0 / Double($1.1) }
    let spreadOfReals = zip(shares, n).reduce(0) { $0 + $1.0 * $1.0 / Double($1.1) }
    covariance = models.indices.map { i in
      models.indices.map { j in
        product(placements.fakes[i], placements.fakes[j]) / Double(freedom.fakes) * spreadOfFakes
          + product(placements.reals[i], placements.reals[j]) / Double(freedom.reals) * spreadOfReals
      }
    }
  }

  /// One model's area over pairs of one fold, from folds that are sorted already.
  ///
  /// - Returns: nil with fewer than two items of a class.
  /// - Cost: one pass over the distinct scores.
  public init?(_ all: [RankedScores]) {
    let folds = all.filter { $0.oneClass == nil }
    let (m, n) = (folds.map(\.positives), folds.map(\.negatives))
    (positives, negatives) = (m.reduce(0, +), n.reduce(0, +))
    let freedom = (fakes: positives - folds.count, reals: negatives - folds.count)
    guard freedom.fakes > 0, freedom.reals > 0 else { return nil }
    let pairs = zip(m, n).reduce(0.0) { $0 + Double($1.0 * $1.1) }
    var (area, squares) = (0.0, (fakes: 0.0, reals: 0.0))
    var spread = (fakes: 0.0, reals: 0.0)
    for fold in folds {
      let (p, q) = (Double(fold.positives), Double(fold.negatives))
      let centre = fold.areaUnderCurve.value!
      let share = p * q / pairs
      area += share * centre
      spread.fakes += share * share / p
      spread.reals += share * share / q
      var above = (fakes: 0, reals: 0)
      for index in fold.thresholds.indices {
        let (fakes, reals) = (fold.truePositives[index] - above.fakes, fold.falsePositives[index] - above.reals)
        // Placement of this score: share of real items below it, share of fakes above it; half of the equal ones.
        if fakes > 0 {
          let below = (q - Double(above.reals) - Double(reals) / 2) / q - centre
          squares.fakes += Double(fakes) * below * below
        }
        if reals > 0 {
          let higher = (Double(above.fakes) + Double(fakes) / 2) / p - centre
          squares.reals += Double(reals) * higher * higher
        }
        above = (fold.truePositives[index], fold.falsePositives[index])
      }
    }
    areas = [area]
    covariance = [
      [squares.fakes / Double(freedom.fakes) * spread.fakes + squares.reals / Double(freedom.reals) * spread.reals]
    ]
  }

  /// A normal interval of one area, cut to [0, 1]. With variance 0 (perfect separation) the normal form would have no
  /// width; then the score interval of Newcombe (2006, method 5) is given.
  public func interval(_ model: Int = 0, confidence: Double = 0.95) -> Interval {
    let z = Normal.quantile((1 + confidence) / 2)
    let (area, deviation) = (areas[model], covariance[model][model].squareRoot())
    guard deviation > 0 else { return newcombe(area, z, confidence) }
    return Interval(
      lower: max(0, area - z * deviation), upper: min(1, area + z * deviation), confidence: confidence, method: "DeLong"
    )
  }

  /// Solves |A - a| = z √V(A) for A on both sides of a, V by Hanley and McNeil with Newcombe's N*.
  private func newcombe(_ area: Double, _ z: Double, _ confidence: Double) -> Interval {
    let (m, n) = (Double(positives), Double(negatives))
    let half = (m + n) / 2 - 1
    func excess(_ a: Double) -> Double {
      let variance = a * (1 - a) * (1 + half * (1 - a) / (2 - a) + half * a / (1 + a)) / (m * n)
      return abs(a - area) - z * variance.squareRoot()
    }
    func bound(_ far: Double) -> Double {
      if area == far { return far }
      var (inside, outside) = (area, far)
      for _ in 0..<80 {
        let middle = (inside + outside) / 2
        if excess(middle) < 0 { inside = middle } else { outside = middle }
      }
      return (inside + outside) / 2
    }
    // At a = area the excess is 0 or negative; a step inwards makes the bracket proper.
    return Interval(lower: bound(0), upper: bound(1), confidence: confidence, method: "Newcombe (DeLong variance is 0)")
  }

  /// The comparison of two areas.
  public struct Comparison: Sendable, Hashable, Codable {
    /// First minus second area.
    public let difference: Double
    /// Its variance.
    public let variance: Double
    /// difference / √variance; undefined where the scores rank alike.
    public let z: Measure
    /// Two-sided normal p.
    public let p: Measure
    /// Interval of the difference.
    public let interval: Interval
  }

  /// Tests whether two models' areas differ.
  public func compare(_ first: Int, _ second: Int, confidence: Double = 0.95) -> Comparison {
    let difference = areas[first] - areas[second]
    let variance = max(0, covariance[first][first] + covariance[second][second] - 2 * covariance[first][second])
    // Below rounding of the covariances there is no variance.
    let scale = covariance[first][first] + covariance[second][second]
    let z: Measure =
      variance > 1e-14 * scale && variance > 0
      ? .defined(difference / variance.squareRoot()) : .undefined("both rank the items alike")
    let reach = Normal.quantile((1 + confidence) / 2) * variance.squareRoot()
    return Comparison(
      difference: difference, variance: variance, z: z, p: z.map(Normal.twoSided),
      interval: Interval(
        lower: difference - reach, upper: difference + reach, confidence: confidence, method: "DeLong, paired"))
  }
}

/// How many sorted values are below, plus half of those equal.
private func midrank(_ value: Double, in sorted: [Double]) -> Double {
  sorted.withUnsafeBufferPointer { sorted in
    let below = partition(sorted, from: 0) { $0 >= value }
    // Ties are rare in a continuous score: look before searching.
    guard below < sorted.count, sorted[below] == value else { return Double(below) }
    return Double(below + partition(sorted, from: below) { $0 > value }) / 2
  }
}

/// The first position from `start` on where `predicate` holds.
private func partition(
  _ sorted: UnsafeBufferPointer<Double>, from start: Int, _ predicate: (Double) -> Bool
) -> Int {
  var (low, high) = (start, sorted.count)
  while low < high {
    let middle = low + (high - low) / 2
    if predicate(sorted[middle]) { high = middle } else { low = middle + 1 }
  }
  return low
}

private func product(_ x: [Double], _ y: [Double]) -> Double {
  var sum = 0.0
  for index in x.indices { sum += x[index] * y[index] }
  return sum
}
