import Datasets
import Foundation
import Models
import NN
import ShardTree
import Tensor
import Testing

@testable import Training

@Suite struct `trainer` {
  /// Trains the task and returns the model file's bytes.
  private func train(
    _ folder: TemporaryFolder, _ job: TrainingJob = TinyTask.job(), name: String = "model",
    resuming: URL? = nil, change: (inout Trainer) -> Void = { _ in }
  ) throws -> Data {
    var trainer = Trainer(job, cache: folder.cache)
    change(&trainer)
    _ = try trainer.run(
      checkpoint: folder.url.appending(path: "\(name).checkpoint"), resuming: resuming,
      output: folder.url.appending(path: name))
    return try folder.bytes(name)
  }

  @Test func `gives the same bytes on one thread and on three`() throws {
    let folder = try TemporaryFolder()
    let one = try train(folder)
    let three = try train(folder, name: "three") {
      $0.threads = 3
      $0.loaderThreads = 2
    }
    #expect(one == three)
  }

  @Test(arguments: [2, 3, 4]) func `gives the same bytes when members share the batches`(members: Int) throws {
    let folder = try TemporaryFolder()
    let alone = try train(folder)
    let group = LocalGroup(members: members)
    onThreads(members) { rank in
      do {
        let shared = try train(folder, name: "member-\(rank)") { $0.reducer = group.member(rank) }
        #expect(shared == alone)
      } catch { Issue.record(error) }
    }
  }

  @Test func `gives the same bytes for a network with batch norm, shared and resumed`() throws {
    let folder = try TemporaryFolder()
    let job = try TinyTask.soundJob()
    let alone = try train(folder, job)
    let group = LocalGroup(members: 2)
    onThreads(2) { rank in
      do {
        let shared = try train(folder, job, name: "member-\(rank)") {
          $0.reducer = group.member(rank)
          $0.checkpointSteps = 1
        }
        #expect(shared == alone)
      } catch { Issue.record(error) }
    }
    let checkpoint = folder.url.appending(path: "member-0.checkpoint")
    #expect(try train(folder, job, name: "resumed", resuming: checkpoint) == alone)
  }

  @Test func `goes on from any checkpoint to the same bytes`() throws {
    let folder = try TemporaryFolder()
    let undisturbed = try train(folder)
    // A checkpoint after every step: also shows that writing them changes nothing.
    var kept: [URL] = []
    let often = try train(folder, name: "often") {
      $0.checkpointSteps = 1
      $0.onCheckpoint = { file in
        let copy = folder.url.appending(path: "kept-\(kept.count)")
        try FileManager.default.copyItem(at: file, to: copy)
        kept.append(copy)
      }
    }
    #expect(often == undisturbed)
    #expect(kept.count >= 9)
    for (index, checkpoint) in kept.enumerated() {
      #expect(try train(folder, name: "resumed-\(index)", resuming: checkpoint) == undisturbed, "checkpoint \(index)")
    }
  }

  @Test func `writes a checkpoint before it stops`() throws {
    struct Stop: Error {}
    let folder = try TemporaryFolder()
    let undisturbed = try train(folder)
    #expect(throws: Stop.self) {
      _ = try train(folder, name: "stopped") {
        $0.onProgress = { if $0.phase == "train" && $0.epoch == 2 && $0.step == 2 { throw Stop() } }
      }
    }
    let checkpoint = folder.url.appending(path: "stopped.checkpoint")
    #expect(try train(folder, name: "resumed", resuming: checkpoint) == undisturbed)
  }

  @Test(arguments: [0, 0.9]) func `goes on with a validation that was stopped`(ema: Double) throws {
    struct Stop: Error {}
    let folder = try TemporaryFolder()
    let job = TinyTask.job { $0.ema = ema }
    func records(_ name: String, resuming: URL? = nil, stopping: Bool = false) throws -> (Data, [EpochRecord]) {
      var records: [EpochRecord] = []
      let bytes = try train(folder, job, name: name, resuming: resuming) {
        $0.onProgress = { if stopping && $0.phase == "validate" && $0.epoch == 2 { throw Stop() } }
        $0.onEpoch = { records.append($0) }
      }
      return (bytes, records)
    }
    let undisturbed = try records("undisturbed")
    #expect(throws: Stop.self) { _ = try records("stopped", stopping: true) }
    let resumed = try records("resumed", resuming: folder.url.appending(path: "stopped.checkpoint"))
    #expect(resumed.0 == undisturbed.0)
    #expect(resumed.1 == Array(undisturbed.1.dropFirst()))
  }

  @Test func `refuses a checkpoint of another configuration`() throws {
    let folder = try TemporaryFolder()
    _ = try train(folder) { $0.checkpointSteps = 1 }
    let error = #expect(throws: TrainingError.self) {
      _ = try train(
        folder, TinyTask.job { $0.learningRate = 0.02 }, resuming: folder.url.appending(path: "model.checkpoint"))
    }
    #expect(error?.description.contains("belongs to another configuration; remove it") == true)
  }

  @Test func `learns the task`() throws {
    let folder = try TemporaryFolder()
    var trainer = Trainer(
      TinyTask.job(samples: 60) { ($0.epochs, $0.learningRate, $0.augment) = (30, 0.02, false) }, cache: folder.cache)
    trainer.threads = 1
    let summary = try trainer.run(
      checkpoint: folder.url.appending(path: "c"), output: folder.url.appending(path: "model"))
    #expect(summary.epochs.last!.trainingLoss < summary.epochs[0].trainingLoss / 4)
    #expect(summary.epochs[summary.bestEpoch - 1].validationAUC! > 0.95)
  }

  @Test func `stops early and keeps the best epoch`() throws {
    let folder = try TemporaryFolder()
    var job = TinyTask.job { ($0.epochs, $0.earlyStoppingEpochs) = (40, 2) }
    // Fakes called real: validation becomes worse while training becomes better.
    job.validation = job.validation.filter { $0.label == .fake }
    for index in job.validation.indices { job.validation[index].label = .real }
    let summary = try Trainer(job, cache: folder.cache).run(
      checkpoint: folder.url.appending(path: "c"), output: folder.url.appending(path: "model"))
    #expect(summary.epochs.count < 40)
    #expect(summary.epochs.count == summary.bestEpoch + 2)
    #expect(try ModelFile.description(of: folder.url.appending(path: "model")).epoch == summary.bestEpoch)
  }

  @Test func `names step and samples when the loss is not finite`() throws {
    let folder = try TemporaryFolder()
    let spoilt = Architecture(
      name: "tiny", modality: .image, summary: "", paper: "", licence: "",
      preprocessing: TinyNetwork.entry.preprocessing, recipe: Recipe(views: 1),
      build: { scope, input in
        let network = try TinyNetwork(scope, input)
        network.second.weight.value = network.second.weight.value.affine(.infinity, 0)
        return network
      })
    let error = #expect(throws: TrainingError.self) { _ = try train(folder, TinyTask.job(architecture: spoilt)) }
    #expect(error?.description.hasPrefix("step 0: the loss is not finite, with samples s") == true)
  }

  @Test func `refuses shards that are too small for the architecture`() throws {
    let folder = try TemporaryFolder()
    let needy = Architecture(
      name: "needy", modality: .image, summary: "", paper: "", licence: "",
      preprocessing: TinyNetwork.entry.preprocessing, recipe: Recipe(views: 1, minimumShard: 4),
      build: { try TinyNetwork($0, $1) })
    let error = #expect(throws: TrainingError.self) { _ = try train(folder, TinyTask.job(architecture: needy)) }
    #expect(
      error?.description
        == "model tiny: a step over 4 logical shards leaves 2 views for one, and needy needs 4; raise train.batch to 16 "
        + "or lower train.logical_shards")
  }

  @Test func `counts samples that cannot be decoded`() throws {
    let folder = try TemporaryFolder()
    let cache = SampleCache(folder.url.appending(path: "cache")) { file, _ in
      if file.lastPathComponent == "s4" { throw MediaErrorStub.damaged(file) }
      return TinyTask.pictures(Int(file.lastPathComponent.dropFirst())!)
    }
    let summary = try Trainer(TinyTask.job(), cache: cache).run(
      checkpoint: folder.url.appending(path: "c"), output: folder.url.appending(path: "model"))
    #expect(summary.failures == [SampleFailure(dataset: "tiny", sample: "s4", reason: "breaks off")])
    #expect(summary.trainingSamples == 26)
  }
}
