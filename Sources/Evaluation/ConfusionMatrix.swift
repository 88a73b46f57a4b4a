/// Counts of (true class, predicted class), and what follows from them for two or more classes.
public struct ConfusionMatrix: Sendable, Hashable, Codable {
  /// `counts[true][predicted]`.
  public private(set) var counts: [[Int]]

  /// Counts pairs of class indices.
  ///
  /// - Traps: if a class is out of range or the lengths differ.
  public init(classes: Int, labels: [Int], predictions: [Int]) {
    precondition(
      labels.count == predictions.count, "ConfusionMatrix: \(labels.count) labels, \(predictions.count) predictions")
    counts = Array(repeating: Array(repeating: 0, count: classes), count: classes)
    for (label, prediction) in zip(labels, predictions) { counts[label][prediction] += 1 }
  }

  /// Decides `score >= threshold` is fake, and counts; class 0 is real, class 1 fake.
  public init(scores: [Double], fake: [Bool], threshold: Double) {
    precondition(scores.count == fake.count, "ConfusionMatrix: \(scores.count) scores, \(fake.count) labels")
    counts = [[0, 0], [0, 0]]
    for (score, isFake) in zip(scores, fake) { counts[isFake ? 1 : 0][score >= threshold ? 1 : 0] += 1 }
  }

  /// From the four counts of a two-class problem.
  public init(truePositives: Int, falsePositives: Int, trueNegatives: Int, falseNegatives: Int) {
    counts = [[trueNegatives, falsePositives], [falseNegatives, truePositives]]
  }

  /// Adds the counts of another fold.
  public static func += (sum: inout ConfusionMatrix, other: ConfusionMatrix) {
    for i in sum.counts.indices {
      for j in sum.counts.indices { sum.counts[i][j] += other.counts[i][j] }
    }
  }

  /// How many classes there are.
  public var classes: Int { counts.count }
  /// How many pairs were counted.
  public var total: Int { counts.joined().reduce(0, +) }
  /// How many items each class has.
  public var support: [Int] { counts.map { $0.reduce(0, +) } }

  // Names of the two-class problem: class 1, fake, is the positive one.
  /// Fakes that were called fake.
  public var truePositives: Int { counts[1][1] }
  /// Real items that were called fake.
  public var falsePositives: Int { counts[0][1] }
  /// Real items that were called real.
  public var trueNegatives: Int { counts[0][0] }
  /// Fakes that were called real.
  public var falseNegatives: Int { counts[1][0] }

  /// Share of right answers.
  public var accuracy: Measure {
    .ratio(Double(counts.indices.reduce(0) { $0 + counts[$1][$1] }), Double(total), "there are no items")
  }

  /// Share of right ones among the answers "class c"; undefined when that answer was never given.
  public func precision(_ c: Int = 1) -> Measure {
    .ratio(
      Double(counts[c][c]), Double(counts.reduce(0) { $0 + $1[c] }),
      classes == 2 ? "nothing was called \(c == 1 ? "fake" : "real")" : "class \(c) was never predicted")
  }

  /// Share of the items of class c that were found.
  public func recall(_ c: Int = 1) -> Measure {
    .ratio(
      Double(counts[c][c]), Double(support[c]),
      classes == 2 ? "there are no \(c == 1 ? "fakes" : "real items")" : "class \(c) does not occur")
  }

  /// Harmonic mean of precision and recall, 2 TP / (2 TP + FP + FN).
  public func f1(_ c: Int = 1) -> Measure {
    let (predicted, actual) = (counts.reduce(0) { $0 + $1[c] }, support[c])
    return .ratio(2 * Double(counts[c][c]), Double(predicted + actual), "the class neither occurs nor is predicted")
  }

  /// Mean recall over the classes that occur; with one class only it is undefined for a two-class problem.
  public var balancedAccuracy: Measure {
    let recalls = counts.indices.compactMap { recall($0).value }
    guard !recalls.isEmpty else { return .undefined("there are no items") }
    guard classes > 2 || recalls.count == 2 else { return .undefined("only one class occurs") }
    return .defined(mean(recalls))
  }

  /// Share of real items that were called fake.
  public var falsePositiveRate: Measure { recall(0).map { 1 - $0 } }

  /// Matthews correlation coefficient (Gorodkin's for more classes); undefined when labels or answers are constant.
  public var matthewsCorrelation: Measure {
    let (n, correct) = (Double(total), Double(counts.indices.reduce(0) { $0 + counts[$1][$1] }))
    let actual = support.map(Double.init)
    let predicted = counts.indices.map { c in Double(counts.reduce(0) { $0 + $1[c] }) }
    let covariance = correct * n - zip(actual, predicted).reduce(0) { $0 + $1.0 * $1.1 }
    let spread = { (v: [Double]) in n * n - v.reduce(0) { $0 + $1 * $1 } }
    return .ratio(
      covariance, (spread(actual) * spread(predicted)).squareRoot(), "the labels or the answers are all the same")
  }

  /// Cohen's kappa: agreement beyond what the class counts alone would give.
  public var kappa: Measure {
    let n = Double(total)
    let chance = counts.indices.reduce(0.0) { sum, c in
      sum + Double(support[c]) * Double(counts.reduce(0) { $0 + $1[c] })
    }
    let correct = Double(counts.indices.reduce(0) { $0 + counts[$1][$1] })
    return .ratio(correct * n - chance, n * n - chance, "the labels and the answers are all the same")
  }

  /// How per-class values are averaged.
  public enum Average: Sendable {
    /// Unweighted over classes.
    case macro
    /// Weighted by support.
    case weighted
  }

  /// The average of a per-class measure where an undefined class counts as 0, scikit-learn's `zero_division=0`.
  public func average(_ kind: Average, of measure: (Int) -> Measure) -> Double {
    let values = counts.indices.map { measure($0).value ?? 0 }
    switch kind {
    case .macro: return mean(values)
    case .weighted: return zip(values, support).reduce(0) { $0 + $1.0 * Double($1.1) } / Double(total)
    }
  }
}
