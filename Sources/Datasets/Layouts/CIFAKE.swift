/// CIFAKE: `{train,test}/{REAL,FAKE}`; the number in brackets of a file name is its CIFAR-10 class.
public struct CIFAKE: OfficialLayout {
  /// The name in experiments and on the command line.
  public let name = "cifake"
  // Its folder names are anybody's: it is read by name only.
  /// What shows that a folder is this set.
  public let marks: [String] = []
  /// What the set is, and when to use it.
  public let description = DatasetDescription(
    title: "CIFAKE",
    what: "60,000 CIFAR-10 pictures and 60,000 of the same ten classes by Stable Diffusion 1.4, 32x32.",
    use: "Balanced and quick to train on; tiny pictures, no faces, no validation part.",
    layout: ["{train,test}/{REAL,FAKE}/*.jpg"], size: "about 100 MB", licence: "MIT as its page says",
    source: "https://www.kaggle.com/datasets/birdy654/cifake-real-and-ai-generated-synthetic-images",
    classes: [.init(.image, real: 60_000, fake: 60_000)],
    published: [
      .init("train", real: 50000, fake: 50000, where: ["split": "train"]),
      .init("test", real: 10000, fake: 10000, where: ["split": "test"]),
    ])

  /// The reader.
  public init() {}

  /// The samples that lists and names promise.
  public func read(_ tree: OfficialTree) throws -> SampleList {
    var list = SampleList(tree, extra: ["class"])
    for split in ["train", "test"] {
      for (folder, label) in [("REAL", Label.real), ("FAKE", .fake)] {
        for path in try tree.media(below: "\(split)/\(folder)", .image) {
          let number = path.stem.split(separator: "(").dropFirst().first.map { $0.prefix { $0.isNumber } } ?? "1"
          try list.add(path, label) { sample in
            sample.split = split
            sample.type = label == .fake ? "stable-diffusion" : ""
            sample.extra = [String(number)]
          }
        }
      }
    }
    return list
  }
}
