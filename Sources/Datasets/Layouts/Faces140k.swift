/// 140k Real and Fake Faces: folders by part and label, and CSV files in which label **1 means real**; `label_str` is
/// read instead, and must agree with the folder.
public struct Faces140k: OfficialLayout {
  /// The name in experiments and on the command line.
  public let name = "140k-faces"
  /// What shows that a folder is this set.
  public let marks = ["real_vs_fake/real-vs-fake", "real-vs-fake"]
  /// What the set is, and when to use it.
  public let description = DatasetDescription(
    title: "140k Real and Fake Faces",
    what: "70,000 Flickr faces (FFHQ) and 70,000 StyleGAN faces, 256 pixels.",
    use: "A balanced start for picture models. The halves come from different pipelines (resizing, JPEG), which a "
      + "detector can learn instead: look at `unmask datasets audit`.",
    layout: ["real_vs_fake/real-vs-fake/{train,valid,test}/{real,fake}/*.jpg", "{train,valid,test}.csv"],
    size: "about 4 GB", licence: "see its page",
    source: "https://www.kaggle.com/datasets/xhlulu/140k-real-and-fake-faces",
    classes: [.init(.image, real: 70_000, fake: 70_000)],
    published: [
      .init("train", real: 50000, fake: 50000, where: ["split": "train"]),
      .init("validation", real: 10000, fake: 10000, where: ["split": "validation"]),
      .init("test", real: 10000, fake: 10000, where: ["split": "test"]),
    ])

  /// The reader.
  public init() {}

  /// The samples that lists and names promise.
  public func read(_ tree: OfficialTree) throws -> SampleList {
    let base = tree.first(["real_vs_fake/real-vs-fake", "real-vs-fake"]).map { $0 + "/" } ?? ""
    var list = SampleList(tree)
    for (folder, split) in [("train", "train"), ("valid", "validation"), ("test", "test")] {
      func fill(_ sample: inout Sample) {
        sample.split = split
        sample.type = sample.label == .fake ? "stylegan" : ""
      }
      let csv = "\(folder).csv"
      if tree.has(csv) {
        try tree.table(csv) { line, row in
          let (path, label) = (try row("path"), try tree.label(row("label_str"), csv, line))
          guard path.contains("/\(label.name)/") else {
            throw tree.problem(csv, line, "label_str is \(label.name), but the path is \(path)")
          }
          let number = try row("label")
          guard number == (label == .real ? "1" : "0") else {
            throw tree.problem(
              csv, line, "label_str is \(label.name), but label is \(number); in this set 1 means real")
          }
          try list.add(base + path, label, fill)
        }
        continue
      }
      for label in Label.allCases {
        for path in try tree.media(below: "\(base)\(folder)/\(label.name)", .image) { try list.add(path, label, fill) }
      }
    }
    return list
  }
}
