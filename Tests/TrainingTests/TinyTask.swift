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

/// A group in one process: the last member to arrive sums for all.
final class LocalGroup: @unchecked Sendable {
  // Protected by `lock`.
  private var sums: [ShardTree.Sum] = []
  private var arrived = 0
  private var round = 0
  private var root: [Float] = []
  private let lock = NSCondition()
  let members: Int

  init(members: Int) { self.members = members }

  func member(_ rank: Int) -> any ShardReducer { Member(self, rank) }

  private func reduce(_ own: [ShardTree.Sum], _ shards: Int) -> [Float] {
    lock.lock()
    defer { lock.unlock() }
    sums += own
    arrived += 1
    if arrived == members {
      root = ShardTree.root(of: sums, shards: shards)!
      (sums, arrived, round) = ([], 0, round + 1)
      lock.broadcast()
    } else {
      let mine = round
      while round == mine { lock.wait() }
    }
    return root
  }

  private final class Member: ShardReducer {
    let group: LocalGroup
    let rank: Int
    var members: Int { group.members }

    init(_ group: LocalGroup, _ rank: Int) { (self.group, self.rank) = (group, rank) }

    func reduce(step: Int, sums: [ShardTree.Sum], shards: Int) throws -> [Float] { group.reduce(sums, shards) }
  }
}
