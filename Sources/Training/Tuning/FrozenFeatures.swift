import Autograd
import Files
import Foundation
import Models
import NN
import Tensor

/// What of a detector is frozen, and the rest as a network over what that gives: the backbone and the head, or, where a
/// backbone has an upper part without outside weights, its lower part and all above.
struct FrozenPart {
  let detector: Detector
  private let divided: (any TwoPartBackbone)?

  /// Nil if something is trained that lies within what would be kept.
  init?(_ detector: Detector, _ store: ParameterStore, fresh: [String]) {
    self.detector = detector
    let trained = store.parameters.filter { $0.trainable && !$0.name.hasPrefix("head.") }
    divided = trained.isEmpty ? nil : detector.backbone as? any TwoPartBackbone
    guard trained.isEmpty || divided != nil, trained.allSatisfy({ fresh.contains(where: $0.name.hasPrefix) }) else {
      return nil
    }
  }

  /// `[B] + Preprocessing.partShape` → `[B, count]`
  func features(_ input: Variable, _ pass: Pass) -> Variable {
    divided?.lower(input, pass) ?? detector.backbone.features(input, pass)
  }

  func count(partShape: [Int]) -> Int { divided?.lowerCount(partShape: partShape) ?? detector.backbone.featureCount }

  /// `[B, count]` → `[B]`
  func logits(_ features: Variable, _ pass: Pass) -> Variable {
    detector.logits(features: divided?.upper(features, pass) ?? features, pass)
  }
}

/// The features that a frozen backbone gives for each part of a sample, kept in the sample cache, so that each is computed
/// once for all epochs, folds and runs. They are those of scoring: without augmentation, on one compute thread.
struct FrozenFeatures: @unchecked Sendable {
  // Sendable by this invariant: `make` is called before training begins; afterwards entries are only read.
  private let part: FrozenPart
  private let writer: PartWriter
  private let cache: SampleCache
  private let job: TrainingJob
  private let key: String

  init(_ part: FrozenPart, _ store: ParameterStore, _ job: TrainingJob, _ cache: SampleCache) throws {
    (self.part, self.job, self.cache, writer) = (part, job, cache, PartWriter(input: job.input))
    key = try Self.key(store, job)
  }

  /// How its samples are read as input of the head.
  var features: PartWriter {
    PartWriter(input: job.input, featureCount: part.count(partShape: PartWriter(input: job.input).partShape))
  }

  /// A sample's features, from the cache or computed now: `[parts, features]`.
  func make(_ sample: ModelSample) throws -> SampleCache.Entry {
    try cache.entry(of: sample, key: key, isNeeded: true) {
      switch try cache.sample(of: sample, input: job.input) {
      case .failed(let reason): return .failed(reason)
      case .ready(let prepared):
        let batch = writer.scoringBatch(prepared)
        let values = ComputeThreads.with(1) {
          part.features(Variable(batch), Pass(training: false)).value
        }
        return .ready(PreparedSample(values.floats(), shape: values.shape))
      }
    }
  }

  /// A sample's features as `make` kept them.
  func kept(_ sample: ModelSample) throws -> SampleCache.Entry {
    guard let entry = try cache.kept(sample, key: key) else {
      throw TrainingError(
        "model \(job.model): the kept features of sample \(sample.id) have gone; do not empty the cache while a job runs"
      )
    }
    return entry
  }

  /// Everything that decides the bits of a feature: the backbone's weights, the input, and this machine's arithmetic.
  private static func key(_ store: ParameterStore, _ job: TrainingJob) throws -> String {
    var facts = [
      "\(SampleCache.revision) \(job.architecture.name) \(try canonicalJSON(job.input))",
      job.architecture.configuration.map { String(decoding: $0.json, as: UTF8.self) } ?? "",
      NumericsFingerprint.compute(),
    ]
    let above = ["head."] + (job.architecture.family?.fresh ?? [])
    for (name, value) in store.state.sorted(by: { $0.key < $1.key }) where !above.contains(where: name.hasPrefix) {
      var hash = SHA256()
      value.contiguous().withFloats { hash.update(UnsafeRawBufferPointer($0)) }
      facts.append("\(name) \(value.shape) \(hash.digest())")
    }
    return "features-\(sha256(facts.joined(separator: "\n")).prefix(32))"
  }
}

/// The head of a detector, and what else is not frozen, as a network over features.
struct HeadNetwork: Network {
  let part: FrozenPart

  /// `[B, features]` → `[B]`
  func logits(_ input: Variable, _ pass: Pass) -> Variable { part.logits(input, pass) }
}

/// A detector whose backbone is computed every time, as in scoring, and passes no gradient: what training on kept
/// features stands for.
struct FrozenBodyNetwork: Network {
  let part: FrozenPart

  /// `[B] + Preprocessing.partShape` → `[B]`
  func logits(_ input: Variable, _ pass: Pass) -> Variable {
    part.logits(part.features(input, Pass(training: false)).detached, pass)
  }
}
