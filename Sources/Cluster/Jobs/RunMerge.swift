import Datasets
import Evaluation
import Files
import Foundation
import Ledger
import Models
import Reports
import Training

/// Joins the parts that jobs published into the run's final files: score files, the best models, tables, figures, page.
struct RunMerge {
  let inputs: RunInputs
  let directory: URL
  /// What a run that has not come to its end lacks; nil for a whole one, where every file must be there.
  var unfinished: RunReport.Unfinished?
  /// Brings samples' files that are gone from this machine; nil where there is no run from which they could come.
  var lending: SampleLending?

  /// Writes everything, and returns the comparison table for the terminal.
  ///
  /// - Parameter audit: what the report says of the samples' use.
  func run(_ audit: SampleAudit?) throws -> String {
    let outcome = try write(audit)
    return outcome.table + (outcome.figuresMissing.map { "\nno figures: \($0)\n" } ?? "")
  }

  /// Writes everything.
  func write(_ audit: SampleAudit?) throws -> ReportWriter.Outcome {
    var rows: [ScoreRow] = []
    let frames = try mergeFrames()
    for name in inputs.experiment.trained.map(\.name) + inputs.experiment.fusion.map(\.name) {
      let own = try scored(name).flatMap { try ScoreFile.read(file(RunFiles.foldScores(name, $0))) }
      guard !own.isEmpty || unfinished == nil else { continue }
      try writeAtomically(ScoreFile.text(own), to: file(RunFiles.scores(name)))
      rows += own
    }
    for entry in inputs.experiment.models where scored(entry.name).count == inputs.plan.count { try keepBest(entry) }
    var report = try report()
    if let audit { report.notes.insert(audit.sentence, at: 0) }
    report.previews = try previews(FailureCase.ofMainRows(report, rows))
    return try ReportWriter.write(report, scores: rows, frames: frames, to: directory)
  }

  private func file(_ name: String) -> URL { directory.appending(path: name) }

  private func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: file(name).path) }

  /// The folds that a model or fusion has scores of; all of them in a whole run.
  private func scored(_ name: String) -> [Int] {
    (0..<inputs.plan.count).filter { unfinished == nil || exists(RunFiles.foldScores(name, $0)) }
  }

  /// The folds that a model was trained on.
  private func trained(_ name: String) -> [Int] {
    (0..<inputs.plan.count).filter { unfinished == nil || exists(RunFiles.training(name, $0)) }
  }

  /// Joins the folds' scores of frames, windows and clips, for models that see several of a sample.
  private func mergeFrames() throws -> [ScoreRow] {
    try inputs.experiment.trained.flatMap { entry in
      let own = try scored(entry.name).flatMap { try ScoreFile.read(file(RunFiles.foldFrames(entry.name, $0))) }
      guard own.contains(where: { $0.frame ?? 0 > 0 }) else { return [ScoreRow]() }
      try writeAtomically(ScoreFile.text(own), to: file(RunFiles.frames(entry.name)))
      return own
    }
  }

  /// Copies the fold with the best validation score, never test, to `Models/best_<model>.safetensors`.
  private func keepBest(_ entry: Experiment.ModelEntry) throws {
    let folds = try (0..<inputs.plan.count).map { fold in
      try ModelFile.description(of: file(RunFiles.model(entry.name, fold)))
    }
    let best = folds.min { a, b in
      let keys = [a, b].map { (-($0.validationAUC ?? 0), $0.validationLoss ?? .infinity, $0.fold) }
      return keys[0] < keys[1]
    }!
    try writeAtomically(readFile(file(RunFiles.model(entry.name, best.fold))), to: file(RunFiles.best(entry.name)))
  }

  private func report() throws -> RunReport {
    let experiment = inputs.experiment
    let (dataset, plan) = (inputs.dataset, inputs.plan)
    var report = RunReport(name: experiment.name)
    report.decision = try experiment.threshold.settings
    report.seeds = experiment.folds.seeds(experiment.seed)
    report.foldProtocol = experiment.folds.protocol.rawValue
    if !plan.names.isEmpty {
      report.scopes = (0..<plan.count).map { fold in
        RunReport.FoldScope(
          fold: fold, name: plan.names[fold], repetition: plan.repetition(of: fold),
          trainedOn: Set(plan.indices(.train, fold: fold).map { dataset.samples[$0].dataset }).sorted())
      }
    }
    report.experiment = String(decoding: try readFile(file(RunFiles.experimentYAML)), as: UTF8.self)
    let groups = groupNames()
    report.samples = dataset.samples.enumerated().map { index, sample in
      let has = { (modality: Modality, label: Label) in
        sample.path(for: modality) == nil ? nil : label == .fake ? Truth.fake : .real
      }
      return RunReport.Sample(
        id: sample.id, dataset: sample.dataset, label: sample.label == .fake ? .fake : .real,
        audioLabel: has(.audio, sample.audioLabel), visualLabel: has(.image, sample.visualLabel),
        type: sample.label == .fake ? sample.type : "", group: groups[plan.groups.indices[index]])
    }
    report.statistics = try statistics()
    let leaks = LeakReport(plan, of: dataset)
    report.folds = leaks.parts.map {
      .init(fold: $0.fold, part: $0.part.rawValue, real: $0.counts.real, fake: $0.counts.fake, groups: $0.groups)
    }
    report.leaks = checks(leaks)
    report.models = try experiment.trained.filter { !scored($0.name).isEmpty }.map(model)
    report.fusions = try experiment.fusion.filter { !scored($0.name).isEmpty }.map {
      .init(name: $0.name, rule: try FusionRule(name: $0.rule), models: experiment.models.map(\.name))
    }
    report.probes = try probes()
    report.notes += plan.notes(of: dataset)
    report.notes += try notes() + preparationNotes()
    report.failures = try failures()
    report.versions = ProgramFacts.versions.map { .init($0.name, $0.value) }
    report.hashes = [
      .init("experiment", try experiment.resultHash()), .init("samples.csv", try sha256(of: file(RunFiles.samples))),
      .init("folds.csv", try sha256(of: file(RunFiles.folds))), .init("program", ProgramFacts.programHash),
    ]
    report.testScorings = Self.testScorings(of: directory, inputs)
    report.unfinished = unfinished.map { known in
      var known = known
      known.missing = missing()
      return known
    }
    report.execution = execution()
    report.files = try resultFiles()
    return report
  }

  /// Where the data lies; with somebody to bring what is gone, even if all of it is.
  private func roots() throws -> DataRoots { try DataRoots(inputs.experiment.data, mayLack: lending != nil) }

  /// Shortcuts. Of an unfinished run the data may be elsewhere: then there are none.
  private func probes() throws -> [RunReport.Probe] {
    let dataset = inputs.dataset
    let audit: ShortcutAudit
    do {
      audit = try ShortcutAudit(dataset, roots()) { sample, roots, look in
        if let lending { lending.lend(sample, roots, look) } else { look(roots) }
      }
    } catch  where unfinished != nil { return [] }
    return ShortcutProbe.Quantity.allCases.compactMap { quantity in
      audit.values[quantity].map { values in
        .init(
          name: quantity.rawValue, unit: quantity.unit, values: dataset.samples.map { values[SampleKey($0)] },
          isOneSided: quantity.isCategorical)
      }
    }
  }

  /// Pictures of the failure cases, under `Figures/cases`. Where the data is not on this machine there are none.
  private func previews(_ cases: [FailureCase]) throws -> [RunReport.Preview] {
    guard let roots = try? roots() else { return [] }
    let wanted = Set(cases.map(\.sample))
    return try inputs.dataset.samples.filter {
      wanted.contains(SampleID(dataset: $0.dataset, sample: $0.id)) && $0.problem == nil
    }.enumerated().map { number, sample in
      var found: SamplePreview?
      if let lending { lending.lend(sample, roots) { found = SamplePreview(sample, $0) } }
      let preview = found ?? SamplePreview(sample, roots)
      func keep(_ bytes: [UInt8]?, _ kind: String) throws -> String? {
        guard let bytes else { return nil }
        let path = "Figures/cases/\(number)-\(kind).png"
        try writeAtomically(bytes, to: file(path))
        return path
      }
      return RunReport.Preview(
        dataset: sample.dataset, sample: sample.id, about: preview.about, picture: try keep(preview.picture, "picture"),
        spectrogram: try keep(preview.spectrogram, "spectrogram"))
    }
  }

  /// How often test scores were computed, by the ledger: each attempt at a score job that came to its end, and predictions
  /// of files that a fold had as test.
  static func testScorings(of directory: URL, _ inputs: RunInputs) -> [RunReport.TestScoring] {
    guard let reader = try? LedgerReader(directory: directory), let attempts = try? reader.attempts() else { return [] }
    let done = attempts.filter { $0.job.hasPrefix("\(RunGraph.Kind.score.rawValue)/") && $0.outcome == "done" }
    let counts = Dictionary(grouping: done) { String($0.job.split(separator: "/")[1]) }.mapValues(\.count)
    let predicted = (try? reader.testPredictions()) ?? [:]
    return inputs.experiment.trained.map {
      RunReport.TestScoring(
        model: $0.name, folds: inputs.plan.count, computed: counts[$0.name] ?? 0, predicted: predicted[$0.name] ?? 0)
    }
  }

  /// Who did the work, how often anew, and how long it took.
  private func execution() -> [RunReport.Fact] {
    guard let attempts = try? LedgerReader(directory: directory).attempts() else { return [] }
    let workers = Set(attempts.flatMap { $0.workers.split(separator: ", ").map(String.init) })
      .subtracting(["coordinator"])
    let lost = attempts.count { $0.outcome != nil && $0.outcome != "done" }
    let minutes = attempts.reduce(0) { $0 + ($1.seconds ?? 0) } / 60
    return [
      .init("workers", workers.sorted().joined(separator: ", ")),
      .init("attempts at jobs", "\(attempts.count), of which \(lost) ended without a result"),
      .init("time in jobs", "\((minutes * 10).rounded() / 10) minutes"),
    ]
  }

  /// A name for every group; two data sets may call theirs alike, and then the set's name stands before it.
  private func groupNames() -> [String] {
    let (names, plan) = (inputs.plan.groups.names, inputs.plan)
    let counts = Dictionary(grouping: names) { $0 }.mapValues(\.count)
    var sets = [String](repeating: "", count: names.count)
    for (index, sample) in inputs.dataset.samples.enumerated().reversed() {
      sets[plan.groups.indices[index]] = sample.dataset
    }
    var used: [String: Int] = [:]
    return names.indices.map { index in
      let name = counts[names[index]] == 1 ? names[index] : "\(sets[index]) \(names[index])"
      used[name, default: 0] += 1
      return used[name] == 1 ? name : "\(name) (\(used[name]!))"
    }
  }

  private func statistics() throws -> [RunReport.DatasetStatistics] {
    try Set(inputs.dataset.samples.map(\.dataset)).sorted().flatMap { name in
      var part = inputs.dataset
      part.samples.removeAll { $0.dataset != name }
      return try DatasetStatistics(part).modalities.map { balance in
        RunReport.DatasetStatistics(
          dataset: name, modality: balance.modality?.rawValue ?? "all", real: balance.counts.real,
          fake: balance.counts.fake, verdict: balance.verdict.rawValue, advice: balance.advice)
      }
    }
  }

  private func checks(_ leaks: LeakReport) -> [RunReport.LeakCheck] {
    func distinct(_ value: (Sample) -> String?) -> Int { Set(inputs.dataset.samples.compactMap(value)).count }
    let what: [(LeakReport.Kind, String, Int)] = [
      (.group, "groups in two parts of a fold", inputs.plan.groups.count),
      (.identity, "identities in two parts of a fold", distinct(\.identity)),
      (.source, "sources in two parts of a fold", distinct(\.source)),
      (.content, "equal files in two parts of a fold", distinct(\.sha256)),
    ]
    return what.map { kind, name, checked in
      let found = leaks.crossings.filter { $0.kind == kind }
      return RunReport.LeakCheck(
        name: name, found: leaks.crossingCounts[kind.rawValue] ?? 0, checked: checked,
        detail: found.prefix(3).map { "\($0.value) in fold \($0.fold)" }.joined(separator: "; "))
    }
  }

  private func model(_ entry: Experiment.ModelEntry) throws -> RunReport.Model {
    let architecture = try ModelRegistry.find(entry.architecture)
    let folds = trained(entry.name)
    let summaries = try folds.map { try decode(TrainingSummary.self, RunFiles.training(entry.name, $0)) }
    let timings = try scored(entry.name).map { try decode(FoldScoring.Timing.self, RunFiles.scoring(entry.name, $0)) }
    let scored = timings.reduce(0) { $0 + $1.samples }
    return RunReport.Model(
      name: entry.name, isBaseline: architecture.fitting == .logistic, modality: architecture.modality.rawValue,
      architecture: architecture.name, parameters: summaries.first?.parameters,
      trainingMinutes: summaries.reduce(0) { $0 + $1.seconds } / 60,
      inferenceMilliseconds: scored == 0 ? nil : timings.reduce(0) { $0 + $1.seconds } / Double(scored) * 1000,
      training: zip(folds, summaries).map { fold, summary in
        RunReport.FoldTraining(
          fold: fold, bestEpoch: summary.bestEpoch == 0 ? nil : summary.bestEpoch,
          epochs: summary.epochs.map {
            .init(
              epoch: $0.epoch, trainLoss: $0.trainingLoss, validationLoss: $0.validationLoss,
              validationAUC: $0.validationAUC)
          })
      },
      balance: RunReport.Model.Balance(
        strategy: entry.balance.strategy.rawValue, kind: try entry.kindButForBalance(),
        shown: summaries.map { summary in summary.notes.first { $0.kind == .balance }?.text ?? "" }))
  }

  /// What training said of itself: one remark for each model and kind, with the folds that it holds for.
  private func notes() throws -> [String] {
    try inputs.experiment.models.flatMap { entry in
      let notes = try trained(entry.name).map { fold in
        (fold: fold, all: try decode(TrainingSummary.self, RunFiles.training(entry.name, fold)).notes)
      }
      return TrainingNote.Kind.allCases.compactMap { kind -> String? in
        let found = notes.filter { $0.all.contains { $0.kind == kind } }
        let folds = found.map(\.fold)
        guard let first = folds.first, let note = found[0].all.first(where: { $0.kind == kind }) else { return nil }
        let others = folds.dropFirst().map(String.init).joined(separator: ", ")
        return "\(entry.name), fold \(first): \(note.text)"
          + (others.isEmpty ? "." : "; much the same in fold \(others).")
      }
    }
  }

  private func failures() throws -> [RunReport.Failure] {
    let scan = inputs.dataset.samples.compactMap { sample in
      sample.problem.map { RunReport.Failure(subject: sample.id, stage: "scan", reason: $0) }
    }
    return scan
      + (try preparation()).flatMap(\.failures).sorted().map {
        RunReport.Failure(subject: "\($0.sample) (\($0.modality))", stage: "decode", reason: $0.reason)
      }
  }

  private func preparation() throws -> [PreparationRecord] {
    let parts = RunGraph.parts(ofSamples: inputs.dataset.samples.count)
    return try (0..<parts).filter { unfinished == nil || exists(RunFiles.prepared($0)) }
      .map { try self.decode(PreparationRecord.self, RunFiles.prepared($0)) }
  }

  /// What preparing found: how many samples failed by reason, and how many were unusual.
  private func preparationNotes() throws -> [String] {
    let records = try preparation()
    return ReasonCount.of(records.flatMap(\.failures).map { "\($0.modality): \($0.reason)" }).prefix(10).map {
      "prepare: files without a score, \($0.reason): \($0.count)."
    }
      + ReasonCount.of(records.flatMap(\.notes).map { "\($0.modality): \($0.reason)" }).prefix(10).map {
        "prepare: \($0.reason): \($0.count) files."
      }
  }

  /// Models and scores with their hashes; reports and figures follow from them.
  private func resultFiles() throws -> [RunReport.FileEntry] {
    try ["Models", "Scores"].flatMap { top in
      let names = FileManager.default.enumerator(atPath: file(top).path)?.compactMap { $0 as? String } ?? []
      return try names.sorted().compactMap { name -> RunReport.FileEntry? in
        let url = file("\(top)/\(name)")
        let facts = try url.resourceValues(forKeys: [.isRegularFileKey, .fileSizeKey])
        guard facts.isRegularFile == true, !name.contains(".tmp-") else { return nil }
        return .init(path: "\(top)/\(name)", bytes: facts.fileSize ?? 0, sha256: try sha256(of: url))
      }
    }
  }

  /// What of which model or fusion has no scores.
  private func missing() -> [String] {
    (inputs.experiment.trained.map(\.name) + inputs.experiment.fusion.map(\.name)).compactMap { name in
      let there = Set(scored(name))
      let lacking = (0..<inputs.plan.count).filter { !there.contains($0) }
      if lacking.isEmpty { return nil }
      return there.isEmpty
        ? "\(name): no fold"
        : "\(name): fold \(lacking.map(String.init).joined(separator: ", ")) of \(inputs.plan.count)"
    }
  }

  private func decode<Value: Decodable>(_ type: Value.Type, _ name: String) throws -> Value {
    try JSONDecoder().decode(type, from: Data(readFile(file(name))))
  }
}
