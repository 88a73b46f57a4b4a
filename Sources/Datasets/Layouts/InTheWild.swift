/// In-the-Wild: `meta.csv` with file, speaker, label (`bona-fide` with a hyphen, or `spoof`).
public struct InTheWild: OfficialLayout {
  /// The name in experiments and on the command line.
  public let name = "in-the-wild"
  /// What shows that a folder is this set.
  public let marks = ["release_in_the_wild/meta.csv"]
  /// What the set is, and when to use it.
  public let description = DatasetDescription(
    title: "In-the-Wild Audio Deepfake",
    what: "37.9 hours of politicians and celebrities: recordings and fakes found on the internet; 58 speakers.",
    use: "A test set without official parts: how far a voice detector generalises.",
    layout: ["release_in_the_wild/*.wav", "release_in_the_wild/meta.csv"],
    size: "about 8 GB", licence: "Apache 2.0 as its page says", source: "https://deepfake-total.com/in_the_wild",
    classes: [.init(.audio, real: 19963, fake: 11816)],
    published: [.init("all", real: 19963, fake: 11816)])

  /// The reader.
  public init() {}

  /// The samples that lists and names promise.
  public func read(_ tree: OfficialTree) throws -> SampleList {
    let path = try tree.require(["release_in_the_wild/meta.csv", "meta.csv"], "meta.csv")
    let base = path.dropLast("meta.csv".count)
    var list = SampleList(tree)
    try tree.table(path) { line, row in
      let label = try tree.label(row("label"), path, line)
      let speaker = try row("speaker")
      try list.add(base + row("file"), label) { $0.identity = speaker }
    }
    return list
  }
}
