import Evaluation

/// What no model at all reaches: a fold's whole test part gets the answer that is more frequent in its validation part, with
/// the share of fakes there as the score. Like a model it sees no test label.
extension RunAnalysis {
  /// One for each label that something is judged by: of every modality that has a model, and the sample's own for fusions.
  static func constants(
    _ report: RunReport, _ rows: [String: [ScoreRow]], _ samples: SampleIndex
  ) throws -> [Entry] {
    var found: [Entry] = []
    for modality in ["image", "audio", "video"] {
      guard let model = report.models.first(where: { $0.modality == modality }) else { continue }
      found.append(try Entry(constant: modality, rows[model.name]!, samples))
    }
    if let fusion = report.fusions.first {
      let own = rows[fusion.name]!.map { row in
        var row = row
        row.label = samples.label(row.id) ?? row.label
        return row
      }
      found.append(try Entry(constant: sampleLabel, own, samples))
    }
    return found
  }

  /// The modality of what is judged by the sample's own label.
  static let sampleLabel = "sample"

  /// The constant answer that is judged as an entry is.
  func constant(beside entry: Entry) -> Entry? {
    let modality = entry.role == .fusion ? Self.sampleLabel : entry.modality
    return entries.first { $0.isConstant && $0.modality == modality }
  }
}

extension RunAnalysis.Entry {
  /// The constant answer to the samples of some rows, by their labels.
  fileprivate init(constant modality: String, _ rows: [ScoreRow], _ samples: SampleIndex) throws {
    // Parentheses and a space: no model of an experiment can have such a name.
    let name = "constant (\(modality))"
    let shares = Dictionary(grouping: rows.filter { $0.part == .validation }, by: \.fold).mapValues { rows in
      Double(rows.count(where: \.isFake)) / Double(rows.count)
    }
    let answers = rows.map { row in
      ScoreRow(
        sample: row.sample, dataset: row.dataset, fold: row.fold, part: row.part, label: row.label, type: row.type,
        model: name, score: shares[row.fold] ?? 0.5)
    }
    let facts = RunReport.Model(
      name: name, isBaseline: true, modality: modality, architecture: "the more frequent answer of validation",
      parameters: 0)
    try self.init(facts, answers, samples, DecisionSettings(rule: .fixed(0.5)), isConstant: true)
  }
}
