import Datasets
import Evaluation
import Files
import Foundation
import Services
import Wire

/// What the coordinator itself does: fusing a fold's scores, and merging everything into the report. Neither touches a
/// tensor.
final class CoordinatorJobs: JobRunner {
  private let inputs: RunInputs
  private let directory: URL
  private let hasLedger: Bool

  /// For a run directory whose shared files are written; without a ledger there is nothing to audit.
  init(inputs: RunInputs, directory: URL, hasLedger: Bool = true) {
    (self.inputs, self.directory, self.hasLedger) = (inputs, directory, hasLedger)
  }

  func run(_ job: JobSpec, _ context: any JobContext) throws {
    switch RunGraph.Kind(rawValue: job.kind) {
    case .fuse: try fuse(job.text("fusion"), fold: job.number("fold"), context)
    case .merge: try merge(context)
    case .prepare, .train, .score, nil: preconditionFailure("the coordinator was given the job \(job.id)")
    }
  }

  /// Fits a fusion on the fold's validation scores and applies it to validation and test.
  private func fuse(_ name: String, fold: Int, _ context: any JobContext) throws {
    let entry = inputs.experiment.fusion.first { $0.name == name }!
    let models = inputs.experiment.models.map(\.name)
    let rows = try models.flatMap { try ScoreFile.read(context.input(RunFiles.foldScores($0, fold))) }
    let truth = Dictionary(
      inputs.dataset.samples.map {
        (SampleID(dataset: $0.dataset, sample: $0.id), $0.label == .fake ? Truth.fake : .real)
      }, uniquingKeysWith: { first, _ in first })
    let fusion = LateFusion(name: name, rule: try FusionRule(name: entry.rule), models: models)
    let result = try fusion.fuse(rows, truth: truth)
    let fitted = FusedFold(
      fusion: result.fitted[fold]!, rows: result.rows, try inputs.experiment.threshold.settings)
    let file = context.directory.appending(path: "scores.csv")
    try writeAtomically(ScoreFile.text(result.rows), to: file)
    try context.publish(file, as: RunFiles.foldScores(name, fold))
    try context.publish(json: fitted, as: RunFiles.fusion(name, fold))
  }

  /// Joins the folds' score files, then writes tables, figures and the page.
  private func merge(_ context: any JobContext) throws {
    try context.progress(JobProgress(phase: "merge"))
    let audit = hasLedger ? try SampleAudit(inputs, directory) : nil
    if let audit {
      context.log(audit.sentence)
      let wrong = audit.entries.reduce(0) { $0 + $1.problems.count }
      try context.record(
        metrics: ["audited_epochs": Double(audit.entries.reduce(0) { $0 + $1.epochs }), "wrong_epochs": Double(wrong)],
        epoch: 0)
    }
    var merge = RunMerge(inputs: inputs, directory: directory)
    if hasLedger { merge.lending = SampleLending(context: context) }
    let table = try merge.run(audit)
    let file = context.directory.appending(path: "summary.txt")
    try writeAtomically(table, to: file)
    try context.publish(file, as: RunFiles.summary)
  }
}

/// What a fold's fusion learned, with the operating point chosen on the fused validation scores.
struct FusedFold: Codable {
  let fusion: FittedFusion
  let decision: OperatingPoint
  /// Area under the ROC curve on the fused validation scores: what predictions choose among fusions by.
  let validationAUC: Double?

  init(fusion: FittedFusion, rows: [ScoreRow], _ settings: DecisionSettings) {
    let validation = rows.filter { $0.part == .validation && $0.score != nil }
    let (scores, fake) = (validation.map { $0.score! }, validation.map(\.isFake))
    validationAUC = RankedScores(scores: scores, fake: fake).areaUnderCurve.value
    self.fusion = fusion
    decision = OperatingPoint(settings, validation: scores, logits: scores.map(logit), fake: fake)
  }

  enum CodingKeys: String, CodingKey {
    case fusion
    case decision = "operating_point"
    case validationAUC = "validation_auc"
  }
}
