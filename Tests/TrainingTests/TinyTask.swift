import Autograd
import Datasets
import Evaluation
import Foundation
import ShardTree
import Tensor

@testable import Models
@testable import NN
@testable import Training

/// A small network over 4×4 pictures: linear, GELU, linear.
struct TinyNetwork: Network {
  let first, second: Linear

  init(_ scope: ParameterScope, _ input: Preprocessing) throws {
    first = try Linear(scope["first"], in: input.partShape[0], out: 8)
    second = try Linear(scope["second"], in: 8, out: 1)
  }

  func logits(_ input: Variable, _ pass: Pass) -> Variable {
    flatten(second(gelu(first(input, pass)), pass), from: 0)
  }

  static let entry = Architecture(
    name: "tiny", modality: .image, summary: "", paper: "", licence: "",
    preprocessing: .frames(.init(count: 3, size: 4, flat: true)), recipe: Recipe(views: 2),
    build: { try TinyNetwork($0, $1) })
}

/// A task that needs no files: pictures follow from names, fakes are brighter in one corner.
enum TinyTask {
  static func sample(_ index: Int) -> ModelSample {
    ModelSample(
      id: "s\(index)", dataset: "tiny", file: URL(filePath: "/none/s\(index)"), digest: "\(index)00",
      label: index % 3 == 0 ? .real : .fake)
  }

  /// Three frames of a sample; samples whose number ends in 9 cannot be decoded.
  static func pictures(_ index: Int) -> PreparedSample {
    var random = RandomStream(seed: 1, "pictures", index)
    let bytes = (0..<3 * 48).map { position in
      UInt8(min(255, 80 + random.below(60) + (index % 3 != 0 && position % 48 < 12 ? 40 : 0)))
    }
    return PreparedSample(bytes, shape: [3, 4, 4, 3])
  }

  /// A short spectrogram of a sample; fakes have a louder band.
  static func spectrogram(_ index: Int) -> PreparedSample {
    var random = RandomStream(seed: 1, "spectrogram", index)
    let values = (0..<16 * 20).map { cell in
      Float(random.normal()) + (index % 3 != 0 && cell / 20 == 5 ? 2 : 0)
    }
    return PreparedSample(values, shape: [16, 20])
  }

  /// The registry's audio network, which has batch norm, on windows of 16×16.
  static func soundJob() throws -> TrainingJob {
    let entry = try ModelRegistry.find("audio-cnn")
    var job = job(architecture: entry) { ($0.epochs, $0.batch) = (2, 16) }
    job.input = .logMel(.init(mels: 16, windowFrames: 16))
    return job
  }

  static func job(
    samples: Int = 36, architecture: Architecture = TinyNetwork.entry, change: (inout TrainSettings) -> Void = { _ in }
  ) -> TrainingJob {
    var settings = TrainSettings()
    (settings.epochs, settings.batch, settings.warmupEpochs) = (3, 8, 1)
    (settings.logicalShards, settings.learningRate) = (4, 0.01)
    change(&settings)
    let all = (0..<samples).map(sample)
    return TrainingJob(
      model: "tiny", architecture: architecture, settings: settings,
      balance: BalanceSettings(loss: .focal, focalGamma: 2, classWeights: .balanced), decision: DecisionSettings(),
      seed: 7,
      fold: 1, training: all.filter { Int($0.id.dropFirst())! % 4 != 3 },
      validation: all.filter { Int($0.id.dropFirst())! % 4 == 3 })
  }
}

/// A folder that is removed with this value.
final class TemporaryFolder: Sendable {
  let url: URL

  init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: "unmask-training-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  var cache: SampleCache {
    SampleCache(url.appending(path: "cache")) { file, input in
      let index = Int(file.lastPathComponent.dropFirst())!
      switch input {
      case .logMel: return TinyTask.spectrogram(index)
      case .frames(let frames) where frames.size == 8:
        return PreparedSample(
          TinyTask.pictures(index).bytes + TinyTask.pictures(index + 3).bytes
            + TinyTask.pictures(
              index + 6
            ).bytes + TinyTask.pictures(index + 9).bytes, shape: [3, 8, 8, 3])
      default: return TinyTask.pictures(index)
      }
    }
  }

  func bytes(_ name: String) throws -> Data { try Data(contentsOf: url.appending(path: name)) }
}

/// Runs `body` on as many threads at once; dispatch queues would run only as many as there are cores.
func onThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
  let done = DispatchGroup()
  for index in 0..<count {
    done.enter()
    Thread {
      body(index)
      done.leave()
    }.start()
  }
  done.wait()
}

/// A group in one process: the last member to arrive sums for all. Members may be told to forget a step.
final class LocalGroup: @unchecked Sendable {
  // Protected by `lock`.
  private var nodes: [Range<Int>] = []
  private var frames: [[UInt8]] = []
  private var arrived = 0
  private var round = 0
  private var root: [UInt8] = []
  private let lock = NSCondition()
  let members: Int

  init(members: Int) { self.members = members }

  func member(_ rank: Int) -> any ShardReducer { Member(self, rank) }

  private func reduce(
    _ kind: ElementKind, _ shape: GroupShape, _ rank: Int, _ own: [[UInt8]]
  ) -> [UInt8] {
    lock.lock()
    defer { lock.unlock() }
    nodes += shape.nodes[rank]
    frames += own
    arrived += 1
    if arrived == members {
      root = GroupShape.sum(kind, nodes, frames, shards: shape.shards)!
      (nodes, frames, arrived, round) = ([], [], 0, round + 1)
      lock.broadcast()
    } else {
      let mine = round
      while round == mine { lock.wait() }
    }
    return root
  }

  private final class Member: ShardReducer, @unchecked Sendable {
    let group: LocalGroup
    let rank: Int
    let hasChanged = false

    init(_ group: LocalGroup, _ rank: Int) { (self.group, self.rank) = (group, rank) }

    func gather(shards: Int, steps: Int) throws -> Membership {
      Membership(rank: rank, shape: GroupShape(shards: shards, members: group.members), steps: steps, donor: nil)
    }

    func reduce(
      _ kind: ElementKind, _ shape: GroupShape, own: [UnsafeRawPointer], into out: UnsafeMutableRawPointer, count: Int,
      owner: (any Sendable & AnyObject)?
    ) throws {
      let bytes = count * kind.size
      let sum = group.reduce(kind, shape, rank, own.map { [UInt8](UnsafeRawBufferPointer(start: $0, count: bytes)) })
      sum.withUnsafeBytes { out.copyMemory(from: $0.baseAddress!, byteCount: bytes) }
    }

    func commit(step: Int, digest: UInt64, seconds: Double) throws {
      var both = [Int32(truncatingIfNeeded: digest), ~Int32(truncatingIfNeeded: digest)]
      let mine = both
      try both.withUnsafeMutableBytes { bytes in
        try reduce(
          .largest, GroupShape(shards: group.members, members: group.members),
          own: [UnsafeRawPointer(bytes.baseAddress!)], into: bytes.baseAddress!, count: 2, owner: nil)
      }
      precondition(both == mine, "members have other sums")
    }
  }
}
