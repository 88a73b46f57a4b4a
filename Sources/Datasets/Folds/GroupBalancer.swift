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

  /// Which labels a group has, as bits.
  func labelBits(_ group: Int) -> UInt8 {
    samples(group).reduce(0) { $0 | 1 << UInt8(labels[Int($1)]) }
  }

  /// The bin of each of the `groups`.
  ///
  /// - Parameters:
  ///   - groups: which to deal out.
  ///   - shares: the bins' shares of all samples; they sum to one.
  ///   - rank: a random number of each group in the whole list, which breaks ties.
  func deal(_ groups: [Int], shares: [Double], rank: [UInt64]) -> [Int] {
    var totals = Counts(strata: stratumCount, labels: labelCount)
    for group in groups { for sample in samples(group) { totals.add(strata[Int(sample)], labels[Int(sample)]) } }
    var bins = shares.map { _ in Counts(strata: stratumCount, labels: labelCount) }
    var result = [Int](repeating: 0, count: groups.count)
    let weights = shares.map { 1 / $0 }
    let (several, alone) = order(groups, rank)

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
        cost *= weights[bin]
        if cost < best.cost { best = (cost, bin) }
      }
      result[position] = best.bin
      for sample in samples(group) { bins[best.bin].add(strata[Int(sample)], labels[Int(sample)]) }
    }
    for position in alone {
      let sample = Int(members[Int(starts[groups[position]])])
      let (stratum, label) = (Int(strata[sample]), Int(labels[sample]))
      var best = (stratum: Double.infinity, label: Double.infinity, total: Double.infinity, bin: 0)
      for bin in shares.indices {
        // Next in line by half-filled quotas (Sainte-Laguë): equal bins differ by at most one.
        let ofStratum = (bins[bin].strata[stratum] + 0.5) * weights[bin]
        if ofStratum > best.stratum { continue }
        let ofLabel = (bins[bin].labels[label] + 0.5) * weights[bin]
        let ofAll = (bins[bin].total + 0.5) * weights[bin]
        if (ofStratum, ofLabel, ofAll) < (best.stratum, best.label, best.total) {
          best = (ofStratum, ofLabel, ofAll, bin)
        }
      }
      result[position] = best.bin
      bins[best.bin].add(strata[sample], labels[sample])
    }
    return result
  }

  // Positions in `groups`: those of several samples by falling size; those of one by label and stratum. Ties by rank.
  // Keys are sorted as whole numbers, and the second sort counts: a million groups are usual.
  private func order(_ groups: [Int], _ rank: [UInt64]) -> (several: [Int], alone: [Int]) {
    var several: [(size: Int, rank: UInt64, position: Int)] = []
    var alone: [(rank: UInt64, position: Int32)] = []
    for (position, group) in groups.enumerated() {
      if size(group) == 1 {
        alone.append((rank[group], Int32(position)))
      } else {
        several.append((size(group), rank[group], position))
      }
    }
    several.sort { $0.size != $1.size ? $0.size > $1.size : $0.rank < $1.rank }
    alone.sort { $0.rank < $1.rank }
    func bucket(_ position: Int32) -> Int {
      let sample = Int(members[Int(starts[groups[Int(position)]])])
      return Int(labels[sample]) * stratumCount + Int(strata[sample])
    }
    var next = [Int](repeating: 0, count: labelCount * stratumCount + 1)
    for item in alone { next[bucket(item.position) + 1] += 1 }
    for place in next.indices.dropFirst() { next[place] += next[place - 1] }
    var placed = [Int](repeating: 0, count: alone.count)
    for item in alone {
      let bucket = bucket(item.position)
      placed[next[bucket]] = Int(item.position)
      next[bucket] += 1
    }
    return (several.map(\.position), placed)
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

    mutating func add(_ stratum: Int32, _ label: Int32) {
      strata[Int(stratum)] += 1
      labels[Int(label)] += 1
      total += 1
    }
  }
}
