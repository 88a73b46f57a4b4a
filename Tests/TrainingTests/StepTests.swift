import Datasets
import Foundation
import Tensor
import Testing

@testable import Training

@Suite struct `item loss` {
  @Test(arguments: [0.0, 0.5, 2.0], [0.0, 0.1])
  func `has the slope that finite differences show`(gamma: Double, smoothing: Double) {
    let loss = ItemLoss(BalanceSettings(loss: .focal, focalGamma: gamma), smoothing: smoothing)
    for logit in [-30.0, -3, -0.2, 0, 0.7, 5, 30] {
      for isFake in [false, true] {
        let step = 1e-5
        let above = loss.evaluate(logit: logit + step, isFake: isFake).loss
        let below = loss.evaluate(logit: logit - step, isFake: isFake).loss
        let slope = loss.evaluate(logit: logit, isFake: isFake).slope
        // 1e-8: the second-order error of a step of 1e-5, and cancellation in differences of values up to 30.
        #expect(abs((above - below) / (2 * step) - slope) < 1e-8 + 1e-8 * abs(slope), "logit \(logit)")
      }
    }
  }

  @Test func `is cross-entropy without gamma, and finite far out`() {
    let loss = ItemLoss(BalanceSettings())
    #expect(abs(loss.evaluate(logit: 0, isFake: true).loss - log(2)) < 1e-15)
    #expect(loss.evaluate(logit: 800, isFake: false).loss == 800)
    #expect(ItemLoss(BalanceSettings(loss: .focal, focalGamma: 2)).evaluate(logit: -900, isFake: true).loss == 900)
  }
}

@Suite struct `epoch plan` {
  @Test func `visits every view once, in steps of equal size`() {
    let plan = EpochPlan(rounds: [[2, 0, 1], [1, 2, 0]], views: { $0 == 1 ? 1 : 2 }, batch: 2)
    #expect(plan.steps.map(\.count) == [2, 3])
    let views = plan.steps.joined().map { [$0.sample, $0.visit] }
    #expect(views == [[2, 0], [0, 0], [1, 0], [2, 1], [0, 1]])
  }

  @Test func `makes one step of a small epoch`() {
    #expect(EpochPlan(rounds: [[0, 1, 2]], views: { _ in 1 }, batch: 32).steps.map(\.count) == [3])
  }
}

@Suite struct `learning rate` {
  @Test func `rises, then falls until the step after the last`() {
    var settings = TrainSettings()
    (settings.epochs, settings.learningRate, settings.warmupEpochs) = (10, 2, 2)
    for schedule in [TrainSettings.Schedule.cosine, .linear, .constant] {
      settings.schedule = schedule
      #expect(settings.learningRate(step: 0, of: 5, epoch: 0) == 0.2)
      #expect(settings.learningRate(step: 4, of: 5, epoch: 0) == 1)
      #expect(settings.learningRate(step: 4, of: 5, epoch: 1) == 2)
    }
    #expect(settings.learningRate(step: 4, of: 5, epoch: 9) == 2)
    settings.schedule = .linear
    #expect(abs(settings.learningRate(step: 4, of: 5, epoch: 5) - 2 * 21 / 41) < 1e-12)
    #expect(abs(settings.learningRate(step: 4, of: 5, epoch: 9) - 2.0 / 41) < 1e-12)
    settings.schedule = .cosine
    #expect(abs(settings.learningRate(step: 4, of: 5, epoch: 9) - (1 - cos(.pi / 41))) < 1e-12)
  }

  @Test func `of the only step is not 0`() {
    var settings = TrainSettings()
    (settings.epochs, settings.learningRate, settings.warmupEpochs) = (1, 2, 0)
    for schedule in [TrainSettings.Schedule.cosine, .linear, .constant] {
      settings.schedule = schedule
      #expect(settings.learningRate(step: 0, of: 1, epoch: 0) >= 1)
    }
  }
}

@Suite struct `settings` {
  @Test func `name the key that is out of range`() {
    var settings = TrainSettings()
    settings.learningRate = -1
    let error = #expect(throws: TrainingError.self) { try settings.validate(model: "voice") }
    #expect(error?.description == "model voice: train.learning_rate is -1.0, but must be above 0")
  }

  @Test func `keep the keys of an experiment`() throws {
    let object = try JSONSerialization.jsonObject(with: JSONEncoder().encode(TrainSettings())) as? [String: Any]
    #expect(
      object?.keys.sorted() == [
        "accumulate", "augment", "batch", "batch_norm", "clip_norm", "cutmix", "drop_path", "dropout",
        "early_stopping_epochs", "ema",
        "epochs", "gradient_checkpointing", "label_smoothing", "layer_decay", "learning_rate", "logical_shards",
        "mixup", "optimizer", "precision", "reduce", "schedule", "threads_per_shard", "warmup_epochs", "weight_decay",
      ])
  }
}

@Suite struct `background work` {
  @Test(arguments: [1, 3]) func `prefetched values come in order`(threads: Int) throws {
    let values = Prefetcher(count: 50, threads: threads, ahead: 4) { $0 * $0 }
    var seen: [Int] = []
    while let value = try values.next() { seen.append(value) }
    values.stop()
    #expect(seen == (0..<50).map { $0 * $0 })
  }

  @Test func `a failure arrives in its turn`() throws {
    struct Broken: Error {}
    let values = Prefetcher(count: 5, threads: 2, ahead: 2) { index in
      if index == 2 { throw Broken() }
      return index
    }
    #expect(try values.next() == 0)
    #expect(try values.next() == 1)
    #expect(throws: Broken.self) { _ = try values.next() }
    values.stop()
  }

  @Test func `shard threads give results in order, and their own kernel threads`() {
    let threads = ShardThreads(count: 3, computeThreads: 2)
    for _ in 0..<20 {
      #expect(threads.map(7) { [$0, ComputeThreads.count] } == (0..<7).map { [$0, 2] })
    }
    #expect(ComputeThreads.count == 1)
  }
}

@Suite struct `best epoch` {
  private func record(_ auc: Double?, _ loss: Double) -> EpochRecord {
    EpochRecord(epoch: 0, learningRate: 0, trainingLoss: 0, validationLoss: loss, validationAUC: auc)
  }

  private func state(_ records: [EpochRecord]) -> TrainerState {
    var state = TrainerState(configuration: "", data: "")
    (state.epochs, state.bestEpoch) = (records, 1)
    return state
  }

  @Test func `is the latest of nearly equal ones`() {
    let past = state([record(0.9, 1), record(0.8, 2)])
    #expect(past.isBest(record(0.95, 3), tolerance: 0.01))
    #expect(past.isBest(record(0.895, 3), tolerance: 0.01))
    #expect(!past.isBest(record(0.88, 0.1), tolerance: 0.01))
  }

  @Test func `has the smallest loss where there is no curve`() {
    #expect(state([record(nil, 1)]).isBest(record(nil, 0.9), tolerance: 0.01))
    #expect(!state([record(nil, 1)]).isBest(record(nil, 1.1), tolerance: 0.01))
  }
}
