import Evaluation

extension RunAnalysis {
  /// A model's frames, windows or clips beside its samples.
  struct FrameResult: Sendable {
    let model: String
    /// What one is called: frames, windows, clips.
    let unit: String
    let level: FrameLevel

    /// One for each model that has rows, in the order of the entries.
    static func all(
      _ rows: [ScoreRow], _ report: RunReport, _ entries: [Entry], _ samples: SampleIndex
    ) throws -> [FrameResult] {
      let byModel = Dictionary(grouping: rows, by: \.model)
      if let stranger = byModel.keys.filter({ name in !entries.contains { $0.name == name } }).min() {
        throw ReportError(
          "there are scores of frames of \"\(stranger)\", which is no model of the run; remove its file in Scores/frames"
        )
      }
      return entries.compactMap { entry in
        guard let own = byModel[entry.name] else { return nil }
        let ids = Array(Set(own.map(\.id))).sorted { $0.description < $1.description }
        let level = FrameLevel(
          own, thresholds: Dictionary(uniqueKeysWithValues: entry.folds.map { ($0.fold, $0.threshold) }),
          groups: Dictionary(uniqueKeysWithValues: zip(ids, samples.groups(ids))),
          bootstrap: samples.bootstrap(own.count, seed("frames", entry.name)))
        let unit = ["image": "frames", "audio": "windows", "video": "clips"][entry.modality] ?? "parts"
        return FrameResult(model: entry.name, unit: unit, level: level)
      }
    }
  }

  /// Friedman's test of the folds' areas by the samples' own labels, with Nemenyi's differences.
  struct Ranking: Sendable {
    /// Mean rank, 1 the best, from best to worst.
    let ranks: [(model: String, rank: Double)]
    let folds: Int
    let p: Measure
    let imanDavenportP: Measure
    /// Models whose ranks are further apart differ at 0.05.
    let criticalDifference: Double
    /// Nemenyi's p by pair, in the order of `ranks`.
    let pairs: [(first: String, second: String, p: Double)]

    /// Over folds that all entries but the constant answer have an area in.
    init?(_ entries: [Entry], _ samples: SampleIndex) {
      let entries = entries.filter { !$0.isConstant && $0.folds.count > 2 }
      guard entries.count > 2, Set(entries.map { $0.folds.map(\.fold) }).count == 1 else { return nil }
      let areas = entries.map { samples.foldAreas($0, $0.folds) }
      let rows = areas[0].indices.compactMap { fold -> [Double]? in
        let row = areas.compactMap { $0[fold] }
        return row.count == entries.count ? row : nil
      }
      guard rows.count > 2, let test = Friedman(rows) else { return nil }
      let order = entries.indices.sorted { (test.averageRanks[$0], $0) < (test.averageRanks[$1], $1) }
      ranks = order.map { (entries[$0].name, test.averageRanks[$0]) }
      folds = rows.count
      (p, imanDavenportP, criticalDifference) = (test.p, test.imanDavenportP, test.criticalDifference())
      pairs = order.indices.flatMap { i in
        order.indices.dropFirst(i + 1).map { j in
          (entries[order[i]].name, entries[order[j]].name, test.nemenyiP(order[i], order[j]))
        }
      }
    }

    /// Whether two models' ranks are far enough apart.
    func differ(_ a: String, _ b: String) -> Bool {
      let found = ranks.filter { $0.model == a || $0.model == b }.map(\.rank)
      return found.count == 2 && abs(found[0] - found[1]) > criticalDifference
    }
  }
}
