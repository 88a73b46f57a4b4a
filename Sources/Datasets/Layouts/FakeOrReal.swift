/// Fake-or-Real: `for-<version>/{training,validation,testing}/{real,fake}`. The versions are the same recordings after
/// other processing, so the number in the file name is the source.
public struct FakeOrReal: OfficialLayout {
  /// The name in experiments and on the command line.
  public let name = "fake-or-real"
  /// What shows that a folder is this set.
  public let marks = versions
  /// What the set is, and when to use it.
  public let description = DatasetDescription(
    title: "Fake-or-Real (FoR)",
    what: "Utterances of several text-to-speech systems beside recordings of many speakers, in four versions.",
    use: "Take for-norm: it is balanced in gender, class and volume. for-original has format and loudness shortcuts.",
    layout: versions.map { "\($0)/{training,validation,testing}/{real,fake}/*.wav" },
    size: "about 16 GB", licence: "see its page", source: "https://bil.eecs.yorku.ca/datasets/",
    classes: [.init(.audio, real: 111_000, fake: 87_000)],
    published: [
      .init(
        "for-original", real: 111_000, fake: 87_000, where: ["version": "for-original"], isRounded: true,
        isAddition: true)
    ])

  private static let versions = ["for-norm", "for-original", "for-2seconds", "for-2sec", "for-rerecorded", "for-rerec"]

  /// The reader.
  public init() {}

  /// The samples that lists and names promise.
  public func read(_ tree: OfficialTree) throws -> SampleList {
    var list = SampleList(tree, extra: ["version"])
    let here = Self.versions.filter { tree.has($0) }
    for version in here.isEmpty ? [""] : here {
      for (folder, split) in [("training", "train"), ("validation", "validation"), ("testing", "test")] {
        for label in Label.allCases {
          let base = [version, folder, label.name].filter { !$0.isEmpty }.joined(separator: "/")
          for path in try tree.media(below: base, .audio) {
            let number = path.dropFirst(base.count + 1).prefix { $0 != "." }
            try list.add(path, label) { sample in
              sample.split = split
              sample.source = "\(folder)/\(label.name)/\(number)"
              sample.extra = [version]
            }
          }
        }
      }
    }
    return list
  }
}
