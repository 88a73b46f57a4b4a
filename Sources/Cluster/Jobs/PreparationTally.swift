import Datasets
import Foundation
import Models
import Training

/// Something about a sample that was found before training: a modality's models cannot use it, or it is unusual.
struct PreparationFinding: Codable, Hashable, Comparable {
  let dataset: String
  let sample: String
  let modality: String
  let reason: String

  static func < (a: Self, b: Self) -> Bool {
    (a.dataset, a.sample, a.modality, a.reason) < (b.dataset, b.sample, b.modality, b.reason)
  }
}

/// What a prepare job publishes: the same for any number of attempts and workers.
struct PreparationRecord: Codable {
  /// Samples without a score, and why.
  let failures: [PreparationFinding]
  /// Samples that can be used, and what is unusual about them.
  let notes: [PreparationFinding]
  /// Samples that can be used, and how many views they have.
  let parts: [PreparedParts]
}

/// How many frames, windows or clips a sample has for a kind of input: what the plan of an epoch follows from.
struct PreparedParts: Codable {
  let dataset: String
  let sample: String
  let input: String
  let parts: Int
}

/// The counts of a prepare job while it goes on: for progress and log.
struct PreparationTally {
  private(set) var made = 0
  private(set) var kept = 0
  private var failures: Set<PreparationFinding> = []
  private var notes: Set<PreparationFinding> = []
  private var parts: [PreparedParts] = []
  private let start = ContinuousClock.now

  /// Counts one file for one kind of model.
  mutating func add(
    _ entry: SampleCache.Entry, _ sample: Sample, _ modality: InputModality, _ input: Preprocessing, wasKept: Bool
  ) {
    if wasKept { kept += 1 } else { made += 1 }
    func finding(_ reason: String) -> PreparationFinding {
      PreparationFinding(dataset: sample.dataset, sample: sample.id, modality: modality.rawValue, reason: reason)
    }
    switch entry {
    case .failed(let reason): failures.insert(finding(reason))
    case .ready(let prepared):
      if !prepared.note.isEmpty { notes.insert(finding(prepared.note)) }
      parts.append(
        PreparedParts(
          dataset: sample.dataset, sample: sample.id, input: input.cacheKey, parts: input.parts(of: prepared)))
    }
  }

  /// What the job leaves behind.
  var record: PreparationRecord {
    PreparationRecord(failures: failures.sorted(), notes: notes.sorted(), parts: parts)
  }

  /// One line: speed, what was there already, and failures by reason.
  var sentence: String {
    var parts: [String] = []
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    if made > 0 { parts.append("\((Double(made) / max(seconds, 1e-3) * 10).rounded() / 10) files/s") }
    if kept > 0 { parts.append("\(kept) files were prepared before") }
    if !failures.isEmpty {
      let reasons = ReasonCount.of(failures.map(\.reason))
      let rest = reasons.count - 3
      parts.append(
        "\(failures.count) failed: " + reasons.prefix(3).map { "\($0.reason) \($0.count)" }.joined(separator: ", ")
          + (rest > 0 ? " and \(rest) other reasons" : ""))
    }
    return parts.joined(separator: "; ")
  }

  /// Every failure and note with its count, the most frequent first.
  var lines: [String] {
    ReasonCount.of(failures.map { "\($0.modality): \($0.reason)" }).map { "failed, \($0.count): \($0.reason)" }
      + ReasonCount.of(notes.map { "\($0.modality): \($0.reason)" }).map { "noted, \($0.count): \($0.reason)" }
  }
}
