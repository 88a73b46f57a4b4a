public import Faces
public import Foundation
public import Models
import NN
import SafeTensors
import Tensor

/// A trained model that scores samples, in exactly the way that its evaluation did.
///
///     let scorer = try Scorer(contentsOf: run.appending(path: "Models/voice/fold-0.safetensors"), cache: cache)
///     switch try scorer.score(ModelSample(file: URL(filePath: "clip.mp4"))) {
///     case .scored(let score): print(score.probability, scorer.description.decision.answer(score.probability))
///     case .failed(let reason): print(reason)
///     }
///
/// - Thread: one scorer may be used by several threads at once.
public final class Scorer: @unchecked Sendable {
  // Sendable by this invariant: after `init`, parameters are only read.

  /// What the model file says about itself.
  public let description: ModelDescription
  /// The architecture behind it.
  public let architecture: Architecture
  /// How many trained values it has.
  public let parameterCount: Int
  private let scoring: NetworkScoring
  private let cache: SampleCache?
  private let preparer: Preparer

  /// Loads a model file.
  ///
  /// - Parameters:
  ///   - cache: where decoded samples are kept; nil decodes every time and writes nothing.
  ///   - detectors: find the faces of models that want them, where there is no cache.
  /// - Throws: `TrainingError`, `ModelError` or a checkpoint's own error when the file is no model of a known architecture.
  public init(contentsOf file: URL, cache: SampleCache? = nil, detectors: FaceDetectors = FaceDetectors()) throws {
    let (description, tensors) = try ModelFile.read(file)
    architecture = try ModelFile.architecture(description, file)
    let store = ParameterStore(seed: 0, checkpoint: tensors)
    let network = try architecture.build(store.root, description.input)
    try store.finish()
    (self.description, self.cache, parameterCount) = (description, cache, store.parameterCount)
    preparer = Preparer(detectors: detectors)
    scoring = NetworkScoring(
      network: network, writer: PartWriter(input: description.input), aggregate: description.aggregate)
  }

  /// Scores one sample.
  ///
  /// - Throws: when the file is missing or the cache cannot be written; a file that cannot be decoded is a result.
  public func score(_ sample: ModelSample) throws -> ScoreResult {
    switch try entry(sample) {
    case .ready(let prepared): .scored(scoring.score(prepared))
    case .failed(let reason): .failed(reason)
    }
  }

  /// Scores samples side by side on `threads` threads; results are in the samples' order and do not depend on it.
  ///
  /// - Parameter progress: called now and then, on the calling thread, with the number of samples done; may throw to stop.
  public func score(
    _ samples: [ModelSample], threads: Int, progress: (Int) throws -> Void = { _ in }
  ) throws -> [ScoreResult] {
    let crew = ShardThreads(count: threads, computeThreads: 1)
    var results: [ScoreResult] = []
    results.reserveCapacity(samples.count)
    while results.count < samples.count {
      let chunk = samples[results.count..<min(samples.count, results.count + 8 * max(1, threads))]
      for result in crew.map(chunk.count, { index in Result { try score(chunk[chunk.startIndex + index]) } }) {
        results.append(try result.get())
      }
      try progress(results.count)
    }
    return results
  }

  private func entry(_ sample: ModelSample) throws -> SampleCache.Entry {
    if let cache { return try cache.sample(of: sample, input: description.input) }
    return try SampleCache.decoded(sample.file, input: description.input, preparer.sample)
  }
}
