public import Evaluation

/// A sample to look at: a model was most wrong there, or models that should agree did not.
public struct FailureCase: Sendable, Codable, Hashable {
  /// Why it is shown.
  public enum Kind: String, Sendable, Codable {
    /// A fake that passed.
    case missed
    /// A real item called fake.
    case accused
    /// Models judged by the same label decided differently.
    case disagreement
  }

  /// Why it is shown.
  public let kind: Kind
  /// The model; empty for a disagreement.
  public let model: String
  /// The sample.
  public let sample: SampleID
  /// What the models are judged by there.
  public let label: Truth
  /// Kind of manipulation.
  public let type: String
  /// The score less the fold's threshold; for a disagreement the distance between the surest two.
  public let margin: Double
  /// Every model's score, by name.
  public let scores: [String: Double]

  /// The worst errors of each trained model and the widest disagreements, from test rows.
  ///
  /// - Parameters:
  ///   - each: how many of a kind and model.
  ///   - disagreements: how many of these in all.
  public static func find(
    _ report: RunReport, _ rows: [ScoreRow], each: Int = 3, disagreements: Int = 6
  ) -> [FailureCase] {
    let models = report.models.filter { !$0.isBaseline }.map(\.name)
    let known = Set(models)
    let scored = rows.filter { $0.score != nil && known.contains($0.model) }
    // Thresholds as the report's: chosen on the fold's validation rows.
    struct Key: Hashable { let model: String, fold: Int }
    let thresholds = Dictionary(
      grouping: scored.filter { $0.part == .validation }, by: { Key(model: $0.model, fold: $0.fold) }
    ).mapValues { rows in
      RankedScores(scores: rows.map { $0.score! }, fake: rows.map(\.isFake)).threshold(by: report.thresholdRule)?
        .operatingPoint ?? 0.5
    }
    let test = scored.filter { $0.part == .test }.map { row in
      (row: row, margin: row.score! - (thresholds[Key(model: row.model, fold: row.fold)] ?? 0.5))
    }
    let bySample = Dictionary(grouping: test, by: \.row.id)
    func made(_ kind: Kind, _ model: String, _ row: ScoreRow, _ margin: Double) -> FailureCase {
      FailureCase(
        kind: kind, model: model, sample: row.id, label: row.label, type: row.type, margin: margin,
        scores: Dictionary(
          (bySample[row.id] ?? []).map { ($0.row.model, $0.row.score!) }, uniquingKeysWith: { first, _ in first }))
    }
    var found: [FailureCase] = []
    for model in models {
      let own = test.filter { $0.row.model == model }
      for kind in [Kind.missed, .accused] {
        let wrong = own.filter { kind == .missed ? $0.row.isFake && $0.margin < 0 : !$0.row.isFake && $0.margin >= 0 }
        let worst = wrong.sorted {
          (abs($1.margin), $0.row.id.description) < (abs($0.margin), $1.row.id.description)
        }
        found += worst.prefix(each).map { made(kind, model, $0.row, $0.margin) }
      }
    }
    var apart: [FailureCase] = []
    for (_, items) in bySample.sorted(by: { $0.key.description < $1.key.description }) {
      for label in [Truth.real, .fake] {
        let same = items.filter { $0.row.label == label }
        guard let high = same.max(by: { $0.margin < $1.margin }), let low = same.min(by: { $0.margin < $1.margin }),
          high.margin >= 0, low.margin < 0
        else { continue }
        apart.append(made(.disagreement, "", high.row, high.margin - low.margin))
      }
    }
    apart.sort { ($1.margin, $0.sample.description) < ($0.margin, $1.sample.description) }
    return found + apart.prefix(disagreements)
  }

  /// The cases of a run as its report will show them.
  public static func ofMainRows(_ report: RunReport, _ rows: [ScoreRow]) -> [FailureCase] {
    find(report, RunAnalysis.mainRows(rows, report))
  }
}
