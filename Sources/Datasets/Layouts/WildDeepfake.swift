/// WildDeepfake: folders of aligned faces, unpacked from the official archives. The archive is the group.
public struct WildDeepfake: OfficialLayout {
  /// The name in experiments and on the command line.
  public let name = "wilddeepfake"
  /// What shows that a folder is this set.
  public let marks = ["real_train", "fake_train", "deepfake_in_the_wild/real_train"]
  /// What the set is, and when to use it.
  public let description = DatasetDescription(
    title: "WildDeepfake",
    what: "7,314 face sequences of 707 videos found on the internet, as aligned 224x224 pictures.",
    use: "Real-world fakes of unknown methods; single frames only, no sound.",
    layout: ["{real,fake}_{train,test}/<archive>/…/*.png (unpack the tar.gz files in place)"],
    size: "about 68 GB", licence: "on request, research only",
    source: "https://github.com/deepfakeinthewild/deepfake-in-the-wild",
    classes: [.init(.image, real: 3805, fake: 3509)],
    published: [
      .init("sequences of train", real: 3409, fake: 3099, where: ["split": "train"], unit: .folders),
      .init("sequences of test", real: 396, fake: 410, where: ["split": "test"], unit: .folders),
    ])

  /// The reader.
  public init() {}

  /// The samples that lists and names promise.
  public func read(_ tree: OfficialTree) throws -> SampleList {
    let base = tree.has("deepfake_in_the_wild") ? "deepfake_in_the_wild/" : ""
    var list = SampleList(tree)
    for label in Label.allCases {
      for split in ["train", "test"] {
        let folder = "\(base)\(label.name)_\(split)"
        for path in try tree.media(below: folder, .image) {
          let archive = path.dropFirst(folder.count + 1).prefix { $0 != "/" }
          try list.add(path, label) { sample in
            sample.group = "\(label.name)_\(split)/\(archive)"
            sample.split = split
          }
        }
        if list.samples.isEmpty, tree.names(in: folder).contains(where: { $0.hasSuffix(".tar.gz") }) {
          throw tree.problem("\(folder) holds archives; unpack them in place: for f in *.tar.gz; do tar xzf $f; done")
        }
      }
    }
    return list
  }
}
