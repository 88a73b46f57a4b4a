/// The order of one epoch: which views make up which step. A pure function of the rounds and of the settings, so any
/// worker can go on with it from any step.
struct EpochPlan {
  /// One visit to one sample.
  struct View: Sendable, Equatable {
    /// Index among the training samples.
    let sample: Int
    /// The how-manieth visit of this epoch, from 0.
    let visit: Int
  }

  /// Steps in order, of equal size but for one view: at least the batch, unless the epoch has fewer views altogether.
  /// So every view is seen once, and no step is too small for batch norm because it is the last.
  let steps: [[View]]

  /// - Parameters:
  ///   - rounds: for each round of the epoch, samples in order; each sample is visited once a round at most as often as it
  ///     has views.
  ///   - views: how many views of a sample an epoch takes.
  init(rounds: [[Int]], views: (Int) -> Int, batch: Int) {
    var visits: [Int: Int] = [:]
    var order: [View] = []
    for (round, samples) in rounds.enumerated() {
      for sample in samples where round < views(sample) {
        order.append(View(sample: sample, visit: visits[sample, default: 0]))
        visits[sample, default: 0] += 1
      }
    }
    let count = max(1, order.count / batch)
    steps = (0..<count).map { Array(order[Self.run($0, of: count, over: order.count)]) }
  }

  /// The positions of part `index` when `total` positions are cut into `count` runs of equal length, ±1.
  static func run(_ index: Int, of count: Int, over total: Int) -> Range<Int> {
    (total * index / count)..<(total * (index + 1) / count)
  }
}
