import Datasets
import Training
import Wire

/// The jobs of an experiment, as a graph: prepare → train → score → fuse → merge.
enum RunGraph {
  /// What a job does; `JobSpec.kind`.
  enum Kind: String {
    case prepare, train, score, fuse, merge
  }

  /// Samples that one prepare job decodes.
  static let samplesPerPart = 64

  /// How many prepare jobs there are.
  static func parts(ofSamples samples: Int) -> Int { max(1, (samples + samplesPerPart - 1) / samplesPerPart) }

  /// All jobs, in the order in which they are preferred.
  ///
  /// Folds come first in the order of training jobs, so that a whole fold is fused early; whoever waits for few others
  /// has the higher priority, so that fusion is never starved.
  static func jobs(of experiment: Experiment, samples: Int, folds: Int) -> [JobSpec] {
    let parts = parts(ofSamples: samples)
    let prepare = (0..<parts).map { part in
      JobSpec(
        id: "prepare/\(part)", kind: Kind.prepare.rawValue, arguments: ["part": "\(part)", "parts": "\(parts)"],
        outputs: [RunFiles.prepared(part)], priority: 50)
    }
    let prepared = prepare.map(\.id)
    var jobs = prepare
    for fold in 0..<folds {
      for entry in experiment.trained {
        let name = entry.name
        let isModel = experiment.models.contains { $0.name == name }
        jobs.append(
          JobSpec(
            id: "train/\(name)/\(fold)", kind: Kind.train.rawValue,
            arguments: ["model": name, "fold": "\(fold)", "epochs": "\(entry.train.epochs)"],
            dependencies: prepared, outputs: [RunFiles.model(name, fold), RunFiles.training(name, fold)],
            groupSize: isModel ? experiment.cluster.workersPerJob.most(shards: entry.train.logicalShards) : 1,
            priority: 10))
        jobs.append(
          JobSpec(
            id: "score/\(name)/\(fold)", kind: Kind.score.rawValue, arguments: ["model": name, "fold": "\(fold)"],
            dependencies: ["train/\(name)/\(fold)"], inputs: [RunFiles.model(name, fold)],
            outputs: [RunFiles.foldScores(name, fold), RunFiles.foldFrames(name, fold), RunFiles.scoring(name, fold)],
            priority: 20))
      }
      for fusion in experiment.fusion {
        jobs.append(
          JobSpec(
            id: "fuse/\(fusion.name)/\(fold)", kind: Kind.fuse.rawValue,
            arguments: ["fusion": fusion.name, "fold": "\(fold)"],
            dependencies: experiment.models.map { "score/\($0.name)/\(fold)" },
            inputs: experiment.models.map { RunFiles.foldScores($0.name, fold) },
            outputs: [RunFiles.fusion(fusion.name, fold), RunFiles.foldScores(fusion.name, fold)],
            runsOn: .coordinator, priority: 30))
      }
    }
    let before = jobs.filter { $0.kind == Kind.score.rawValue || $0.kind == Kind.fuse.rawValue }
    jobs.append(
      JobSpec(
        id: "merge", kind: Kind.merge.rawValue, dependencies: before.map(\.id), outputs: [RunFiles.summary],
        runsOn: .coordinator, priority: 40))
    return jobs
  }
}
