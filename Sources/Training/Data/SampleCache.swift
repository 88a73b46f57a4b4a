public import Faces
import Files
public import Foundation
public import Models
import Media

/// A folder of decoded, model-ready samples, so that only the first visit decodes.
///
///     let cache = SampleCache(URL(filePath: "cache"))
///     switch try cache.sample(of: item, input: architecture.preprocessing) {
///     case .ready(let prepared): …
///     case .failed(let reason): …        // counted, and shown in the report
///     }
///
/// An entry's name is made of the file's SHA-256 and of everything that decides its content, so entries never go stale
/// and data sets, models, folds and runs share them. Entries appear by rename and carry a checksum: a damaged one is
/// made again, and processes may share the folder. A failure to decode is kept too, with its reason.
public struct SampleCache: Sendable {
  /// What is known of a sample.
  public enum Entry: Sendable, Equatable {
    /// Decoded.
    case ready(PreparedSample)
    /// Cannot be decoded, for this reason; the reason is the same on every machine and every visit.
    case failed(String)
  }

  /// Raised whenever decoding or resizing changes its results.
  static let revision = 2

  private let folder: URL
  private let files: any SampleFiles
  private let decode: @Sendable (URL, Preprocessing) throws -> PreparedSample

  /// A cache in `folder`, which is made when first needed, of samples whose files `files` gives; `detectors` find the
  /// faces of models that want them.
  public init(_ folder: URL, files: any SampleFiles = LocalFiles(), detectors: FaceDetectors = FaceDetectors()) {
    self.init(folder, files: files, decode: Preparer(detectors: detectors).sample)
  }

  init(
    _ folder: URL, files: any SampleFiles = LocalFiles(),
    decode: @escaping @Sendable (URL, Preprocessing) throws -> PreparedSample
  ) {
    (self.folder, self.files, self.decode) = (folder, files, decode)
  }

  /// The sample, from the cache or decoded now and kept.
  ///
  /// - Throws: when the file is missing or unreadable, or the cache's folder cannot be written.
  public func sample(of item: ModelSample, input: Preprocessing) throws -> Entry {
    try entry(of: item, key: input.cacheKey, isNeeded: false) {
      try files.with(item) { file in try Self.decoded(file, input: input, decode) }
    }
  }

  /// What is kept of a sample; nil when it has not been decoded yet.
  ///
  /// - Throws: when the file has to be hashed and cannot be read.
  public func kept(_ item: ModelSample, input: Preprocessing) throws -> Entry? { try kept(item, key: input.cacheKey) }

  /// What is kept of a sample under a key that names everything that decides it, or what `make` gives now, kept.
  ///
  /// - Parameter isNeeded: whether it must be kept; otherwise, where there is no room, it is made every time.
  func entry(of item: ModelSample, key: String, isNeeded: Bool, make: () throws -> Entry) throws -> Entry {
    if let entry = try kept(item, key: key) { return entry }
    let entry = try make()
    let (kept, refused) = try places(item, key)
    switch entry {
    case .ready(let sample):
      let bytes = sample.encoded()
      if try files.mayKeep(bytes.count) || isNeeded { try writeAtomically(bytes, to: kept) }
    case .failed(let reason): try writeAtomically(reason, to: refused)
    }
    return entry
  }

  /// What is kept of a sample under a key; nil when there is nothing, or it is damaged.
  func kept(_ item: ModelSample, key: String) throws -> Entry? {
    let (kept, refused) = try places(item, key)
    if let bytes = try? readFile(kept), let sample = PreparedSample(encoded: bytes) {
      files.used(kept)
      return .ready(sample)
    }
    if let bytes = try? readFile(refused), let reason = String(validating: bytes, as: UTF8.self), !reason.isEmpty {
      return .failed(reason)
    }
    return nil
  }

  private func places(_ item: ModelSample, _ key: String) throws -> (kept: URL, refused: URL) {
    let digest = try item.digest ?? sha256(of: item.file)
    let base = folder.appending(path: key).appending(path: String(digest.prefix(2)))
    return (base.appending(path: "\(digest).sample"), base.appending(path: "\(digest).failed"))
  }

  /// A file, decoded now and not kept.
  static func decoded(
    _ file: URL, input: Preprocessing, _ decode: (URL, Preprocessing) throws -> PreparedSample
  ) throws -> Entry {
    do {
      return .ready(try decode(file, input))
    } catch let error as MediaError where error.code != .unreadable {
      return .failed(error.reason)
    }
  }
}

extension Preprocessing {
  /// How many frames, windows or clips a sample has.
  public func parts(of sample: PreparedSample) -> Int { PartWriter(input: self).parts(of: sample) }

  /// Names everything that decides what is kept of a file. What is applied after the cache (normalisation) is left out.
  public var cacheKey: String {
    let parts: String
    switch self {
    case .frames(let input):
      parts = "frames-\(input.count)x\(input.size)\(scalingKey(input.scaling))"
    case .clips(let input):
      parts = "clips-\(input.count)x\(input.length)x\(input.size)-\(input.rate)\(scalingKey(input.scaling))"
    case .logMel(let input):
      parts =
        "logmel-\(input.sampleRate)-\(input.window)-\(input.hop)-\(input.transform)-\(input.mels)"
        + "-\(input.maximumSeconds)"
    case .cepstra(let input):
      parts =
        "cepstra-\(input.sampleRate)-\(input.window)-\(input.hop)-\(input.transform)-\(input.mels)"
        + "-\(input.coefficients)-\(input.maximumSeconds)"
    case .waveform(let input): parts = "waveform-\(input.sampleRate)-\(input.maximumSeconds)"
    }
    return "\(parts)\(preparationKey)-r\(SampleCache.revision)"
  }

  private func scalingKey(_ scaling: Scaling?) -> String {
    scaling.map { "-\($0.mode.rawValue)-\($0.side)-\($0.filter)" } ?? ""
  }

  /// What is done before scaling and windowing; empty when nothing is, so that older entries stay good.
  private var preparationKey: String {
    if let trim { return "-trim-\(trim.decibels)-\(trim.minimumSeconds)" }
    guard let faces else { return "" }
    let facts = [
      "\(faces.detector) \(faces.detectorHash) \(faces.openCV) \(faces.margin) \(faces.size) \(faces.aligns)",
      "\(faces.smallest) \(faces.missing) r\(FaceReader.revision)",
    ]
    return "-\(faces.crop)-\(sha256(facts.joined(separator: " ")).prefix(16))"
  }
}
