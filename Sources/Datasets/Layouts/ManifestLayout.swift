internal import Files
public import Foundation

/// The CSV manifest: a header with `path` and `label` (`real` or `fake`), optional columns, one line a sample. Paths are
/// relative to the manifest's folder. Other columns are kept as they are.
public struct ManifestLayout: DatasetLayout {
  /// The name in experiments and on the command line.
  public let name = "manifest"
  /// What the reader looks for.
  public let expectation = "a manifest is a CSV file with a header line that has path and label"

  /// The reader.
  public init() {}

  /// Columns with a meaning; `sha256`, `bytes`, `contents`, `modalities`, `root` and `problem` are those that `samples.csv` adds.
  public static let columns = [
    "path", "label", "type", "image", "audio", "video", "audio_label", "visual_label", "identity", "source", "group",
    "split", "dataset", "intervals", "weight",
  ]

  /// Whether the path looks like it.
  public func recognises(_ url: URL) -> Bool {
    url.pathExtension.lowercased() == "csv" || FileManager.default.fileExists(atPath: inFolder(url).path)
  }

  /// The samples that lists and names promise.
  public func read(_ url: URL, _ options: LayoutOptions) throws -> Dataset {
    var isFolder: ObjCBool = false
    let exists = FileManager.default.fileExists(atPath: url.path, isDirectory: &isFolder)
    let file = exists && isFolder.boolValue ? inFolder(url) : url
    return try SampleTable.parse(CSVReader(contentsOf: file), file: file.path, options: options)
  }

  private func inFolder(_ url: URL) -> URL { url.appendingPathComponent("manifest.csv") }
}

/// Reads and writes tables of samples: manifests, and the `samples.csv` of a run.
public enum SampleTable {
  static let scanned = ["root", "sha256", "bytes", "contents", "modalities", "problem"]

  /// Writes `samples.csv`: all columns of a manifest, what the scan found, then the extra columns.
  ///
  /// - Throws: `FileProblem`.
  public static func write(_ dataset: Dataset, to url: URL) throws { try writeAtomically(text(dataset), to: url) }

  /// What `write` writes.
  public static func text(_ dataset: Dataset) -> String {
    var file = CSVWriter(header: ManifestLayout.columns + scanned + dataset.extraColumns)
    for sample in dataset.samples {
      let manifest = [
        sample.id, sample.label.name, sample.type, sample.imagePath ?? "", sample.audioPath ?? "",
        sample.videoPath ?? "", sample.audioLabel.name, sample.visualLabel.name, sample.identity ?? "",
        sample.source ?? "", sample.group ?? "", sample.split ?? "", sample.dataset,
        FakeInterval.text(sample.intervals),
        "\(sample.weight)",
      ]
      let found = [
        sample.root, sample.sha256 ?? "", sample.bytes.map(String.init) ?? "", FileContent.text(sample.contents),
        sample.modalities.text, sample.problem ?? "",
      ]
      file.append(manifest + found + sample.extra)
    }
    return file.text
  }

  /// Reads `samples.csv` as `write` left it.
  ///
  /// - Throws: `DatasetError` or `FileProblem`, naming the line.
  public static func read(_ url: URL) throws -> Dataset {
    try parse(CSVReader(contentsOf: url), file: url.path, options: LayoutOptions(name: ""), isOurs: true)
  }

  static func parse(
    _ reader: CSVReader, file: String, options: LayoutOptions, isOurs: Bool = false
  ) throws -> Dataset {
    var parser = try Parser(reader.header, file: file, options: options, isOurs: isOurs)
    try reader.forEachRecord { line, fields in try parser.add(fields, line: line) }
    return Dataset(samples: parser.samples, extraColumns: parser.extra.map { reader.header[$0] })
  }
}

/// Turns rows into samples and says precisely what is wrong with one.
private struct Parser {
  let file: String
  let options: LayoutOptions
  let extra: [Int]
  var samples: [Sample] = []
  private let isOurs: Bool
  private let places: [String: Int]
  private let path, label: Int
  private let type, image, audio, video, audioLabel, visualLabel, identity, source, group, split, dataset: Int?
  private let intervals, weight, root, sha256, bytes, contents, modalities, problem: Int?
  private var lines: [SampleKey: Int32] = [:]

  init(_ header: [String], file: String, options: LayoutOptions, isOurs: Bool) throws {
    let known = ManifestLayout.columns + (isOurs ? SampleTable.scanned : [])
    var places: [String: Int] = [:]
    for (index, column) in header.enumerated() {
      let name = column.trimmed
      if known.contains(name) { places[name] = index }
    }
    for (ours, theirs) in options.columns.sorted(by: { $0.key < $1.key }) {
      guard ManifestLayout.columns.contains(ours) else {
        throw DatasetError(
          "column \(ours)=\(theirs)",
          "\"\(ours)\" is not a column of a manifest; those are \(ManifestLayout.columns.joined(separator: ", "))")
      }
      guard let index = header.firstIndex(where: { $0.trimmed == theirs }) else {
        throw DatasetError(
          "\(file):1",
          "column \"\(theirs)\", named for \(ours), is missing; the columns are "
            + header.joined(separator: ", "))
      }
      for (other, place) in places where place == index { places[other] = nil }
      places[ours] = index
    }
    func required(_ name: String) throws -> Int {
      if let place = places[name] { return place }
      throw DatasetError(
        "\(file):1",
        "the column \"\(name)\" is missing; the columns are \(header.joined(separator: ", ")); "
          + "rename one or map it with --column \(name)=NAME")
    }
    self.file = file
    self.options = options
    self.isOurs = isOurs
    path = try required("path")
    label = try required("label")
    type = places["type"]
    image = places["image"]
    audio = places["audio"]
    video = places["video"]
    audioLabel = places["audio_label"]
    visualLabel = places["visual_label"]
    identity = places["identity"]
    source = places["source"]
    group = places["group"]
    split = places["split"]
    dataset = places["dataset"]
    intervals = places["intervals"]
    weight = places["weight"]
    root = places["root"]
    sha256 = places["sha256"]
    bytes = places["bytes"]
    contents = places["contents"]
    modalities = places["modalities"]
    problem = places["problem"]
    self.places = places
    let used = Set(places.values)
    extra = header.indices.filter { !used.contains($0) }
  }

  mutating func add(_ fields: CSVFields, line: Int) throws {
    func failure(_ detail: String) -> DatasetError { DatasetError("\(file):\(line)", detail) }
    func text(_ column: Int?) -> String? { column.flatMap { fields.isEmpty($0) ? nil : fields[$0] } }
    func clean(_ path: String) throws -> String {
      if let clean = RelativePath.clean(path) { return clean }
      throw failure(
        path.isEmpty
          ? "the path is empty"
          : "path \"\(path)\" leaves the manifest's folder; write paths relative to the manifest, below its folder")
    }
    func stream(_ column: Int?) throws -> String? { try text(column).map(clean) }
    func label(_ column: Int?, _ name: String) throws -> Label? {
      if let column, fields.equals(column, "real") { return .real }
      if let column, fields.equals(column, "fake") { return .fake }
      guard let text = text(column) else { return nil }
      if let label = Label(name: text) { return label }
      throw failure(
        "\(name) \"\(text)\" is neither real nor fake; write the word, numbers mean different things to different sets")
    }

    let id = try clean(fields[path])
    guard let own = try label(self.label, "label") else { throw failure("the label is empty; write real or fake") }
    var sample = Sample(id: id, dataset: text(dataset) ?? options.name, root: text(root) ?? options.name, label: own)
    let key = SampleKey(sample)
    if let first = lines.updateValue(Int32(clamping: line), forKey: key) {
      throw failure("path \"\(id)\" stands on line \(first) already; each sample has one line")
    }
    sample.audioLabel = try label(audioLabel, "audio_label") ?? own
    sample.visualLabel = try label(visualLabel, "visual_label") ?? own
    if own == .real, sample.audioLabel == .fake || sample.visualLabel == .fake {
      throw failure("the label is real but audio_label or visual_label is fake; a sample with a fake part is fake")
    }
    sample.type = text(type) ?? ""
    sample.imagePath = try stream(image)
    sample.audioPath = try stream(audio)
    sample.videoPath = try stream(video)
    sample.identity = text(identity)
    sample.source = text(source)
    sample.group = text(group)
    sample.split = text(split)
    if let text = text(intervals) {
      guard let list = FakeInterval.list(text) else {
        throw failure("intervals \"\(text)\" are not start-end;start-end in seconds with start before end")
      }
      if own == .real, !list.isEmpty { throw failure("the label is real but intervals name fake parts") }
      sample.intervals = list
    }
    if let text = text(weight) {
      guard let value = Double(text), value > 0, value.isFinite else {
        throw failure("weight \"\(text)\" is not a positive number")
      }
      sample.weight = value
    }
    sample.extra = extra.map { fields[$0] }
    if !isOurs { sample.line = line }
    sample.sha256 = text(sha256)
    sample.bytes = text(bytes).flatMap(Int.init)
    if let text = text(contents) {
      guard let list = FileContent.list(text) else {
        throw failure("contents \"\(text)\" are not hash:bytes;hash:bytes")
      }
      sample.contents = list
    }
    sample.problem = text(problem)
    if let text = text(modalities) {
      guard let list = Modalities(text: text) else { throw failure("modalities \"\(text)\" are not known") }
      sample.modalities = list
    } else if !isOurs {
      for path in sample.paths { sample.modalities.formUnion(FileKind.promised(by: path)) }
    }
    samples.append(sample)
  }
}
