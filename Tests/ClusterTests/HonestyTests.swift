import Datasets
import Evaluation
import Foundation
import Models
import Testing

@testable import Cluster
@testable import Training

@Suite struct `honesty` {
  /// A run of 24 samples in 12 groups, with some labels turned around.
  private func inputs(turned: (RunInputs, Int) -> Bool = { _, _ in false }) throws -> RunInputs {
    let experiment = try ExperimentFile.parse(
      "name: t\ndata: [{name: d, path: .}]\nfolds: {count: 3}\nmodels: [{name: a, architecture: audio-cnn}]",
      name: "t.yaml")
    var samples = (0..<24).map { index in
      var sample = Sample(id: "\(index).wav", dataset: "d", root: "d", label: index % 2 == 0 ? .real : .fake)
      (sample.group, sample.sha256, sample.modalities) = (
        "g\(index / 2)", String(repeating: "a", count: 62) + "\(index + 10)", .audio
      )
      return sample
    }
    let plain = Dataset(samples: samples, extraColumns: [])
    let plan = try FoldPlan(plain, experiment.folds, seed: 7)
    let known = RunInputs(experiment: experiment, dataset: plain, plan: plan)
    for index in samples.indices where turned(known, index) {
      let other: Label = samples[index].label == .real ? .fake : .real
      (samples[index].label, samples[index].audioLabel, samples[index].visualLabel) = (other, other, other)
    }
    return RunInputs(experiment: experiment, dataset: Dataset(samples: samples, extraColumns: []), plan: plan)
  }

  private func job(_ inputs: RunInputs) throws -> TrainingJob {
    try inputs.trainingJob(
      inputs.experiment.models[0], fold: 1, architecture: ModelRegistry.find("audio-cnn"), weights: nil,
      roots: DataRoots(inputs.experiment.data))
  }

  @Test func `a trainer is given nothing that depends on a test label`() throws {
    let plain = try job(inputs())
    let tests = try job(inputs { known, index in known.plan.indices(.test, fold: 1).contains(index) })
    #expect(plain.training == tests.training && plain.validation == tests.validation)
    #expect(try plain.dataHash() == tests.dataHash() && plain.configurationHash() == tests.configurationHash())
    #expect(plain.training.count + plain.validation.count == 16)
    // A label of the other parts is one of its inputs.
    let others = try job(inputs { known, index in index == known.plan.indices(.train, fold: 1)[0] })
    #expect(try others.dataHash() != plain.dataHash())
  }
}
