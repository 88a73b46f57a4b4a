/// Deals groups of samples out to bins so that every bin has its share of every stratum, of both labels, and of all
/// samples; a group is never divided. Greedy: large groups first, each to the bin where it costs least; samples that are
/// alone last, which then fill the gaps exactly (each stratum's counts differ by at most one between equal bins when
/// there are no other groups).
struct GroupBalancer {
  /// One kind of count that is to be shared out evenly: a stratum, a label.
  let strata: [Int32]  // of each sample
  let labels: [Int32]
  let stratumCount: Int
  let labelCount: Int
  /// Samples of each group, one group after the other.
  let members: [Int32]
  /// Where each group's samples start in `members`, and one past the last.
  let starts: [Int32]

  init(groups: SampleGroups, strata: [Int32], stratumCount: Int, labels: [Int32], labelCount: Int) {
    (self.strata, self.labels, self.stratumCount, self.labelCount) = (strata, labels, stratumCount, labelCount)
    var starts = [Int32](repeating: 0, count: groups.count + 1)
    for group in groups.indices { starts[group + 1] += 1 }
    for group in 0..<groups.count { starts[group + 1] += starts[group] }
    var next = starts
    var members = [Int32](repeating: 0, count: groups.indices.count)
    for (sample, group) in groups.indices.enumerated() {
      members[Int(next[group])] = Int32(sample)
      next[group] += 1
    }
    (self.members, self.starts) = (members, starts)
  }

  func size(_ group: Int) -> Int { Int(starts[group + 1] - starts[group]) }

  func samples(_ group: Int) -> ArraySlice<Int32> { members[Int(starts[group])..<Int(starts[group + 1])] }

  /// The bin of each of the `groups`.
  ///
  /// - Parameters:
  ///   - groups: which to deal out.
  ///   - shares: the bins' shares of all samples; they sum to one.
  ///   - rank: a random number of each group in the whole list, which breaks ties.
  func deal(_ groups: [Int], shares: [Double], rank: [UInt64]) -> [Int] {
    var totals = Counts(strata: stratumCount, labels: labelCount)
    for group in groups { for sample in samples(group) { totals.add(strata[Int(sample)], labels[Int(sample)], 1) } }
    var bins = shares.map { _ in Counts(strata: stratumCount, labels: labelCount) }
    var result = [Int](repeating: 0, count: groups.count)

    // Positions in `groups`: several samples first, by falling size; then single ones, stratum after stratum.
    let single = { (group: Int) in self.size(group) == 1 }
    let several = groups.indices.filter { !single(groups[$0]) }.sorted {
      let (a, b) = (groups[$0], groups[$1])
      return (size(b), rank[a], a) < (size(a), rank[b], b)
    }
    let alone = groups.indices.filter { single(groups[$0]) }.sorted {
      let (a, b) = (groups[$0], groups[$1])
      let (x, y) = (Int(members[Int(starts[a])]), Int(members[Int(starts[b])]))
      return (labels[x], strata[x], rank[a], a) < (labels[y], strata[y], rank[b], b)
    }

    for position in several {
      let group = groups[position]
      var own: [(stratum: Int, count: Double)] = []
      var ownLabels = [Double](repeating: 0, count: labelCount)
      for stratum in samples(group).map({ Int(strata[Int($0)]) }).sorted() {
        if own.last?.stratum == stratum { own[own.count - 1].count += 1 } else { own.append((stratum, 1)) }
      }
      for sample in samples(group) { ownLabels[Int(labels[Int(sample)])] += 1 }
      let size = Double(size(group))
      var best = (cost: Double.infinity, bin: 0)
      for bin in shares.indices {
        // What the sum of squared shares grows by: strata, labels and size weigh the same.
        var cost = Self.growth(bins[bin].total, size, totals.total)
        for (stratum, count) in own { cost += Self.growth(bins[bin].strata[stratum], count, totals.strata[stratum]) }
        for label in 0..<labelCount where ownLabels[label] > 0 {
          cost += Self.growth(bins[bin].labels[label], ownLabels[label], totals.labels[label])
        }
        cost /= shares[bin]
        if cost < best.cost { best = (cost, bin) }
      }
      result[position] = best.bin
      for sample in samples(group) { bins[best.bin].add(strata[Int(sample)], labels[Int(sample)], 1) }
    }
    for position in alone {
      let sample = Int(members[Int(starts[groups[position]])])
      let (stratum, label) = (Int(strata[sample]), Int(labels[sample]))
      var best = (key: (Double.infinity, Double.infinity, Double.infinity), bin: 0)
      for bin in shares.indices {
        // Next in line by half-filled quotas (Sainte-Laguë): equal bins differ by at most one.
        let key = (
          (bins[bin].strata[stratum] + 0.5) / shares[bin], (bins[bin].labels[label] + 0.5) / shares[bin],
          (bins[bin].total + 0.5) / shares[bin]
        )
        if key < best.key { best = (key, bin) }
      }
      result[position] = best.bin
      bins[best.bin].add(strata[sample], labels[sample], 1)
    }
    return result
  }

  private static func growth(_ have: Double, _ more: Double, _ total: Double) -> Double {
    (2 * have + more) * more / (total * total)
  }

  private struct Counts {
    var strata, labels: [Double]
    var total = 0.0

    init(strata: Int, labels: Int) {
      self.strata = [Double](repeating: 0, count: strata)
      self.labels = [Double](repeating: 0, count: labels)
    }

    mutating func add(_ stratum: Int32, _ label: Int32, _ count: Double) {
      strata[Int(stratum)] += count
      labels[Int(label)] += count
      total += count
    }
  }
}
