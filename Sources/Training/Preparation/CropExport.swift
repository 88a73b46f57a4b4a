public import Datasets
public import Faces
import Files
public import Foundation
import Media

/// Writes the crops of a data set's main faces as PNG files, with a manifest that names them: what `unmask datasets
/// prepare` does. A folder that holds some of them already gets the rest.
///
///     let export = CropExport(detector: try .cascades())
///     let outcome = try export.run(dataset, roots, to: URL(filePath: "data/crops"), threads: 2)
///     print(outcome.crops, outcome.reasons)
public struct CropExport: Sendable {
  /// The detector's files.
  public var detector: DetectorFiles
  /// The parts that are cut out, each with its own settings.
  public var crops: [FaceSettings]
  /// Crops of each part that a video gives, evenly spaced over the time in which the face is seen.
  public var frames: Int
  /// Crops a second instead, over the whole of that time, 30 seconds of it at most; nil goes by `frames`.
  public var rate: Double?

  /// An export from its parts.
  public init(detector: DetectorFiles, crops: [FaceSettings] = [FaceSettings()], frames: Int = 8, rate: Double? = nil) {
    (self.detector, self.crops, self.frames, self.rate) = (detector, crops, frames, rate)
  }

  /// A sample without crops, and why.
  public struct Failure: Codable, Sendable, Hashable {
    /// The sample.
    public let dataset, sample: String
    /// The reason.
    public let reason: String
  }

  /// What was done.
  public struct Outcome: Codable, Sendable {
    /// All samples with pictures, usable or not.
    public var samples = 0
    /// Of these, prepared by an earlier start.
    public var kept = 0
    /// Crops in the manifest.
    public var crops = 0
    /// Samples in which other faces were seen beside the main one.
    public var withOtherFaces = 0
    /// Samples without crops.
    public var failures: [Failure] = []
    /// The failures by reason, the most frequent first.
    public var reasons: [ReasonCount] = []

    enum CodingKeys: String, CodingKey {
      case samples, kept, crops, failures, reasons
      case withOtherFaces = "with_other_faces"
    }
  }

  /// What a sample's folder says of itself; written last.
  private struct Record: Codable, Sendable {
    struct Crop: Codable, Sendable {
      let file, region: String
      let time: Double
    }
    let settings: String
    let content: String
    var crops: [Crop] = []
    var otherFaces = 0
    var failure: String?

    func failing(_ reason: String) -> Record {
      var record = self
      record.failure = reason
      return record
    }
  }

  /// Prepares every sample that has pictures.
  ///
  /// - Parameters:
  ///   - dataset: scanned, with hashes.
  ///   - progress: called now and then, on the calling thread, with what is done so far and the number of all samples.
  /// - Throws: `FaceError` when the detector fails, `FileProblem` when the folder cannot be written.
  public func run(
    _ dataset: Dataset, _ roots: DataRoots, to folder: URL, threads: Int,
    progress: (_ done: Outcome, _ all: Int) throws -> Void = { _, _ in }
  ) throws -> Outcome {
    let samples = dataset.samples.filter { $0.problem != nil || picture($0, roots) != nil }
    let hasSeveral = Set(samples.map(\.dataset)).count > 1
    let detectors = FaceDetectors()
    let crew = ShardThreads(count: threads, computeThreads: 1)
    var outcome = Outcome()
    // Columns of the data's own stay, but for those that are about the crops themselves.
    let extra = dataset.extraColumns.indices.filter { !Self.columns.contains(dataset.extraColumns[$0]) }
    var table = CSVWriter(header: Self.columns + extra.map { dataset.extraColumns[$0] })
    while outcome.samples < samples.count {
      let chunk = samples[outcome.samples..<min(samples.count, outcome.samples + 4 * max(1, threads))]
      let found = crew.map(chunk.count) { index in
        let sample = chunk[chunk.startIndex + index]
        return Result { try record(sample, roots, in: folder.appending(path: place(sample, hasSeveral)), detectors) }
      }
      for (sample, result) in zip(chunk, found) {
        let (record, wasKept) = try result.get()
        outcome.samples += 1
        if wasKept { outcome.kept += 1 }
        if record.otherFaces > 0 { outcome.withOtherFaces += 1 }
        outcome.crops += record.crops.count
        if let reason = record.failure {
          outcome.failures.append(Failure(dataset: sample.dataset, sample: sample.id, reason: reason))
        }
        for crop in record.crops {
          table.append(row(crop, sample, place(sample, hasSeveral)) + extra.map { sample.extra[$0] })
        }
      }
      outcome.reasons = ReasonCount.of(outcome.failures.map(\.reason))
      try progress(outcome, samples.count)
    }
    try writeAtomically(table.text, to: folder.appending(path: "manifest.csv"))
    var failures = CSVWriter(header: ["dataset", "sample", "reason"])
    for failure in outcome.failures { failures.append([failure.dataset, failure.sample, failure.reason]) }
    try writeAtomically(failures.text, to: folder.appending(path: "failures.csv"))
    return outcome
  }

  // MARK: One sample

  private func picture(_ sample: Sample, _ roots: DataRoots) -> URL? {
    roots.file(sample, .video) ?? roots.file(sample, .image)
  }

  private func place(_ sample: Sample, _ hasSeveral: Bool) -> String {
    "crops/" + (hasSeveral ? "\(sample.dataset)/" : "") + sample.id
  }

  /// The sample's record, as an earlier start left it or made now.
  private func record(
    _ sample: Sample, _ roots: DataRoots, in folder: URL, _ detectors: FaceDetectors
  ) throws -> (record: Record, wasKept: Bool) {
    let fresh = Record(settings: identity, content: sample.sha256 ?? "")
    if let problem = sample.problem { return (fresh.failing(problem), false) }
    guard let file = picture(sample, roots) else { return (fresh.failing("it has no pictures"), false) }
    let note = folder.appending(path: "crops.json")
    if let bytes = try? readFile(note, limit: 64 << 20),
      let kept = try? JSONDecoder().decode(Record.self, from: Data(bytes)),
      kept.settings == fresh.settings, kept.content == fresh.content, !kept.content.isEmpty,
      kept.crops.allSatisfy({ FileManager.default.fileExists(atPath: folder.appending(path: $0.file).path) })
    {
      return (kept, true)
    }
    // Crops of other settings must not stay among the new ones.
    try? FileManager.default.removeItem(at: folder)
    let made = try make(fresh, file, in: folder, detectors)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    try writeAtomically(encoder.encode(made), to: note)
    return (made, false)
  }

  private func make(_ fresh: Record, _ file: URL, in folder: URL, _ detectors: FaceDetectors) throws -> Record {
    var record = fresh
    do {
      let reader = try FaceReader(file, crops[0], detector, detectors)
      record.otherFaces = reader.otherFaces
      for settings in crops {
        let sequence =
          try rate.map { try reader.crops(rate: $0, as: settings) } ?? reader.crops(count: frames, as: settings)
        for (index, time) in sequence.times.enumerated() {
          let number = String(index)
          let name =
            "\(settings.region.rawValue)-\(String(repeating: "0", count: max(0, 3 - number.count)))\(number).png"
          try writeAtomically(sequence.picture(index).png(), to: folder.appending(path: name))
          record.crops.append(.init(file: name, region: settings.region.rawValue, time: time))
        }
      }
    } catch let error as MediaError where error.code != .unreadable {
      return fresh.failing(error.reason)
    }
    return record
  }

  /// Everything that decides a crop's pixels.
  private var identity: String {
    let parts = crops.map { "\($0.region) \($0.margin) \($0.size) \($0.aligns) \($0.smallest)" }
    let facts = ["\(FaceReader.revision) \(detector.hash) \(DetectorFiles.openCVVersion)"] + parts
    return sha256((facts + [rate.map { "rate \($0)" } ?? "frames \(frames)"]).joined(separator: "\n"))
  }

  // MARK: The manifest

  private static let columns = [
    "path", "label", "type", "identity", "source", "group", "split", "dataset", "region", "time",
  ]

  /// A crop's line. It is a picture, so its label is the picture's own; its source is the sample, so that all crops of a
  /// sample, and of what the sample was made from, stay in one fold.
  private func row(_ crop: Record.Crop, _ sample: Sample, _ place: String) -> [String] {
    let sources = [sample.source, sample.id.replacing(";", with: "_")].compactMap(\.self).filter { !$0.isEmpty }
    return [
      "\(place)/\(crop.file)", sample.visualLabel.name, sample.visualLabel == .fake ? sample.type : "",
      sample.identity ?? "", sources.joined(separator: ";"), sample.group ?? "", sample.split ?? "", sample.dataset,
      crop.region, "\((crop.time * 1000).rounded() / 1000)",
    ]
  }
}
