/// DFDC: `metadata.json` in each of the 50 training folders, and the test set's labels. A fake's original is its source;
/// real videos name themselves, so that a video and its fakes stay together.
public struct DFDC: OfficialLayout {
  /// The name in experiments and on the command line.
  public let name = "dfdc"
  /// What shows that a folder is this set.
  public let marks = (0..<50).flatMap { ["dfdc_train_part_\($0)", $0 < 10 ? "dfdc_train_part_0\($0)" : ""] }
    .filter { !$0.isEmpty }
  /// What the set is, and when to use it.
  public let description = DatasetDescription(
    title: "DeepFake Detection Challenge (full)",
    what: "10-second clips of 960 paid actors with eight methods; some sound is swapped too, which labels do not say.",
    use: "Many people and conditions; few artefacts to learn on compressed faces. Labels are of the whole clip. The "
      + "test list says how clips were changed (columns augmenter and distractor).",
    layout: [
      "dfdc_train_part_{0..49}/*.mp4", "dfdc_train_part_{0..49}/metadata.json", "test/labels.csv or test/metadata.json",
    ],
    size: "about 470 GB", licence: "DFDC terms, on request", source: "https://ai.meta.com/datasets/dfdc/",
    classes: [.init(.image, real: 23654, fake: 104_500), .init(.video, real: 23654, fake: 104_500)],
    published: [
      .init("train", real: 23654, fake: 104_500, where: ["split": "train"]),
      .init("test", real: 2500, fake: 2500, where: ["split": "test"]),
    ])

  /// The reader.
  public init() {}

  private struct Entry: Decodable {
    let label, original: String?
    let is_fake: Int?
    let augmentations: [String: Kinds]?

    /// The names of what was done to a test clip; their settings are not kept.
    struct Kinds: Decodable {
      let text: String

      init(from decoder: any Decoder) throws {
        text = try decoder.container(keyedBy: Name.self).allKeys.map(\.stringValue).sorted().joined(separator: ";")
      }
    }

    private struct Name: CodingKey {
      let stringValue: String
      let intValue: Int? = nil
      init(stringValue: String) { self.stringValue = stringValue }
      init?(intValue: Int) { nil }
    }
  }

  /// The samples that lists and names promise.
  public func read(_ tree: OfficialTree) throws -> SampleList {
    var list = SampleList(tree, extra: ["part", "augmenter", "distractor"])
    let parts = tree.names(in: "").filter { $0.hasPrefix("dfdc_train_part_") }
    for part in parts + (parts.isEmpty && tree.has("metadata.json") ? [""] : []) {
      let path = part.isEmpty ? "metadata.json" : "\(part)/metadata.json"
      guard tree.has(path) else {
        throw tree.problem("\(path) is missing; it has the labels of its folder")
      }
      for (file, entry) in try tree.json(path, as: [String: Entry].self).sorted(by: { $0.key < $1.key }) {
        guard let label = try entry.label.map({ try tree.label($0, path, 1) }) else {
          throw DatasetError(path, "\(file) has no label")
        }
        try list.add(part.isEmpty ? file : "\(part)/\(file)", label) { sample in
          sample.source = label == .fake ? entry.original : file
          sample.split = "train"
          sample.extra[0] = part
        }
      }
    }
    if tree.has("test/labels.csv") {
      try tree.table("test/labels.csv") { line, row in
        // 1 means fake here, as DFDC defines it.
        guard let label = ["0": Label.real, "1": .fake][try row("label")] else {
          throw tree.problem("test/labels.csv", line, "label \"\(try row("label"))\" is not 0 or 1")
        }
        try list.add("test/" + row("filename"), label) { $0.split = "test" }
      }
    } else if tree.has("test/metadata.json") {
      for (file, entry) in try tree.json("test/metadata.json", as: [String: Entry].self).sorted(by: { $0.key < $1.key })
      {
        guard let isFake = entry.is_fake else { throw DatasetError("test/metadata.json", "\(file) has no is_fake") }
        try list.add("test/" + file, isFake == 1 ? .fake : .real) { sample in
          sample.split = "test"
          sample.extra[1] = entry.augmentations?["augmenter"]?.text ?? ""
          sample.extra[2] = entry.augmentations?["distractor"]?.text ?? ""
        }
      }
    }
    return list
  }
}
