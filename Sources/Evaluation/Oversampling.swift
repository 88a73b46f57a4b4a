/// Grows every class to the size of the largest, or a share of it, with points between neighbours, for features and embeddings (never for
/// pixels or samples of sound).
///
/// - Source: Chawla et al. 2002 (SMOTE); Han et al. 2005 (Borderline-SMOTE 1).
public struct Oversampling: Sendable {
  /// The given rows, then the synthetic ones.
  public let rows: [[Double]]
  /// Their classes.
  public let labels: [Int]
  /// How many rows were given.
  public let originals: Int

  /// Which points of a small class new ones start from.
  public enum Start: Sendable {
    /// Any.
    case all
    /// Those in danger: at least half of their neighbours among all points, but not all of them, are of other classes.
    /// Where a class has none, any.
    case borderline
  }

  /// Adds points a + u (b - a), 0 <= u < 1, with a of the class and b among its k nearest of the class.
  ///
  /// - Parameters:
  ///   - neighbours: k; a class with fewer other points uses all of them, and a class with one point repeats it.
  ///   - dangerNeighbours: m; how many neighbours among all points say whether a point is in danger.
  ///   - ratio: the largest class to the others afterwards; larger classes than that asks for stay as they are.
  /// - Cost: one distance a pair of points of a small class; of any class for `borderline`.
  public init(
    _ rows: [[Double]], labels: [Int], neighbours: Int = 5, dangerNeighbours: Int = 10, start: Start = .all,
    ratio: Double = 1, seed: UInt64
  ) {
    precondition(rows.count == labels.count, "Oversampling: \(rows.count) rows, \(labels.count) labels")
    precondition(neighbours > 0 && ratio >= 1, "Oversampling: \(neighbours) neighbours, a ratio of \(ratio)")
    originals = rows.count
    let members = Dictionary(grouping: rows.indices, by: { labels[$0] })
    let goal = Self.goal(members.values.map(\.count), ratio)
    var generator = SplitMix64(state: seed)
    var (grown, classes) = (rows, labels)
    for (label, points) in members.sorted(by: { $0.key < $1.key }) where points.count < goal {
      let near = points.map { Self.nearest(to: $0, of: points, rows, neighbours) }
      var starts = Array(points.indices)
      if start == .borderline {
        let danger = Self.inDanger(points, rows, labels: labels, neighbours: dangerNeighbours)
        if !danger.isEmpty { starts = danger }
      }
      for _ in points.count..<goal {
        let from = starts[generator.below(starts.count)]
        let a = rows[points[from]]
        let b = near[from].isEmpty ? a : rows[near[from][generator.below(near[from].count)]]
        let share = generator.uniform()
        grown.append(a.indices.map { a[$0] + share * (b[$0] - a[$0]) })
        classes.append(label)
      }
    }
    (self.rows, self.labels) = (grown, classes)
  }

  /// Which of the points of a class, by position among them, are in danger.
  static func inDanger(_ points: [Int], _ rows: [[Double]], labels: [Int], neighbours: Int) -> [Int] {
    let all = Array(rows.indices)
    return points.indices.filter { position in
      let around = nearest(to: points[position], of: all, rows, neighbours)
      let others = around.count { labels[$0] != labels[points[position]] }
      return 2 * others >= around.count && others < around.count
    }
  }

  /// How many points each class gets, by how many it has.
  public static func counts(_ rows: [Int], ratio: Double) -> [Int] {
    let goal = goal(rows, ratio)
    return rows.map { $0 > 0 ? max(0, goal - $0) : 0 }
  }

  private static func goal(_ rows: [Int], _ ratio: Double) -> Int {
    Int((Double(rows.max() ?? 0) / ratio).rounded())
  }

  /// The k nearest other candidates (Euclidean), of equally near ones the first.
  private static func nearest(to point: Int, of candidates: [Int], _ rows: [[Double]], _ k: Int) -> [Int] {
    let distances = candidates.filter { $0 != point }.map { other in
      (other, zip(rows[point], rows[other]).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) })
    }
    return distances.sorted { ($0.1, $0.0) < ($1.1, $1.0) }.prefix(k).map(\.0)
  }
}
