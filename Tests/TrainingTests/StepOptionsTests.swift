import Autograd
import Datasets
import Foundation
import NN
import Tensor
import Testing

@testable import Models
@testable import Training

@Suite struct `step options` {
  /// Trains a job and returns the model's tensors.
  private func train(
    _ folder: TemporaryFolder, _ job: TrainingJob, name: String = "model", resuming: URL? = nil,
    change: (inout Trainer) -> Void = { _ in }
  ) throws -> [String: Tensor] {
    var trainer = Trainer(job, cache: folder.cache)
    change(&trainer)
    let output = folder.url.appending(path: name)
    _ = try trainer.run(
      checkpoint: folder.url.appending(path: "\(name).checkpoint"), resuming: resuming, output: output)
    return try ModelFile.read(output).tensors
  }

  private func difference(_ a: [String: Tensor], _ b: [String: Tensor]) -> Float {
    a.map { name, tensor in zip(tensor.floats(), b[name]!.floats()).map { abs($0 - $1) }.max() ?? 0 }.max()!
  }

  static let options: [(name: String, change: @Sendable (inout TrainSettings) -> Void)] = [
    ("accumulate", { ($0.batch, $0.accumulate) = (4, 2) }), ("ema", { $0.ema = 0.9 }), ("mixup", { $0.mixup = 0.8 }),
    ("cutmix", { $0.cutmix = 1 }), ("both", { ($0.mixup, $0.cutmix, $0.batch, $0.accumulate) = (0.3, 1, 5, 3) }),
    ("fixed16", { ($0.reduce, $0.logicalShards) = (.fixed16, 4) }),
    ("checkpointing", { ($0.gradientCheckpointing, $0.dropout) = (true, .given(0.3)) }),
  ]

  @Test(arguments: options.indices) func `give the same bytes shared and resumed`(option: Int) throws {
    let folder = try TemporaryFolder()
    let job = TinyTask.job(change: Self.options[option].change)
    _ = try train(folder, job)
    let alone = try folder.bytes("model")
    let group = LocalGroup(members: 2)
    onThreads(2) { rank in
      do {
        _ = try train(folder, job, name: "member-\(rank)") { $0.reducer = group.member(rank) }
        #expect(try folder.bytes("member-\(rank)") == alone)
      } catch { Issue.record(error) }
    }
    var kept: [URL] = []
    _ = try train(folder, job, name: "often") {
      $0.checkpointSteps = 2
      $0.onCheckpoint = { file in
        kept.append(folder.url.appending(path: "kept-\(kept.count)"))
        try FileManager.default.copyItem(at: file, to: kept.last!)
      }
    }
    let middle = kept[kept.count / 2]
    _ = try train(folder, job, name: "resumed", resuming: middle)
    #expect(try folder.bytes("resumed") == alone)
  }

  /// A recurrent network over 4×4 pictures, whose products have few rows.
  struct RecurrentNetwork: Network {
    let lstm: SequenceLSTM
    let head: Linear

    init(_ scope: ParameterScope, _ input: Preprocessing) throws {
      lstm = try SequenceLSTM(scope["lstm"], inputs: 8, hidden: 12, layers: 2, bidirectional: true)
      head = try Linear(scope["head"], in: 24, out: 1)
    }

    func logits(_ input: Variable, _ pass: Pass) -> Variable {
      flatten(head(lstm.features(reshape(input, [input.shape[0], 6, 8]), pass), pass), from: 0)
    }

    static let entry = Architecture(
      name: "tiny recurrent", modality: .image, summary: "", paper: "", licence: "",
      preprocessing: .frames(.init(count: 3, size: 4, flat: true)), recipe: Recipe(views: 2),
      build: { try RecurrentNetwork($0, $1) })
  }

  // A member of four has one shard, packs for itself, and copies its gradients; alone on three threads, shards share packed
  // weights, and gradients are added up where they lie.
  @Test(arguments: [TrainSettings.Precision.fp32, .bf16])
  func `shards that share weights have the bits of shards alone`(_ precision: TrainSettings.Precision) throws {
    let folder = try TemporaryFolder()
    let job = TinyTask.job(architecture: RecurrentNetwork.entry) { ($0.precision, $0.epochs) = (precision, 2) }
    _ = try train(folder, job, name: "alone") { $0.threads = 3 }
    let group = LocalGroup(members: 4)
    onThreads(4) { rank in
      do {
        _ = try train(folder, job, name: "member-\(rank)") { $0.reducer = group.member(rank) }
        #expect(try folder.bytes("member-\(rank)") == folder.bytes("alone"))
      } catch { Issue.record(error) }
    }
  }

  @Test func `accumulated batches are one large batch`() throws {
    let folder = try TemporaryFolder()
    let large = try train(folder, TinyTask.job { ($0.batch, $0.accumulate) = (24, 1) }, name: "large")
    let small = try train(folder, TinyTask.job { ($0.batch, $0.accumulate) = (8, 3) }, name: "small")
    // 1e-6: sums of the same 24 gradients in another order, through AdamW's division by their own size.
    #expect(difference(large, small) < 1e-6)
    let other = try train(folder, TinyTask.job { ($0.batch, $0.accumulate) = (8, 1) }, name: "other")
    #expect(difference(large, other) > 1e-4)
  }

  @Test func `blocks computed again in backward give the same bits`() throws {
    let folder = try TemporaryFolder()
    var job = try TinyTask.soundJob()
    job.settings.dropout = .given(0.2)
    let plain = try train(folder, job, name: "plain")
    job.settings.gradientCheckpointing = true
    #expect(difference(plain, try train(folder, job, name: "again")) == 0)
    job.settings.dropout = .auto
    #expect(difference(plain, try train(folder, job, name: "without dropout")) > 0)
  }

  @Test func `bfloat16 products change little, and nothing where the processor has none`() throws {
    let folder = try TemporaryFolder()
    var job = try TinyTask.soundJob()
    job.settings.learningRate = 1e-4
    let exact = try train(folder, job, name: "fp32")
    job.settings.precision = .bf16
    let rounded = try train(folder, job, name: "bf16")
    #expect((difference(exact, rounded) > 0) == ComputePrecision.hasBFloat16)
    // Eight steps of AdamW at 1e-4 move a weight by 8e-4 at most; running statistics see activations rounded to 3 digits.
    #expect(difference(exact, rounded) < 0.05)
    #expect(ComputePrecision.current == .float32)
  }

  @Test func `the average follows its definition`() throws {
    let store = ParameterStore(seed: 1)
    let weight = try store.root.parameter("w", [2], .zeros)
    let count = try store.root.buffer("num_batches_tracked", [], .zeros)
    var average = WeightAverage(decay: 0.5, store)
    weight.value = Tensor([11, -22], shape: [2])
    count.value = count.value.affine(1, 3)
    average.update(store, step: 1)  // d = min(0.5, 2/11)
    #expect(zip(average.state["w"]!.floats(), [9, -18]).allSatisfy { abs($0 - $1) < 1e-5 })
    #expect(average.state["num_batches_tracked"]!.floats() == [3])
    weight.value = Tensor([0, 0], shape: [2])
    average.update(store, step: 100)
    #expect(zip(average.state["w"]!.floats(), [4.5, -9]).allSatisfy { abs($0 - $1) < 1e-5 })
  }

  @Test func `the average is what is validated and kept`() throws {
    let folder = try TemporaryFolder()
    let plain = try train(folder, TinyTask.job(), name: "plain")
    let averaged = try train(folder, TinyTask.job { $0.ema = 0.99 }, name: "averaged")
    #expect(difference(plain, averaged) > 1e-4)
    let tiny = try train(folder, TinyTask.job { $0.ema = 1e-9 }, name: "short memory")
    #expect(difference(plain, tiny) < 1e-6)
  }
}

@Suite struct `parameter groups` {
  @Test func `leave norms, biases and tokens alone, and scale stages`() throws {
    let store = ParameterStore(seed: 1)
    for (name, shape) in [
      ("embeddings.cls_token", [1, 1, 4]), ("embeddings.position_embeddings", [1, 5, 4]), ("embeddings.patch", [4, 3]),
      ("layer.0.weight", [4, 4]), ("layer.0.bias", [4]), ("layer.1.weight", [4, 4]), ("layernorm.weight", [4]),
      ("head.weight", [1, 4]), ("head.bias", [1]),
    ] { _ = try store.root.parameter(name, shape, .zeros) }
    var settings = TrainSettings()
    (settings.weightDecay, settings.layerDecay) = (0.5, 0.5)
    let groups = ParameterGroups(
      settings, store, stages: [["embeddings."], ["layer.0."], ["layer.1."], ["layernorm."]])
    let made = store.parameters.map { groups.group(of: $0, at: 0..<1) }
    #expect(made.map(\.weightDecay) == [0, 0, 0.5, 0.5, 0, 0.5, 0, 0.5, 0])
    #expect(made.map(\.rateScale) == [0.125, 0.125, 0.125, 0.25, 0.25, 0.5, 1, 1, 1])
  }

  @Test func `of the registry's own models decay weights alone`() throws {
    for entry in ModelRegistry.all where entry.fitting == .gradient && entry.family == nil {
      let store = ParameterStore(seed: 1)
      _ = try entry.build(store.root, entry.preprocessing)
      let groups = ParameterGroups(TrainSettings(), store, stages: [])
      for parameter in store.parameters {
        let group = groups.group(of: parameter, at: 0..<1)
        #expect((group.weightDecay > 0) == (parameter.value.rank >= 2) && group.rateScale == 1, "\(parameter.name)")
      }
    }
  }
}

@Suite struct `mixed views` {
  private func mixing(mixup: Double, cutmix: Double) -> Mixing {
    var settings = TrainSettings()
    (settings.mixup, settings.cutmix) = (mixup, cutmix)
    return Mixing(settings, .frames(.init(size: 16)))!
  }

  private func streams(_ count: Int) -> [RandomStream] { (0..<count).map { RandomStream(seed: 3, "view", $0) } }

  @Test func `is off by default, and for sound`() {
    #expect(Mixing(TrainSettings(), .frames(.init(size: 16))) == nil)
    var settings = TrainSettings()
    settings.mixup = 1
    #expect(Mixing(settings, .logMel(.init())) == nil)
  }

  @Test func `turns a pass against itself`() {
    let draws = mixing(mixup: 0.8, cutmix: 0).draws(streams(6))
    let distance = draws[0].partner
    #expect(distance > 0 && draws.map(\.partner) == (0..<6).map { ($0 + distance) % 6 })
    #expect(draws.allSatisfy { (0...1).contains($0.share) && $0.box == nil })
    #expect(Set(draws.map(\.share)).count == 6)
    #expect(mixing(mixup: 1, cutmix: 0).draws(streams(1)) == [Mixing.Draw(partner: 0, share: 1, box: nil)])
  }

  @Test func `draws shares from the Beta distribution`() {
    for alpha in [0.2, 0.8, 3] {
      let shares = mixing(mixup: alpha, cutmix: 0).draws(streams(4000)).map(\.share)
      let mean = shares.reduce(0, +) / 4000
      let variance = shares.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 4000
      // 4 standard errors of the mean are below 0.032, and of a variance below 0.02.
      #expect(abs(mean - 0.5) < 0.032 && abs(variance - 1 / (4 * (2 * alpha + 1))) < 0.02, "α \(alpha)")
    }
  }

  @Test func `blends whole pictures, or cuts one rectangle`() {
    let parts = (0..<2).flatMap { part in [Float](repeating: part == 0 ? 1 : 3, count: 16 * 16 * 3) }
    func written(_ mixing: Mixing, _ draw: Mixing.Draw) -> [Float] {
      [Float](unsafeUninitializedCapacity: 16 * 16 * 3) { out, count in
        parts.withUnsafeBufferPointer { parts in
          mixing.write(draw, of: 0, from: parts, to: UnsafeMutableBufferPointer(rebasing: out[..<(16 * 16 * 3)]))
        }
        count = 16 * 16 * 3
      }
    }
    let blended = mixing(mixup: 1, cutmix: 0)
    #expect(written(blended, Mixing.Draw(partner: 1, share: 0.25, box: nil)).allSatisfy { $0 == 2.5 })
    let cut = mixing(mixup: 0, cutmix: 1)
    for draw in cut.draws(streams(40)) {
      let pixels = written(cut, Mixing.Draw(partner: 1, share: draw.share, box: draw.box))
      #expect(Double(pixels.count { $0 == 1 }) == draw.share * 16 * 16 * 3, "the share is that of kept pixels")
    }
  }

  @Test func `a mixed label's loss is the mixture of both labels' losses`() {
    let loss = ItemLoss(BalanceSettings(loss: .focal, focalGamma: 2), smoothing: 0.1)
    let mixed = loss.evaluate(logit: 0.7, target: 0.3)
    let (fake, real) = (loss.evaluate(logit: 0.7, isFake: true), loss.evaluate(logit: 0.7, isFake: false))
    #expect(abs(mixed.loss - (0.3 * fake.loss + 0.7 * real.loss)) < 1e-15)
    #expect(abs(mixed.slope - (0.3 * fake.slope + 0.7 * real.slope)) < 1e-15)
  }
}
