public import Datasets
public import Foundation
public import Models

/// One sample as a single-modality model sees it: the file that has its modality, and that modality's own label.
///
///     let samples = dataset.samples.compactMap { ModelSample($0, modality: .audio, roots: roots) }
///     let unlabelled = ModelSample(file: URL(filePath: "clip.mp4"))
public struct ModelSample: Sendable, Hashable {
  /// The name in score files.
  public var id: String
  /// The data set's name; empty for a file from outside.
  public var dataset: String
  /// Where the file is on this machine.
  public var file: URL
  /// SHA-256 of the content, if known; found by reading the file otherwise.
  public var digest: String?
  /// What the file itself has in it, if the sample was scanned; `digest` is that of all files of a sample.
  public var content: FileContent?
  /// The label for this modality; nil when unknown.
  public var label: Label?
  /// Its weight in the loss.
  public var weight: Double

  /// The stream that a model of `modality` sees; nil when the sample does not offer it.
  public init?(_ sample: Sample, modality: InputModality, roots: DataRoots) {
    let modality = Modality(rawValue: modality.rawValue)!
    guard let path = sample.path(for: modality) else { return nil }
    id = sample.id
    dataset = sample.dataset
    file = roots.url(sample, path)
    content = sample.content(of: path)
    // A table's digest is that of all files of the sample, in order; it names one stream as well, as the cache's key
    // also holds what is read from it.
    digest = sample.sha256
    label = sample.label(for: modality)
    weight = sample.weight
  }

  /// A file from outside, without a label.
  public init(file: URL) {
    (id, dataset, self.file, digest, content, label, weight) = (file.lastPathComponent, "", file, nil, nil, nil, 1)
  }

  /// A sample from its parts.
  public init(
    id: String, dataset: String = "", file: URL, digest: String? = nil, label: Label? = nil, weight: Double = 1
  ) {
    (self.id, self.dataset, self.file) = (id, dataset, file)
    (self.digest, content, self.label, self.weight) = (digest, nil, label, weight)
  }

  /// Unique over all data sets; what random streams are keyed by.
  var key: String { Self.key(dataset: dataset, id: id) }

  static func key(dataset: String, id: String) -> String { "\(dataset)\u{1F}\(id)" }
}
