import ArgumentParser
import Evaluation
import Files
import Foundation

/// A speaker verification system's scores or rates.
struct VerificationArguments: ParsableArguments {
  @Option(help: ArgumentHelp("The score file's column with verification scores.", valueName: "column"))
  var asvScore: String?

  @Option(help: ArgumentHelp("What the label column says of trials of the right speaker.", valueName: "label"))
  var asvTarget: String?

  @Option(
    help: ArgumentHelp("ASVspoof's list of verification scores: lines ending with kind and score.", valueName: "file"))
  var asvScores: String?

  @Option(
    help: ArgumentHelp("Known rates: asvspoof5, or FALSE-ACCEPT:MISS:SPOOF-ACCEPT.", valueName: "rates"))
  var asvRates: String?

  func validate() throws {
    guard [asvScore, asvScores, asvRates].compactMap(\.self).count <= 1 else {
      throw ValidationError("Give one of --asv-score, --asv-scores and --asv-rates.")
    }
    guard (asvScore == nil) == (asvTarget == nil) else {
      throw ValidationError("--asv-score and --asv-target go together.")
    }
    do { _ = try asvRates.map { try VerificationRates($0) } } catch { throw ValidationError("\(error)") }
  }

  /// The system's rates, if any were asked for.
  func rates(_ scores: ScoreArguments) throws -> VerificationRates? {
    if let asvRates { return try VerificationRates(asvRates) }
    if let asvScores { return try VerificationRates(VerificationScores(listing: URL(fileURLWithPath: asvScores))) }
    guard let asvScore, let asvTarget else { return nil }
    let mapping = scores.mapping
    let columns = VerificationScores.Columns(
      score: asvScore, kind: mapping.names["label"] ?? "label", target: asvTarget, spoof: mapping.fakeLabel ?? "fake",
      attack: mapping.names["type"] ?? "type")
    guard scores.files.count == 1 else {
      throw EvaluationError("--asv-score reads one score file; give one, or name the list with --asv-scores")
    }
    let table = try CSVReader(contentsOf: URL(fileURLWithPath: scores.files[0]))
    return try VerificationRates(VerificationScores(table, name: scores.files[0], columns))
  }
}
