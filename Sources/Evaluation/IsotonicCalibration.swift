/// A rising step-like map from scores to frequencies, straight between its knots: the closest to the labels in squares. It
/// bends where `Temperature` cannot, and needs hundreds of validation samples not to follow chance.
///
/// - Source: pool adjacent violators; the same knots and interpolation as scikit-learn's `IsotonicRegression`.
public struct IsotonicCalibration: Sendable, Hashable, Codable {
  /// Scores at the knots, rising.
  public let scores: [Double]
  /// Frequencies of "fake" there, never falling.
  public let frequencies: [Double]

  /// A known map.
  ///
  /// - Returns: nil when the scores do not rise or the frequencies fall.
  public init?(scores: [Double], frequencies: [Double]) {
    guard !scores.isEmpty, scores.count == frequencies.count,
      zip(scores, scores.dropFirst()).allSatisfy({ $0 < $1 }),
      zip(frequencies, frequencies.dropFirst()).allSatisfy({ $0 <= $1 })
    else { return nil }
    (self.scores, self.frequencies) = (scores, frequencies)
  }

  /// Fits on validation scores.
  ///
  /// - Returns: nil with one class only.
  /// - Cost: one sort.
  public init?(fitting values: [Double], fake: [Bool]) {
    let ranked = RankedScores(scores: values, fake: fake)
    guard ranked.oneClass == nil else { return nil }
    // Blocks of rising scores: the first and last score, how many items, how many fakes.
    var blocks: [(low: Double, high: Double, items: Int, fakes: Int)] = []
    var (fakesAbove, realsAbove) = (ranked.positives, ranked.negatives)
    for index in ranked.thresholds.indices.reversed() {
      let (f, r) =
        index == 0 ? (0, 0) : (ranked.truePositives[index - 1], ranked.falsePositives[index - 1])
      let score = ranked.thresholds[index]
      blocks.append((score, score, fakesAbove - f + realsAbove - r, fakesAbove - f))
      (fakesAbove, realsAbove) = (f, r)
      while blocks.count > 1 {
        let (last, before) = (blocks[blocks.count - 1], blocks[blocks.count - 2])
        // Whole numbers: before.fakes / before.items >= last.fakes / last.items
        guard before.fakes * last.items >= last.fakes * before.items else { break }
        blocks.removeLast()
        blocks[blocks.count - 1] = (before.low, last.high, before.items + last.items, before.fakes + last.fakes)
      }
    }
    var knots: ([Double], [Double]) = ([], [])
    for block in blocks {
      let frequency = Double(block.fakes) / Double(block.items)
      for score in block.low == block.high ? [block.low] : [block.low, block.high] {
        knots.0.append(score)
        knots.1.append(frequency)
      }
    }
    (scores, frequencies) = knots
  }

  /// The frequency of "fake" at a score; beyond the knots that of the last one.
  public func apply(_ score: Double) -> Double {
    guard score > scores[0] else { return frequencies[0] }
    guard score < scores[scores.count - 1] else { return frequencies[scores.count - 1] }
    var (low, high) = (0, scores.count - 1)  // scores[low] <= score < scores[high]
    while high - low > 1 {
      let middle = (low + high) / 2
      if scores[middle] <= score { low = middle } else { high = middle }
    }
    let share = (score - scores[low]) / (scores[high] - scores[low])
    return frequencies[low] + share * (frequencies[high] - frequencies[low])
  }
}
