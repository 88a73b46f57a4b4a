import Datasets
import Evaluation
import Foundation
import Models
import Training

/// Scores the validation and the test part of one fold with that fold's model: a row for every sample, failures included.
struct FoldScoring {
  let inputs: RunInputs
  let roots: DataRoots

  /// How long scoring took, decoding included; never part of a result.
  struct Timing: Codable {
    let samples: Int
    let seconds: Double
  }

  /// The rows of a score file, those of the frames, windows or clips that it was made of, and the time.
  func score(
    _ entry: Experiment.ModelEntry, fold: Int, with scorer: Scorer, progress: (_ done: Int, _ all: Int) throws -> Void
  ) throws -> (text: String, frames: String, timing: Timing) {
    let work = [(Datasets.Part.validation, Evaluation.Part.validation), (.test, .test)].flatMap { part, column in
      inputs.plan.indices(part, fold: fold).map { (inputs.dataset.samples[$0], column) }
        .sorted { ($0.0.dataset, $0.0.id) < ($1.0.dataset, $1.0.id) }
    }
    var (rows, frames): ([ScoreRow], [ScoreRow]) = ([], [])
    var (scored, seconds) = (0, 0.0)
    for (index, (sample, part)) in work.enumerated() {
      try progress(index, work.count)
      let start = ContinuousClock.now
      let result = try score(sample, with: scorer)
      if result.score != nil {
        scored += 1
        seconds += (ContinuousClock.now - start) / .seconds(1)
      }
      let row = ScoreRow(
        sample: sample.id, dataset: sample.dataset, fold: fold, part: part,
        label: sample.label(for: scorer.architecture.modality) == .fake ? .fake : .real,
        type: sample.label == .fake ? sample.type : "", model: entry.name, score: result.score?.probability,
        logit: result.score?.logit, reason: result.reason ?? "")
      rows.append(row)
      for (frame, probability) in (result.score?.parts ?? []).enumerated() {
        var one = row
        (one.frame, one.score, one.logit) = (frame, probability, nil)
        frames.append(one)
      }
    }
    return (ScoreFile.text(rows), ScoreFile.text(frames), Timing(samples: scored, seconds: seconds))
  }

  private func score(_ sample: Sample, with scorer: Scorer) throws -> ScoreResult {
    if let problem = sample.problem { return .failed(problem) }
    guard var item = ModelSample(sample, modality: scorer.architecture.modality, roots: roots) else {
      return .failed("the sample has no \(scorer.architecture.modality.rawValue)")
    }
    item.label = nil  // a scorer is told no label
    return try scorer.score(item)
  }
}

extension Sample {
  /// The label that a model of this modality is judged by.
  func label(for modality: InputModality) -> Label { label(for: Modality(rawValue: modality.rawValue)!) }
}
