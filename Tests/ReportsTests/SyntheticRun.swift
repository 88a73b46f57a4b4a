import Evaluation
import Foundation
import Reports

/// A run as the quick start makes it, with scores drawn instead of trained: 12 pairs of identities, real clips, five kinds
/// of fake of which lip-sync is seen by none, three models, six fusions, two baselines, probes and failures.
struct SyntheticRun {
  var report: RunReport
  var scores: [ScoreRow]

  init(name: String = "quickstart", folds: Int = 5, failures: Bool = true) throws {
    var noise = SplitMix64(state: 42)
    func normal() -> Double {
      let u = max(Double.random(in: 0..<1, using: &noise), 1e-12)
      return (-2 * log(u)).squareRoot() * cos(2 * .pi * Double.random(in: 0..<1, using: &noise))
    }
    report = RunReport(name: name, thresholdRule: .f1)
    var foldOf: [String: Int] = [:]
    let kinds: [(type: String, visual: Truth, audio: Truth)] = [
      ("", .real, .real), ("", .real, .real), ("face", .fake, .real), ("voice", .real, .fake),
      ("lip-sync", .real, .real), ("face+voice", .fake, .fake),
    ]
    for clip in 0..<144 {
      let kind = kinds[clip % 6]
      let id = String(format: "clip-%03d", clip)
      let pair = clip / 12
      foldOf[id] = pair % folds
      report.samples.append(
        RunReport.Sample(
          id: id, dataset: "sample", label: kind.type.isEmpty ? .real : .fake, audioLabel: kind.audio,
          visualLabel: kind.visual, type: kind.type, group: "pair-\(pair)"))
    }
    scores = []
    let models: [(name: String, modality: String, strength: Double, baseline: Bool)] = [
      ("frames", "image", 3.2, false), ("voice", "audio", 4.2, false), ("motion", "video", 2.1, false),
      ("thumbnail-logistic", "image", 0.5, true), ("mfcc-logistic", "audio", 1.6, true),
    ]
    for model in models {
      var base: [String: Double] = [:]
      for sample in report.samples {
        let truth = model.modality == "audio" ? sample.audioLabel! : sample.visualLabel!
        base[sample.id] = (truth == .fake ? model.strength : 0) - model.strength / 2 + normal()
      }
      for fold in 0..<folds {
        for sample in report.samples {
          let part: Part? =
            foldOf[sample.id] == fold ? .test : foldOf[sample.id] == (fold + 1) % folds ? .validation : nil
          guard let part else { continue }
          let logit = base[sample.id]! + 0.25 * normal()
          let failed = failures && model.name == "voice" && sample.id == "clip-017"
          scores.append(
            ScoreRow(
              sample: sample.id, dataset: sample.dataset, fold: fold, part: part,
              label: model.modality == "audio" ? sample.audioLabel! : sample.visualLabel!, type: sample.type,
              model: model.name, score: failed ? nil : sigmoid(logit), logit: failed ? nil : logit,
              reason: failed ? "the file has no audio stream" : ""))
        }
      }
      let training = (0..<folds).map { fold in
        let epochs = (1...12).map { epoch in
          let x = Double(epoch)
          return RunReport.Epoch(
            epoch: epoch, trainLoss: 0.68 * exp(-x / 6) + 0.04 + 0.01 * normal(),
            validationLoss: 0.6 * exp(-x / 5) + 0.16 + 0.004 * x + 0.012 * normal(),
            validationAUC: min(1, 0.55 + 0.4 * (1 - exp(-x / 4)) + 0.012 * normal()))
        }
        return RunReport.FoldTraining(
          fold: fold, bestEpoch: epochs.max { $0.validationAUC! < $1.validationAUC! }?.epoch, epochs: epochs)
      }
      report.models.append(
        RunReport.Model(
          name: model.name, isBaseline: model.baseline, modality: model.modality,
          architecture: [
            "frames": "convnext-atto", "voice": "audio-cnn", "motion": "temporal-difference",
            "thumbnail-logistic": "logistic regression on an 8×8 thumbnail",
            "mfcc-logistic": "logistic regression on MFCC mean and deviation",
          ][model.name]!,
          parameters: ["frames": 3_372_481, "voice": 388_865, "motion": 121_345][model.name] ?? 80,
          trainingMinutes: model.baseline ? 0.02 : 1.4, inferenceMilliseconds: model.baseline ? 0.8 : 11.6,
          training: model.baseline ? [] : training))
    }
    let truth = Dictionary(uniqueKeysWithValues: report.samples.map { ($0.name, $0.label) })
    let members = ["frames", "voice", "motion"]
    let single = scores
    for rule in FusionRule.allCases {
      report.fusions.append(RunReport.Fusion(name: rule.rawValue, rule: rule, models: members))
      scores += try LateFusion(name: rule.rawValue, rule: rule, models: members).fuse(single, truth: truth).rows
    }
    describe(folds: folds, foldOf, &noise)
  }

  private mutating func describe(folds: Int, _ foldOf: [String: Int], _ noise: inout SplitMix64) {
    report.seeds = [7]
    report.experiment = """
      name: quickstart
      seed: 7
      data:
        - {name: sample, layout: manifest, path: data/sample/manifest.csv}
      folds: {count: 5, validation: 0.15, group: auto, stratify: [label, type]}
      balance: {loss: focal, focal_gamma: 2.0, class_weights: balanced, sampler: none}
      threshold: {rule: f1}
      train: {epochs: 12, batch: 32, precision: fp32, optimizer: adamw, learning_rate: 1.0e-3, weight_decay: 0.05, schedule: cosine, warmup_epochs: 1, early_stopping_epochs: 4}
      models:
        - {name: frames, architecture: convnext-atto, modality: image}
        - {name: voice, architecture: audio-cnn, modality: audio, train: {epochs: 20}}
      """
    report.statistics = [
      .init(dataset: "sample", modality: "image", real: 96, fake: 48, verdict: "GOOD", advice: "train as it is"),
      .init(dataset: "sample", modality: "audio", real: 96, fake: 48, verdict: "GOOD", advice: "train as it is"),
      .init(
        dataset: "sample", modality: "video", real: 24, fake: 120, verdict: "MODERATE",
        advice: "use class weights or focal loss"),
    ]
    for fold in 0..<folds {
      for (part, offset) in [("train", nil), ("validation", 1), ("test", 0)] as [(String, Int?)] {
        let members = report.samples.filter { sample in
          let mine = foldOf[sample.id]!
          return offset.map { mine == (fold + $0) % folds } ?? (mine != fold && mine != (fold + 1) % folds)
        }
        report.folds.append(
          .init(
            fold: fold, part: part, real: members.count { $0.label == .real },
            fake: members.count { $0.label == .fake }, groups: Set(members.map(\.group)).count))
      }
    }
    report.leaks = [
      .init(name: "groups in two parts of a fold", found: 0, checked: 12),
      .init(name: "identical files in two parts of a fold", found: 0, checked: 144),
      .init(name: "samples tested twice", found: 0, checked: 144),
    ]
    for (name, unit) in [("duration", "s"), ("level", "dBFS"), ("file size", "bytes"), ("leading silence", "s")] {
      let values = report.samples.map { _ in Double.random(in: 0..<1, using: &noise) }
      report.probes.append(.init(name: name, unit: unit, values: values))
    }
    report.failures = [.init(subject: "clip-017", stage: "decode", reason: "the file has no audio stream")]
    report.versions = [
      .init("unmask", "0.1.0"), .init("Swift", "6.3.1"), .init("oneDNN", "2.6.3"), .init("OpenBLAS", "0.3.21"),
      .init("libav", "5.1.6"), .init("gnuplot", "5.4.4"),
    ]
    report.hashes = ["data", "experiment", "program", "numerics fingerprint"].map {
      .init($0, String(repeating: "9f3ac1", count: 10) + "0b1c")
    }
    report.execution = [
      .init("started", "2026-11-21 12:01:14 UTC"), .init("finished", "2026-11-21 12:06:40 UTC"),
      .init("workers", "worker-a (2 threads), worker-b (2 threads)"), .init("jobs", "34, 1 retried"),
    ]
    report.files = [
      .init(path: "Models/best_frames.safetensors", bytes: 13_489_924, sha256: String(repeating: "ab12", count: 16)),
      .init(path: "folds.csv", bytes: 9_311, sha256: String(repeating: "cd34", count: 16)),
    ]
    report.notes = ["All workers computed with the avx2 kernels, which every one of them has."]
  }
}
